/**
 * How many bytes may wait for a session in its worker's queue. A worker that is computing takes nothing from its queue, and
 * queued messages use memory. So a session gets room for what its protocol can ever send it and for repetitions, and no more.
 */
import { coveringSets, mostTogether } from "../mpc/dkls/covering.ts"
import type { DkgSpec, ReshareSpec, SessionSpec } from "../mpc/session.ts"

const KIB = 1024

/** Limit for all sessions together, without those that are being cancelled. */
export const MOST_QUEUED = 256 * KIB * KIB

/** Memory that a queued message takes in addition to its bytes. */
const ENTRY_BYTES = 512

export const queuedBytes = (envelopeLength: number): number => envelopeLength + ENTRY_BYTES

/** At least twice all that the peers send in the session: from each peer its messages, and a report that holds everybody's messages. */
export function mostQueued(spec: SessionSpec<unknown>): number {
  const participants = participantsOf(spec)
  const perPeer = 128 * KIB + messagesOf(spec) + participants * 8 * KIB
  return (participants - 1) * perPeer
}

function participantsOf(spec: SessionSpec<unknown>): number {
  switch (spec.protocol) {
    case "dkg":
      return spec.members.length
    case "sign":
      return spec.signers.length
    case "reshare":
      return new Set([...spec.dealers, ...spec.members].map(({ party }) => party)).size
  }
}

/** What one peer sends for trial signatures: two members share at most `mostTogether` sets, and each set takes as much as a signature. */
function trialsOf(spec: DkgSpec | ReshareSpec<unknown>): number {
  const threshold = spec.protocol === "dkg" ? spec.threshold : spec.newThreshold
  return mostTogether(coveringSets(spec.members.length, threshold)) * 96 * KIB
}

function messagesOf(spec: SessionSpec<unknown>): number {
  if (spec.protocol !== "sign") return spec.suite === 3 ? trialsOf(spec) : 0
  return spec.messages.length * (spec.algorithm === "ecdsa" ? 96 : 1) * KIB
}
