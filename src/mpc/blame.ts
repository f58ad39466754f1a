/** Blame: why a session ended without a result, and who is named for it (threshold.md 2.4). */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"

/**
 * BAN: a check on our OT secrets failed. FAULT: publicly or locally provable misbehaviour.
 * EQUIV: two signed versions of one message. SESSION: nobody can be named (parties is then empty).
 */
export type BlameClass = "BAN" | "FAULT" | "EQUIV" | "SESSION"

export class Blame extends Error {
  override readonly name = "Blame"
  constructor(
    readonly kind: BlameClass,
    readonly parties: readonly PartyId[],
    /** Stable, short, for the local audit log; never sent to anybody (threshold.md 2.5 rule 5). */
    readonly reason: string,
    /** Signed envelopes that prove the fault to anybody; empty if only this node could see it. */
    readonly evidence: readonly Bytes[] = [],
  ) {
    super(`${kind}: ${reason}`)
  }
}

export const ban = (party: PartyId, reason: string): Blame => new Blame("BAN", [party], reason)
export const fault = (party: PartyId, reason: string): Blame => new Blame("FAULT", [party], reason)
export const equivocation = (party: PartyId, reason: string, originals: readonly Bytes[]): Blame =>
  new Blame("EQUIV", [party], reason, originals)
export const sessionAbort = (reason: string): Blame => new Blame("SESSION", [], reason)
