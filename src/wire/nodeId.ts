/**
 * Node ids as people and task documents write them: `cos` + base58check(version, Ed25519 public key). Knowing the id is
 * knowing the key, and the checksum refuses a mistyped one. Everything hashed or compared uses the key itself (PartyId).
 */
import { concat, u8 } from "../bytes.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { decodeBase58Check, encodeBase58Check } from "../keys/base58.ts"
import { type PartyId, partyBytes, partyOf } from "../keys/party.ts"

const PREFIX = "cos"
/** Gives every id of version 1 the same length (51 letters after the prefix). */
const VERSION = 0x42

export const nodeIdOf = (party: PartyId): string => PREFIX + encodeBase58Check(concat(u8(VERSION), partyBytes(party)))

/** The node that `text` names; undefined for a typo, another version, or bytes that are nobody's key (crypto/ed25519.ts). */
export function parseNodeId(text: string): PartyId | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const payload = decodeBase58Check(text.slice(PREFIX.length))
  if (payload?.length !== 33 || payload[0] !== VERSION) return undefined
  const key = payload.subarray(1)
  return isStrictKey(key) ? partyOf(key) : undefined
}
