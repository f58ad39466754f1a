/**
 * The interface between a DKG or a reshare and the OT set-up of its members (threshold.md 3.4, 4): two opaque messages per peer,
 * carried in the directs of rounds 2 and 3, and the resulting pair states. The set-up routine calls it like this,
 * on secp256k1 only; otSetup.ts implements it.
 *
 *     using ot = startOtSetup({ sid, h1, self, peers, rng })       // after round 1
 *     ot.first.get(peer)                                           // OT1_SIZE bytes, at the end of the round-2 direct
 *     const second = ot.answer(firstOfPeers)                       // OT2_SIZE bytes each: the round-3 direct
 *     const pairs = ot.finish(secondOfPeers, epochId, zeroHalves)  // PairStates for the PREPARED record
 */
import type { Bytes } from "../../bytes.ts"
import { FIRST_LENGTH, SECOND_LENGTH } from "../../crypto/otBase.ts"
import { CORRECTION_LENGTH } from "../../crypto/pprf.ts"
import type { Rng } from "../../crypto/random.ts"
import type { PairState } from "../../keys/group.ts"
import type { Member, PartyId } from "../../keys/party.ts"

/** Endemic OT message 1: 128 pairs of compressed P-256 points. */
export const OT1_SIZE = FIRST_LENGTH
/** Endemic OT message 2 and the PPRF corrections of 32 trees. */
export const OT2_SIZE = SECOND_LENGTH + CORRECTION_LENGTH

export interface OtSetupContext {
  readonly sid: Bytes
  /** The view after round 1. */
  readonly h1: Bytes
  /** With the share ids of the new epoch. */
  readonly self: Member
  readonly peers: readonly Member[]
  readonly rng: Rng
}

/** Both halves of a pair's zero-share seed, 32 bytes each, as they travelled in the round-2 directs. */
export interface ZeroHalves {
  readonly sent: Bytes
  readonly received: Bytes
}

/** One set-up with all peers. Disposing it erases every secret of it that did not go into a PairState. */
export interface OtSetup extends Disposable {
  readonly first: ReadonlyMap<PartyId, Bytes>
  /** Throws FAULT(peer) for points that do not decode. */
  answer(first: ReadonlyMap<PartyId, Bytes>): ReadonlyMap<PartyId, Bytes>
  /** Throws FAULT(peer) when a peer's corrections do not fit its digest; the whole set-up is then discarded. */
  finish(
    second: ReadonlyMap<PartyId, Bytes>,
    epochId: Bytes,
    zeroHalves: ReadonlyMap<PartyId, ZeroHalves>,
  ): readonly PairState[]
}

export type StartOtSetup = (context: OtSetupContext) => OtSetup
