/**
 * The ports of tasks: every effect that a task can have, as function types. The daemon wires the real ones; tests wire Maps. What a store
 * function records survives a power cut once the function has returned, or once its promise has resolved.
 */
import type { Word } from "../approvals/word.ts"
import type { Bytes } from "../bytes.ts"
import type { Rng } from "../crypto/random.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { PathRule } from "../keys/pathRule.ts"
import type { Log } from "../log.ts"
import type { EncodedSpec, Ending, HostIo } from "../mpc/session.ts"
import type { Decision, IsSpent, SpentWord, Usage } from "../policy/decision.ts"
import type { Presented } from "../policy/people.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { FromNode, TaskOutcome } from "../wire/frames.ts"
import type { Task, TaskType } from "../wire/task.ts"
import type { FreezePort } from "./freeze.ts"
import type { IntentSettings, Intents } from "./intents.ts"

// ---- the journal -------------------------------------------------------------------------------------------------

/**
 * claimed: seen, nothing decided. approved: rules and callbacks said yes and the counters are debited.
 * running: a session was started. emitted: a signature share left the node. The other states are final.
 */
export const TASK_STATES = [
  "claimed",
  "approved",
  "running",
  "emitted",
  "completed",
  "rejected",
  "failed",
  "cancelled",
] as const
export type TaskState = (typeof TASK_STATES)[number]

const FINAL = ["completed", "rejected", "failed", "cancelled"] as const
type FinalState = (typeof FINAL)[number]
export const isFinal = (state: TaskState): state is FinalState => FINAL.some((final) => final === state)

export interface TaskRecord {
  readonly taskId: string
  /** SHA-256 of the document, hex. */
  readonly digest: string
  readonly type: TaskType
  readonly document: Bytes
  readonly state: TaskState
  /** The highest attempt ever started on this node; 0 before the first. */
  readonly attempt: number
  readonly claimedMs: number
  readonly updatedMs: number
  readonly deadlineMs: number
  readonly verdict: Verdict | undefined
  /** Empty unless rejected, failed or cancelled. */
  readonly code: string
  readonly reason: string
  readonly outcome: TaskOutcome | undefined
  /** WaaS has acknowledged the outcome. */
  readonly delivered: boolean
}

export type Claim =
  | { readonly kind: "new"; readonly record: TaskRecord }
  | { readonly kind: "known"; readonly record: TaskRecord }
  /** The id was used for another document. The new one is refused; the first one stays. */
  | { readonly kind: "conflict"; readonly record: TaskRecord }

/** An event for the customer's event servers, as JSON text of the TSSEvent envelope (formats.md 2). */
export interface OutboxEvent {
  readonly eventId: string
  readonly eventType: string
  readonly createdMs: number
  readonly body: string
}

export type Finish =
  | { readonly state: "completed"; readonly outcome: TaskOutcome }
  | { readonly state: "rejected" | "failed" | "cancelled"; readonly code: string; readonly reason: string }

export interface SessionRow {
  readonly sid: Bytes
  readonly taskId: string
  readonly attempt: number
  readonly groupId: string
  /** Empty for a DKG. */
  readonly epochId: Bytes
  readonly peers: readonly PartyId[]
  /** Only ECDSA sessions count for the rule of unproven checks (threshold.md 2.5 rule 9). */
  readonly ecdsa: boolean
}

/** A promise resolves when the step is durable, and rejects if nothing of it was recorded. Steps run in the order of the calls. */
export interface TaskPort {
  /**
   * Takes effect at once, and becomes durable with the task's next step at the latest. Do not rely on it before: if a crash loses the
   * claim, the task comes again as a new one.
   */
  claim(task: {
    readonly taskId: string
    readonly digest: string
    readonly type: TaskType
    readonly document: Bytes
    readonly deadlineMs: number
    readonly nowMs: number
    /** Written in the same transaction, if the claim is new. */
    readonly events: readonly OutboxEvent[]
  }): Claim
  /** Takes back a claim that is not durable yet. Returns false if it is durable, or if there is none. */
  forsake(taskId: string): boolean
  /**
   * Reads the usage, decides, debits, consumes the words of people and writes the verdict in one transaction; the task becomes approved or
   * rejected. Only from state claimed: in any other state nothing changes, and the record is returned. `isSpent` tells whether another
   * task has consumed a word.
   */
  approve(
    taskId: string,
    nowMs: number,
    decide: (usage: Usage, isSpent: IsSpent) => Decision,
    events: (verdict: Verdict) => readonly OutboxEvent[],
  ): Promise<TaskRecord>
  /**
   * Records a session as running. In the same transaction calls `decide` again, with the usage of all other tasks; the debits then count
   * from this moment, because it signs now. Rejects, with nothing changed: E-TSK-030 if `decide` does not approve, E-STO-024 for a known
   * sid, E-TSK-019 for an attempt that is not above every earlier one, E-STO-025 in another state.
   */
  startSession(row: SessionRow, nowMs: number, decide: (usage: Usage) => Decision): Promise<void>
  /**
   * Closes the session row, and in the same transaction counts one unproven check against each peer in `unproven`: peers with a check that
   * began and whose verdict was never seen (threshold.md 2.5 rule 9). A second end of a session changes nothing.
   */
  endSession(sid: Bytes, how: string, nowMs: number, unproven: readonly PartyId[]): Promise<void>
  /** Records that a signature share is about to leave. It may leave only after this resolved. */
  emitted(taskId: string, digest: Bytes, nowMs: number): Promise<void>
  /**
   * Records the final state, once: rejects with E-STO-025 if the task has another end. Releases the debits if the task did not complete and
   * nothing was emitted. Closes the session `closing` in the same transaction, because a session found open at a start counts as crashed.
   */
  finish(
    taskId: string,
    end: Finish,
    nowMs: number,
    events: readonly OutboxEvent[],
    closing: Bytes | undefined,
  ): Promise<TaskRecord>
  /** Records, with a later commit, that WaaS has the outcome. If a crash loses this, the outcome is reported once more. */
  delivered(taskId: string): Promise<void>
  /** The counters now, for a first evaluation before callback servers are asked; `approve` reads them again. */
  readonly usage: Usage
  get(taskId: string): TaskRecord | undefined
  /**
   * Sets what an undecided task waits for, in words for people; empty for nothing. It is kept in memory only. The events are written soon;
   * if the store fails to write them, the task still waits.
   */
  waits(taskId: string, missing: string, events: readonly OutboxEvent[]): void
  waitsFor(taskId: string): string
  /** The signed words of people that the verdict on a task consumed. */
  words(taskId: string): readonly SpentWord[]
  /** Newest first; skips `skip` of them and returns at most `limit`. */
  list(filter: {
    readonly state?: TaskState
    readonly type?: TaskType
    readonly skip?: number
    readonly limit: number
  }): readonly TaskRecord[]
  /** Tasks that are not final, and final ones whose outcome WaaS has not acknowledged; oldest first. */
  unfinished(): readonly TaskRecord[]
}

// ---- groups ------------------------------------------------------------------------------------------------------

export interface GroupPort {
  /** Stores a PREPARED epoch, complete and durable. Throws E-STO-022 if the epoch is known with other content. */
  prepare(group: GroupPublic, secret: GroupSecret): void
  /** The same for an epoch that this node only deals to: stores the public record, with status ERASED from the start. */
  acknowledge(group: GroupPublic): void
  /**
   * Stores a certificate, which the caller has verified. Of all certified epochs of a group, the one of highest rank (createdMs, epochId)
   * ends the others, in whatever order certificates come. It becomes ACTIVE if this node has a share of it. Lower ones become SUPERSEDED,
   * and their OT state and zero seeds are erased in the same transaction.
   */
  activate(groupId: string, epochId: Bytes, certificate: readonly Bytes[]): GroupPublic
  /**
   * Erases the shares of every epoch of the group that this certified epoch outranks, prepared ones too. The caller has checked the
   * retention condition (threshold.md 6.4). Returns the records of the erased epochs.
   */
  retire(groupId: string, epochId: Bytes): readonly GroupPublic[]
  /** All epochs of all groups. */
  list(): readonly GroupPublic[]
  /** The ACTIVE epoch; undefined if there is none. */
  active(groupId: string): GroupPublic | undefined
  /** Opens the secret part; the caller disposes its Secrets. Throws E-STO-020, -021 or -010, or if the record does not open. */
  open(groupId: string, epochId: Bytes): GroupSecret
  /** The secret part as encoded bytes (keys/groupCodec.ts) in a buffer of their own, which the caller wipes. Throws as `open`. */
  encodedSecret(groupId: string, epochId: Bytes): Bytes
}

export interface Ban {
  readonly groupId: string
  readonly epochId: Bytes
  readonly peer: PartyId
  readonly reason: string
  readonly sid: Bytes
  readonly bannedMs: number
}

export interface BanPort {
  /** One durable transaction: the ban, and the erasure of all OT state with that peer in that epoch (threshold.md 2.5). */
  add(ban: Ban): void
  list(): readonly Ban[]
  /** Peers with which this epoch can no longer run ECDSA: banned, or disabled after too many unproven checks. */
  unusable(groupId: string, epochId: Bytes): readonly PartyId[]
  /** True if ECDSA is stopped in this epoch until a refresh, with all peers: after a restore, rollback or import (rule 11). */
  awaitsRefresh(groupId: string, epochId: Bytes): boolean
  /** The highest number of unproven checks that any peer has in this epoch (rule 9). */
  hiddenVerdicts(groupId: string, epochId: Bytes): number
}

/** Misbehaviour in one session that was verified and is attributed to a peer (threshold.md 2.4). */
export interface Strike {
  readonly peer: PartyId
  readonly kind: "FAULT" | "EQUIV"
  readonly reason: string
  readonly sid: Bytes
  readonly taskId: string
  readonly atMs: number
  /** For EQUIV: the two statements (mpc/statement.ts) that prove it to anybody. Otherwise empty. */
  readonly evidence: readonly Bytes[]
}

export interface StrikePort {
  /** Records strikes in one durable transaction. */
  add(strikes: readonly Strike[]): void
  /** Peers with too many strikes since their last pardon: no task with them begins. */
  refused(): readonly PartyId[]
}

// ---- risk control and events -------------------------------------------------------------------------------------

export interface RiskPort {
  /** The decision of the embedded rules; pure. `group` is this node's own record of the task's group, if it has one. */
  evaluate(
    task: Task,
    group: GroupPublic | undefined,
    usage: Usage,
    nowMs: number,
    intents: Intents,
    /** The verified words of people on the task; absent if there are none. */
    presented?: Presented,
  ): Decision
  /**
   * Asks every callback server. The verdict is a rejection if one rejects or cannot be understood, or if the signal fires. Never throws.
   */
  ask(
    task: Task,
    group: GroupPublic | undefined,
    signal: AbortSignal,
    intents: Intents,
    words: readonly Word[],
  ): Promise<Verdict>
}

/** TSSStatus of formats.md 1.9. */
export type TaskStatus = 110 | 120 | 130 | 140 | 160 | 170 | 180 | 190

/** A change of a task's state, as it is reported to event servers. */
export interface TaskChange {
  readonly task: Task
  /** Absent before the task's payloads were read. */
  readonly intents?: Intents
  readonly status: TaskStatus
  readonly failedReason: string
  readonly outcome: TaskOutcome | undefined
  /** The approvals of people so far, or those that the task waits for, in words; absent if nobody is asked. */
  readonly approvals?: string
  readonly atMs: number
}

/** Makes the events of a change. They are written in the transaction that records the change. */
export type EventsFor = (change: TaskChange) => readonly OutboxEvent[]

// ---- the rest ----------------------------------------------------------------------------------------------------

/** A session as a task sees it. It runs on this thread or in a worker. */
export interface HostedSession {
  /** Never throws. An envelope that does not belong to the session is dropped. */
  deliver(envelope: Bytes): void
  cancel(reason: "deadline" | "cancelled"): void
  /** Never rejects. */
  readonly ending: Promise<Ending>
}

/** Starts a session. Takes over the secret bytes in `spec`: when it returns, they are transferred to another thread or overwritten. */
export type StartSession = (spec: EncodedSpec, io: HostIo) => HostedSession

/** Milliseconds since 1970. */
export type Clock = () => number

/** The clocks of this node and of WaaS differ more than limits and deadlines allow. */
export interface ClockOff {
  /** The clock of WaaS minus this node's clock. */
  readonly offsetMs: number
  readonly limitMs: number
}

/** A signal that fires at a moment of the wall clock, at once if it has passed. It never fires after the alarm was disposed. */
export interface Alarm extends Disposable {
  readonly signal: AbortSignal
}

export interface TaskPorts {
  readonly self: PartyId
  readonly journal: TaskPort
  readonly groups: GroupPort
  readonly bans: BanPort
  readonly strikes: StrikePort
  readonly freezes: FreezePort
  readonly risk: RiskPort
  readonly eventsFor: EventsFor
  readonly startSession: StartSession
  /** Passes a frame to the link. Best effort: important frames are repeated until WaaS has stored them. */
  readonly send: (frame: FromNode) => void
  /** Says that the frame being handled is a *task*, *start* or *cancel* of this task. Later frames about the task go to its sender. */
  readonly commanded: (taskId: string) => void
  readonly now: Clock
  /** Undefined while the clocks agree, and before they are compared. */
  readonly clockOff: () => ClockOff | undefined
  /** Evidence that this node's audit log went back, and from whom it came; undefined if there is none. */
  readonly logDoubt: () => { readonly from: string } | undefined
  readonly alarm: (atMs: number) => Alarm
  readonly log: Log
  /** Counts a task that was refused or put off without a record in the journal. `digest` is that of its document, hex. */
  readonly unrecorded: (type: TaskType, code: string, digest: string) => void
  readonly limits: TaskLimits
  /** Randomness for signatures without a session. */
  readonly rng: Rng
  /** Which paths of a secp256k1 group sign with which algorithm. */
  readonly pathRules: readonly PathRule[]
  /** The settings for reading payloads. */
  readonly intents: IntentSettings
}

export interface TaskLimits {
  /** The most tasks in progress at one time; further tasks are put off. */
  readonly openTasks: number
  /** The time limit of one signing attempt, ms. The task's deadline applies too. */
  readonly signSessionMs: number
  /** The same for key generation and resharing. */
  readonly setupSessionMs: number
  /** The most messages of one signing task. */
  readonly batch: number
  readonly journal: JournalBudget
}

/** How much the journal stores about tasks without a result (admission.ts). */
export interface JournalBudget {
  readonly refused: ByteRate
  readonly idle: ByteRate
}

interface ByteRate {
  /** The most bytes at once. */
  readonly burstBytes: number
  /** The most bytes per day in the long run. */
  readonly bytesPerDay: number
}
