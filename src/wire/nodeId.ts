/**
 * Node ids as people and task documents write them: `cos` + base58check(version, Ed25519 public key). The id contains the key, and
 * its checksum detects typing errors. Code that hashes or compares uses the key itself (PartyId).
 */
import { concat, u8 } from "../bytes.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { decodeBase58Check, encodeBase58Check } from "../keys/base58.ts"
import { type PartyId, partyBytes, partyOf } from "../keys/party.ts"

const PREFIX = "cos"
/** Version 1. This byte gives every id the same length: 51 characters after the prefix. */
const VERSION = 0x42

export const nodeIdOf = (party: PartyId): string => PREFIX + encodeBase58Check(concat(u8(VERSION), partyBytes(party)))

/** The node that `text` names; undefined for a typo, another version, or bytes that are no valid key (crypto/ed25519.ts). */
export function parseNodeId(text: string): PartyId | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const payload = decodeBase58Check(text.slice(PREFIX.length))
  if (payload?.length !== 33 || payload[0] !== VERSION) return undefined
  const key = payload.subarray(1)
  return isStrictKey(key) ? partyOf(key) : undefined
}
