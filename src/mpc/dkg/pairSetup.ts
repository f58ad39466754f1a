/**
 * What every two members of a new group set up besides their shares: nothing on Ed25519, two base OTs and their PPRF
 * corrections on secp256k1 (tss.md 4). The set-up routine knows it by this interface alone: it carries message 1 in the
 * sealed direct of round 2 and message 2 in that of round 3, and hashes both into the pair id.
 */
import type { Bytes } from "../../bytes.ts"
import type { Rng } from "../../crypto/random.ts"
import type { Member } from "../../keys/party.ts"
import type { Secret } from "../../secret.ts"

export interface PairSetup {
  /** Exact sizes in bytes: OT1 of round 2, and B with all (E, X, D) of round 3. */
  readonly message1Length: number
  readonly message2Length: number
  /** Called once per peer after round 1. */
  begin(context: PairContext): PairRun
}

export interface PairContext {
  readonly sid: Bytes
  /** The view after round 1 (tss.md 2.2). */
  readonly h1: Bytes
  readonly self: Member
  readonly peer: Member
  readonly rng: Rng
}

/** One pair's set-up, seen from one side; disposed at the end of the session, however that comes. */
export interface PairRun extends Disposable {
  /** To the peer: this party as base-OT receiver. */
  readonly message1: Bytes
  /** On the peer's message 1: this party's message 2, as base-OT sender. Throws FAULT(peer). */
  respond(message1: Bytes): Bytes
  /** On the peer's message 2. Throws FAULT(peer). The caller owns the secrets. */
  finish(message2: Bytes): PairOutcome
}

/** Compact forms of tss.md 4.2. */
export interface PairOutcome {
  readonly otAlice: Secret
  readonly otBob: Secret
}
