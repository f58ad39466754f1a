/**
 * What a task type adds to the common execution (execution.ts): its checks against this node's records, the session that it needs, and how
 * a session's result becomes an outcome. Making a plan has no side effect; `open` reads the share.
 */
import { type Code, CosignerError, type DataOf } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { EncodedSpec, SessionResult } from "../mpc/session.ts"
import type { Presented } from "../policy/people.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import type { StartTerms } from "../wire/signed.ts"
import type { Intents } from "./intents.ts"

/** Why a task is not carried out: a value for WaaS, events and the journal. */
export interface Refusal {
  readonly code: Code
  readonly reason: string
}

export function refuse<C extends Code>(code: C, data: DataOf<C>): Refusal {
  return refusalOf(new CosignerError(code, data))
}

export const refusalOf = ({ code, message }: CosignerError): Refusal => ({ code, reason: message })

const MAX_AHEAD_MS = 24 * 3_600_000

/** E-TSK-022 for an epoch dated more than a day ahead: it would outrank all epochs made until then. */
export function fromTheFuture(task: { readonly created_ms: number }, nowMs: number): Refusal | undefined {
  const { created_ms: createdMs } = task
  return createdMs > nowMs + MAX_AHEAD_MS ? refuse("E-TSK-022", { createdMs, nowMs }) : undefined
}

export const isRefusal = (value: object): value is Refusal => "code" in value

/** The inputs of an attempt: the start of WaaS, the intents that this node read, and the words of people. */
export interface AttemptStart {
  readonly attempt: number
  /** The terms of a start of suite 2; undefined for suite 1. */
  readonly terms: StartTerms | undefined
  readonly intents: Intents
  /** The verified words of people on the task. */
  readonly presented: Presented
}

/** A task that this node carries out by itself: no session, no other node, and no second attempt. */
export interface LonePlan {
  readonly kind: "alone"
  readonly group: GroupPublic | undefined
  /** Carries out the task. The caller must journal the outcome before any of it leaves. */
  outcome(): TaskOutcome
}

export interface Plan {
  /** The group that the session is for: for KeyReshare the new one. */
  readonly groupId: string
  /** This node's record of the existing group; undefined if the task makes a first key, or this node does not know the old group. */
  readonly group: GroupPublic | undefined
  /** All participants, including this node. */
  readonly participants: readonly PartyId[]
  /** True if `participants` are all who may sign, and more than the threshold. Such a plan can be approved, but opens no session. */
  readonly areCandidates?: boolean
  readonly kind: "sign" | "setup"
  /** True if the session uses OT state, which bans protect (threshold.md 2.5). */
  readonly ecdsa: boolean
  /** The specification of the session. It holds the group's secret bytes, which StartSession takes over. */
  open(start: AttemptStart): EncodedSpec
  outcome(result: SessionResult): TaskOutcome
}
