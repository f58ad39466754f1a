/** The share id of a node in groups made here: derived from its identity, never received (threshold.md 1.2). */
import { shareIdOf as ofNodeKey } from "../crypto/shamir.ts"
import { type PartyId, partyBytes } from "./party.ts"

export const shareIdOf = (party: PartyId): bigint => ofNodeKey(partyBytes(party))
