/**
 * Node ids as people and task documents write them: `cos` + base58check(version, Ed25519 public key). Knowing the id is
 * knowing the key, and the checksum refuses a mistyped one. Everything hashed or compared uses the key itself (PartyId).
 */
import { concat, toHex, u8 } from "../bytes.ts"
import { decodeBase58Check, encodeBase58Check } from "../keys/base58.ts"
import { type PartyId, partyBytes, partyOf } from "../keys/party.ts"

const PREFIX = "cos"
/** Gives every id of version 1 the same length (51 letters after the prefix). */
const VERSION = 0x42

/**
 * The encodings of points of small order, sign bit cleared: y = 0, 1, -1, the two of order 8, and p and p + 1 for 0 and 1.
 * A signature that verifies under such a key can be made by anybody, so it is nobody's identity.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
])

/** Whether `publicKey` (32 bytes) is one for which anybody can sign. */
export function isForgeableKey(publicKey: Uint8Array): boolean {
  const y = Uint8Array.from(publicKey)
  y[31] = (y[31] ?? 0) & 0x7f
  return SMALL_ORDER.has(toHex(y))
}

export const nodeIdOf = (party: PartyId): string => PREFIX + encodeBase58Check(concat(u8(VERSION), partyBytes(party)))

/** The node that `text` names; undefined for a typo, another version, or a key for which anybody can sign. */
export function parseNodeId(text: string): PartyId | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const payload = decodeBase58Check(text.slice(PREFIX.length))
  if (payload?.length !== 33 || payload[0] !== VERSION) return undefined
  const key = payload.subarray(1)
  return isForgeableKey(key) ? undefined : partyOf(key)
}
