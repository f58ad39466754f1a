/**
 * How much may wait for a session in its worker's queue. A worker that computes takes nothing from it, and what is queued
 * there is memory; so a session is given what its protocol can ever send it, with room for repetitions, and no more.
 */
import { coveringSets, mostTogether } from "../mpc/dkls/covering.ts"
import type { DkgSpec, ReshareSpec, SessionSpec } from "../mpc/session.ts"

const KIB = 1024

/** Of all sessions that are not to be ended, together. */
export const MOST_QUEUED = 256 * KIB * KIB

/** What a queued message takes beside its bytes. */
const ENTRY_BYTES = 512

export const queuedBytes = (envelopeLength: number): number => envelopeLength + ENTRY_BYTES

/** At least twice everything that peers have to say in the session: each its messages and a report with those of all. */
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

/** What one peer sends for trial signatures: no two members share more sets than `mostTogether`, and each takes as much as a signature. */
function trialsOf(spec: DkgSpec | ReshareSpec<unknown>): number {
  const threshold = spec.protocol === "dkg" ? spec.threshold : spec.newThreshold
  return mostTogether(coveringSets(spec.members.length, threshold)) * 96 * KIB
}

function messagesOf(spec: SessionSpec<unknown>): number {
  if (spec.protocol !== "sign") return spec.suite === 3 ? trialsOf(spec) : 0
  return spec.messages.length * (spec.algorithm === "ecdsa" ? 96 : 1) * KIB
}
