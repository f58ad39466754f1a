/**
 * What a type of task adds to the common execution of execution.ts: its own checks against this node's records, the session
 * that it needs, and how the session's result reads as an outcome. Making a plan has no side effect but opening a share.
 */
import { type Code, CosignerError, type DataOf } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { EncodedSpec, SessionResult } from "../mpc/session.ts"
import type { Presented } from "../policy/people.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import type { StartTerms } from "../wire/signed.ts"
import type { Intents } from "./intents.ts"

/** Why a task is not done; a value, told to WaaS, to events and to the journal. */
export interface Refusal {
  readonly code: Code
  readonly reason: string
}

export function refuse<C extends Code>(code: C, data: DataOf<C>): Refusal {
  return refusalOf(new CosignerError(code, data))
}

export const refusalOf = ({ code, message }: CosignerError): Refusal => ({ code, reason: message })

const MAX_AHEAD_MS = 24 * 3_600_000

/** The refusal of an epoch that claims to come from more than a day ahead: it would outrank all that are made until then. */
export function fromTheFuture(task: { readonly created_ms: number }, nowMs: number): Refusal | undefined {
  const { created_ms: createdMs } = task
  return createdMs > nowMs + MAX_AHEAD_MS ? refuse("E-TSK-022", { createdMs, nowMs }) : undefined
}

export const isRefusal = (value: object): value is Refusal => "code" in value

/** What an attempt begins with: WaaS's start, and what this node read in the payloads. */
export interface AttemptStart {
  readonly attempt: number
  /** Of suite 2. */
  readonly terms: StartTerms | undefined
  readonly intents: Intents
  /** What people said of the task. */
  readonly presented: Presented
}

/** A task that this node carries out by itself: no session, no other node, and no second attempt. */
export interface LonePlan {
  readonly kind: "alone"
  readonly group: GroupPublic | undefined
  /** Does it. Nothing of the outcome leaves before it is journalled. */
  outcome(): TaskOutcome
}

export interface Plan {
  /** The group that the task uses or makes. */
  readonly groupId: string
  /** This node's record of the group that the task is about; undefined when the task makes it. */
  readonly group: GroupPublic | undefined
  /** Everybody who takes part, this node included. */
  readonly participants: readonly PartyId[]
  /** `participants` are all who may sign, more than the threshold. Such a plan can be approved; no session is opened by it. */
  readonly areCandidates?: boolean
  readonly kind: "sign" | "setup"
  /** Whether the session uses OT state that a ban protects (threshold.md 2.5). */
  readonly ecdsa: boolean
  /** What the session is; it holds the secret bytes of the group, which whoever starts it takes over. */
  open(start: AttemptStart): EncodedSpec
  outcome(result: SessionResult): TaskOutcome
}
