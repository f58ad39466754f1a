/**
 * Everything a task may do to the world, as types of functions. The daemon wires the real ones, tests wire Maps.
 * What a store function says it recorded survives a power cut: when it returns, or when what it returns resolves.
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
 * running: a session was started. emitted: a signature share left the node. The rest are final.
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
  /** The highest attempt ever started here; 0 before the first. */
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
  /** The id was used for another document: refused, and the first one stands. */
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
  /** ECDSA sessions alone count for the rule of unproven checks (threshold.md 2.5 rule 9). */
  readonly ecdsa: boolean
}

/** Promises resolve when the step is durable, and reject when nothing of it is. Steps run in the order in which they are asked for. */
export interface TaskPort {
  /**
   * Takes effect at once; becomes durable with the task's next step or before. Nobody may rely on it until then: if a crash loses it,
   * the task comes again as a new one.
   */
  claim(task: {
    readonly taskId: string
    readonly digest: string
    readonly type: TaskType
    readonly document: Bytes
    readonly deadlineMs: number
    readonly nowMs: number
    /** Written in the same transaction, when the claim is new. */
    readonly events: readonly OutboxEvent[]
  }): Claim
  /** Takes a claim back that is not durable yet; false if it is, or if there is none. */
  forsake(taskId: string): boolean
  /**
   * Reads the usage, decides, debits, consumes the words of people and writes the verdict in one transaction. Only from state
   * claimed: an approved or final task keeps its verdict, which is returned. The task becomes approved or rejected. `isSpent` says
   * of a nonce whether another task consumed it.
   */
  approve(
    taskId: string,
    nowMs: number,
    decide: (usage: Usage, isSpent: IsSpent) => Decision,
    events: (verdict: Verdict) => readonly OutboxEvent[],
  ): Promise<TaskRecord>
  /**
   * Inserts the session as running. Refused (E-TSK-…) for a known sid or an attempt not above every earlier one.
   * In the same transaction `decide` is asked again, over the usage of all other tasks: what the approval debited now counts
   * from this moment, because now is when it signs. Throws E-TSK-030 where it no longer approves; nothing has changed then.
   */
  startSession(row: SessionRow, nowMs: number, decide: (usage: Usage) => Decision): Promise<void>
  /**
   * Closes the session row in whatever orderly way it ended, and in the same transaction counts one unproven check against
   * each of `unproven`: peers with a check that began and whose verdict nobody saw (threshold.md 2.5 rule 9). A second end of a
   * session changes nothing.
   */
  endSession(sid: Bytes, how: string, nowMs: number, unproven: readonly PartyId[]): Promise<void>
  /** A share of a signature is about to leave: durable before it does. */
  emitted(taskId: string, digest: Bytes, nowMs: number): Promise<void>
  /**
   * Final state, once: a second call with another ending is a bug and throws. Releases debits when nothing was emitted and the task
   * did not complete. In the same transaction the session that brought the end is closed: one that is found open at a start counts as crashed.
   */
  finish(
    taskId: string,
    end: Finish,
    nowMs: number,
    events: readonly OutboxEvent[],
    closing: Bytes | undefined,
  ): Promise<TaskRecord>
  /** Written with a later commit. If a crash loses it, the outcome is reported once more. */
  delivered(taskId: string): Promise<void>
  /** The counters as they stand, for a first look before callback servers are asked; approve() reads them again. */
  readonly usage: Usage
  get(taskId: string): TaskRecord | undefined
  /**
   * What a task that is not decided waits for, in words for people; empty: for nothing. In memory alone, but for the events, which are
   * written soon: should the store not take them, the task still waits, and says so again.
   */
  waits(taskId: string, missing: string, events: readonly OutboxEvent[]): void
  waitsFor(taskId: string): string
  /** What of people's words the verdict on a task consumed, each with its signature; none where there was nothing to consume. */
  words(taskId: string): readonly SpentWord[]
  /** Newest first; `skip` of them left out before `limit` are taken. */
  list(filter: {
    readonly state?: TaskState
    readonly type?: TaskType
    readonly skip?: number
    readonly limit: number
  }): readonly TaskRecord[]
  /** Tasks not final, and final ones that WaaS has not acknowledged; oldest first. */
  unfinished(): readonly TaskRecord[]
}

// ---- groups ------------------------------------------------------------------------------------------------------

export interface GroupPort {
  /** PREPARED, complete, durable. The same (group, epoch) twice is a bug unless the bytes are equal. */
  prepare(group: GroupPublic, secret: GroupSecret): void
  /** The same promise by a node that deals to the epoch and is no member of it: the public record, ERASED from the start. */
  acknowledge(group: GroupPublic): void
  /**
   * Stores the certificate, which the caller has verified. Of all certified epochs of a group the one of highest rank
   * (createdMs, epochId) ends the others, in whatever order they come: it is ACTIVE where this node has a share of it, lower
   * ones are SUPERSEDED, and their OT state and zero seeds are erased in the same transaction.
   */
  activate(groupId: string, epochId: Bytes, certificate: readonly Bytes[]): GroupPublic
  /**
   * The retention condition is met under that certified epoch (threshold.md 6.4): shares of every epoch of its group that it
   * outranks are erased, prepared ones too. Returns those records.
   */
  retire(groupId: string, epochId: Bytes): readonly GroupPublic[]
  /** All epochs of all groups. */
  list(): readonly GroupPublic[]
  /** The ACTIVE epoch, if there is one. */
  active(groupId: string): GroupPublic | undefined
  /** Opens the secret part; the caller disposes its Secrets. Throws if the record is missing, erased or does not open. */
  open(groupId: string, epochId: Bytes): GroupSecret
  /** The same as the bytes that the store holds (keys/groupCodec.ts), not decoded: in a buffer of their own, the caller's to wipe. */
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
  /** Peers this epoch can no longer run ECDSA with: banned, or disabled after too many unproven checks. */
  unusable(groupId: string, epochId: Bytes): readonly PartyId[]
  /** Whether ECDSA waits in this epoch for a refresh, with everybody: after a restore or a rollback (rule 11). */
  awaitsRefresh(groupId: string, epochId: Bytes): boolean
  /** Unproven checks of the peer that has most of them in this epoch (rule 9). */
  hiddenVerdicts(groupId: string, epochId: Bytes): number
}

/** Misbehaviour of a peer in one session that could be checked and named it (threshold.md 2.4). */
export interface Strike {
  readonly peer: PartyId
  readonly kind: "FAULT" | "EQUIV"
  readonly reason: string
  readonly sid: Bytes
  readonly taskId: string
  readonly atMs: number
  /** Of EQUIV: the two statements (mpc/statement.ts) that prove it to anybody. Otherwise empty. */
  readonly evidence: readonly Bytes[]
}

export interface StrikePort {
  /** One durable transaction. */
  add(strikes: readonly Strike[]): void
  /** Peers with so many strikes since their last pardon that no task with them is begun. */
  refused(): readonly PartyId[]
}

// ---- risk control and events -------------------------------------------------------------------------------------

export interface RiskPort {
  /** The embedded rules; pure. `group` is this node's own record of the group that the task is about, if it has one. */
  evaluate(
    task: Task,
    group: GroupPublic | undefined,
    usage: Usage,
    nowMs: number,
    intents: Intents,
    /** What people said of the task, verified; left out, nobody said anything. */
    presented?: Presented,
  ): Decision
  /** Every callback server; rejects when any does, or cannot be understood, or when the signal fires. Never throws. */
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

/** A change of a task's state as event servers are told of it. */
export interface TaskChange {
  readonly task: Task
  /** Absent before the task's payloads were read. */
  readonly intents?: Intents
  readonly status: TaskStatus
  readonly failedReason: string
  readonly outcome: TaskOutcome | undefined
  /** What people said of it, or are waited for, in words; absent where nobody is asked. */
  readonly approvals?: string
  readonly atMs: number
}

/** The events of a change; they are written in the transaction that records it. */
export type EventsFor = (change: TaskChange) => readonly OutboxEvent[]

// ---- the rest ----------------------------------------------------------------------------------------------------

/** A session as a task sees it: begun somewhere, here or in a worker. */
export interface HostedSession {
  /** Never throws: what does not belong to the session is dropped. */
  deliver(envelope: Bytes): void
  cancel(reason: "deadline" | "cancelled"): void
  /** Never rejects. */
  readonly ending: Promise<Ending>
}

/** Takes the secret bytes of the specification over: they are another thread's or overwritten when it returns. */
export type StartSession = (spec: EncodedSpec, io: HostIo) => HostedSession

/** Milliseconds since 1970. */
export type Clock = () => number

/** This clock and WaaS's are further apart than limits and deadlines allow. */
export interface ClockOff {
  /** Clock of WaaS minus ours. */
  readonly offsetMs: number
  readonly limitMs: number
}

/** The signal fires at a moment of the wall clock, at once if that has passed, and never after the alarm was disposed. */
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
  /** Hands a frame to the link. Best effort: what matters is repeated until WaaS has stored it. */
  readonly send: (frame: FromNode) => void
  /** The frame that is being handled is a *task*, *start* or *cancel* of this task: what is sent about it from now on is for its sender. */
  readonly commanded: (taskId: string) => void
  readonly now: Clock
  /** Undefined while the clocks agree, and before they were compared. */
  readonly clockOff: () => ClockOff | undefined
  /** Somebody has a checkpoint of this node's log that contradicts it. */
  readonly logDoubt: () => { readonly from: string } | undefined
  readonly alarm: (atMs: number) => Alarm
  readonly log: Log
  /** A task was refused without a record in the journal; to be counted. `digest`: of its document, hex. */
  readonly unrecorded: (type: TaskType, code: string, digest: string) => void
  readonly limits: TaskLimits
  /** For what is signed without a session. */
  readonly rng: Rng
  /** Which paths of a secp256k1 group sign with which algorithm. */
  readonly pathRules: readonly PathRule[]
  /** How payloads are read. */
  readonly intents: IntentSettings
}

export interface TaskLimits {
  /** Tasks neither final nor refused at one time; more are refused with a code. */
  readonly openTasks: number
  /** The longest one attempt of a signature may take, ms; the task's own deadline also holds. */
  readonly signSessionMs: number
  /** The same for key generation and resharing. */
  readonly setupSessionMs: number
  /** Messages of one signing session. */
  readonly batch: number
  readonly journal: JournalBudget
}

/** What the journal takes in of tasks that come to nothing (admission.ts). */
export interface JournalBudget {
  readonly refused: ByteRate
  readonly idle: ByteRate
}

interface ByteRate {
  /** What may come at once, after quiet days. */
  readonly burstBytes: number
  /** What may come in the long run. */
  readonly bytesPerDay: number
}
