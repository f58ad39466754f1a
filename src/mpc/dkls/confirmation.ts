/**
 * kc (threshold.md 2.3): the proof that two nodes hold the same state of their pair. From suite 2 on, members exchange it in a set-up
 * before the acks. In a signature it is checked before anything of OT.
 */
import type { Bytes } from "../../bytes.ts"
import { H } from "../../crypto/frame.ts"

interface ConfirmedState {
  /** Live bytes of the pair's zero-share seed, made from both halves. */
  readonly zeroSeed: Bytes
  /** Digest of the epoch, the two share ids and both OT transcripts. */
  readonly pairId: Bytes
}

/** Proves the seed and names the pair's state, the session, the direction and the sender's nonce. `from`, `to`: sc(x). */
export const confirmation = (pair: ConfirmedState, sid: Bytes, from: Bytes, to: Bytes, nonce: Bytes): Bytes =>
  H("kc", pair.zeroSeed, pair.pairId, sid, from, to, nonce)
