/** Parties: a party is a node, and a node is identified by its Ed25519 identity key (threshold.md 1.2). */
import { type Bytes, fromHex, toHex } from "../bytes.ts"

declare const party: unique symbol
/** Lower-case hex of a node's 32-byte Ed25519 public key. Sorts in the order of the key bytes, which threshold.md 1.2 requires. */
export type PartyId = string & { readonly [party]: true }

/** The party of a 32-byte key, or undefined for another length. */
export const partyOf = (publicKey: Uint8Array): PartyId | undefined =>
  publicKey.length === 32 ? (toHex(publicKey) as PartyId) : undefined

/** Parses the hex form; undefined unless it is 64 lower-case hex digits. */
export const parseParty = (text: string): PartyId | undefined =>
  fromHex(text)?.length === 32 ? (text as PartyId) : undefined

export function partyBytes(id: PartyId): Bytes {
  const bytes = fromHex(id)
  if (bytes === undefined) throw new TypeError("a PartyId is hex by construction")
  return bytes
}

/** A member of a group: the node and its share id x, 1 <= x < q. */
export interface Member {
  readonly party: PartyId
  readonly x: bigint
}
