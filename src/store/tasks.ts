/**
 * The journal: every task that this node accepted, with its verdict, its sessions and its end. One record per task holds all of it,
 * including the debits of its approval, so counters and task states cannot diverge.
 */
import { isDeepStrictEqual } from "node:util"
import { type Bytes, equal, toHex, utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Debit, Decision, SpentWord, Usage } from "../policy/decision.ts"
import { RollingUsage } from "../policy/rollingUsage.ts"
import { consumed, decided, ended, shareLeaves } from "../tasks/audited.ts"
import {
  type Claim,
  type Finish,
  isFinal,
  type OutboxEvent,
  type SessionRow,
  type TaskPort,
  type TaskRecord,
} from "../tasks/ports.ts"
import { withoutPayloads } from "../wire/task.ts"
import type { Approvals } from "./approvals.ts"
import type { AuditLog } from "./auditLog.ts"
import type { Bans } from "./bans.ts"
import type { Outbox } from "./outbox.ts"
import { type Journal, SESSION, type StoredSession, TASK, type UnprovenChecks } from "./records.ts"
import { putBack, type StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** An approved task, with its session ids, is kept at least this long after its deadline, so that a replay is recognised. */
export const REPLAY_MS = 30 * 24 * 60 * 60 * 1000

/** The part of each task that stays in memory: enough to list and prune tasks and to find unfinished ones. */
interface Summary extends Pick<TaskRecord, "taskId" | "type" | "state" | "delivered" | "updatedMs" | "deadlineMs"> {
  readonly isApproved: boolean
}

/** Tasks that ended before these moments, ms since 1970, may be deleted. */
interface EndedBefore {
  readonly deliveredMs: number
  /** For approved tasks whose outcome WaaS has not acknowledged. */
  readonly undeliveredMs: number
  /** For tasks that were never approved. */
  readonly refusedMs: number
}

function isForgettable(task: Summary, { deliveredMs, undeliveredMs, refusedMs }: EndedBefore): boolean {
  if (!isFinal(task.state)) return false
  if (!task.isApproved) return task.updatedMs < refusedMs
  const beforeMs = task.delivered ? deliveredMs : undeliveredMs
  return task.updatedMs < beforeMs && task.deadlineMs + REPLAY_MS < beforeMs
}

/** The parts of a record that the journal reads at the start. */
export type Restored = Pick<Journal, "seq" | "debits" | "debitedMs"> & { readonly task: Summary }

export const summaryOf = (record: TaskRecord): Summary => {
  const { taskId, type, state, delivered, updatedMs, deadlineMs, verdict } = record
  return { taskId, type, state, delivered, updatedMs, deadlineMs, isApproved: verdict?.action === "approve" }
}

export type ClaimedTask = Parameters<TaskPort["claim"]>[0]

export class Tasks {
  readonly #vault: RecordVault
  readonly #outbox: Outbox
  readonly #approvals: Approvals
  readonly #bans: Bans
  readonly #audit: AuditLog
  readonly #usage = new RollingUsage()
  /** By task id, in the order of the claims. */
  readonly #summaries: Map<string, Summary> = new Map()
  #lastSeq = 0

  constructor(vault: RecordVault, outbox: Outbox, bans: Bans, audit: AuditLog, approvals: Approvals) {
    this.#approvals = approvals
    this.#vault = vault
    this.#outbox = outbox
    this.#bans = bans
    this.#audit = audit
  }

  get usage(): Usage {
    return this.#usage
  }

  /** Takes the records found at the start, in any order. */
  restore(found: readonly Restored[]): void {
    for (const { task, seq, debits, debitedMs } of [...found].sort((a, b) => a.seq - b.seq)) {
      this.#remember(task, seq)
      this.#usage.debit(task.taskId, debitedMs, debits)
    }
  }

  claim({ nowMs, events, ...task }: ClaimedTask): Claim {
    const known = this.get(task.taskId)
    if (known !== undefined) return { kind: known.digest === task.digest ? "known" : "conflict", record: known }
    const record = claimedRecord(task, nowMs)
    const seq = this.#lastSeq + 1
    this.#vault.transaction((tx) => {
      this.#put(tx, { record, seq, debits: [], debitedMs: 0, emitted: [], sids: [] })
      this.#outbox.enqueue(tx, events)
    })
    return { kind: "new", record }
  }

  approve(
    taskId: string,
    nowMs: number,
    decide: Parameters<TaskPort["approve"]>[2],
    events: Parameters<TaskPort["approve"]>[3],
  ): TaskRecord {
    return this.#vault.transaction((tx) => {
      const journal = this.#expect(taskId)
      if (journal.record.state !== "claimed") return journal.record
      const { verdict, debits, words = [] } = decide(this.#usage, (word) => this.#approvals.isSpent(word, taskId))
      const isApproved = verdict.action === "approve"
      const record: TaskRecord = {
        ...journal.record,
        document: isApproved ? journal.record.document : withoutPayloads(journal.record.document),
        state: isApproved ? "approved" : "rejected",
        updatedMs: nowMs,
        verdict,
        code: isApproved ? "" : verdict.code,
        reason: isApproved ? "" : verdict.reason,
      }
      this.#put(tx, { ...journal, record, debits: isApproved ? debits : [], debitedMs: nowMs })
      this.#outbox.enqueue(tx, events(verdict))
      this.#approvals.spend(tx, taskId, words)
      for (const word of words) this.#audit.append(tx, nowMs, consumed(taskId, word))
      this.#audit.append(tx, nowMs, decided(record, this.#audit.rules))
      if (isApproved) {
        tx.remember(
          () => this.#usage.debit(taskId, nowMs, debits),
          () => this.#usage.release(taskId, debits),
        )
      }
      return record
    })
  }

  startSession(row: SessionRow, nowMs: number, decide: (usage: Usage) => Decision): void {
    this.#vault.transaction((tx) => {
      const journal = this.#expect(row.taskId)
      const { state, attempt } = journal.record
      if (state !== "approved" && state !== "running" && state !== "emitted") throw wrongState(journal, "running")
      if (row.attempt <= attempt) throw new CosignerError("E-TSK-019", { attempt: row.attempt, highest: attempt })
      if (this.#vault.has(SESSION, row.sid)) throw new CosignerError("E-STO-024", { sid: toHex(row.sid) })
      const { verdict, debits: asked } = decide(this.#usage.without(row.taskId))
      if (verdict.action !== "approve") {
        throw new CosignerError("E-TSK-030", { code: verdict.code, reason: verdict.reason })
      }
      const debits = joined(journal.debits, asked)
      // Never earlier: a debit that moves into the past would leave its window too early.
      const debitedMs = Math.max(journal.debitedMs, nowMs)
      tx.put(SESSION, row.sid, { row, startedMs: nowMs, ended: undefined })
      tx.remember(
        () => this.#moveDebits(row.taskId, journal.debits, debits, debitedMs),
        () => this.#moveDebits(row.taskId, debits, journal.debits, journal.debitedMs),
      )
      this.#put(tx, {
        ...journal,
        debits,
        debitedMs,
        // Once a share has left, the task counts as signed; a further attempt must not hide that.
        record: {
          ...journal.record,
          state: state === "emitted" ? state : "running",
          attempt: row.attempt,
          updatedMs: nowMs,
        },
        sids: [...journal.sids, row.sid],
      })
    })
  }

  endSession(sid: Bytes, how: string, nowMs: number, unproven: readonly PartyId[]): void {
    this.#vault.transaction((tx) => {
      const session = this.#closeOpen(tx, sid, how, nowMs)
      if (session !== undefined && unproven.length > 0) {
        this.#bans.countUnproven(tx, { ...session.row, peers: unproven })
      }
    })
  }

  emitted(taskId: string, digest: Bytes, nowMs: number): void {
    this.#vault.transaction((tx) => {
      const journal = this.#expect(taskId)
      const { state } = journal.record
      if (state !== "running" && state !== "emitted") throw wrongState(journal, "emitted")
      if (journal.emitted.some((known) => equal(known, digest))) return
      this.#put(tx, {
        ...journal,
        record: { ...journal.record, state: "emitted", updatedMs: nowMs },
        emitted: [...journal.emitted, digest],
      })
      this.#audit.append(tx, nowMs, shareLeaves(journal.record, digest))
    })
  }

  finish(taskId: string, end: Finish, nowMs: number, events: readonly OutboxEvent[], closing?: Bytes): TaskRecord {
    return this.#vault.transaction((tx) => {
      if (closing !== undefined) this.#closeOpen(tx, closing, "done", nowMs)
      const journal = this.#expect(taskId)
      const { record, debits, emitted } = journal
      const final = endedAs(record, end, nowMs)
      if (isFinal(record.state)) {
        if (isDeepStrictEqual({ ...final, updatedMs: record.updatedMs }, record)) return record
        throw wrongState(journal, end.state)
      }
      if (end.state === "completed" && record.state === "claimed") throw wrongState(journal, end.state)
      const isReleased = end.state !== "completed" && emitted.length === 0
      this.#put(tx, { ...journal, record: final, debits: isReleased ? [] : debits })
      this.#outbox.enqueue(tx, events)
      this.#audit.append(tx, nowMs, ended(record, end, emitted))
      if (isReleased) {
        tx.remember(
          () => this.#usage.release(taskId, debits),
          () => this.#usage.debit(taskId, journal.debitedMs, debits),
        )
      }
      return final
    })
  }

  /** Records that WaaS has the outcome. Ignored for an unknown task (pruned since), and for one that has no outcome yet. */
  delivered(taskId: string): void {
    const summary = this.#summaries.get(taskId)
    if (summary === undefined || !isFinal(summary.state) || summary.delivered) return
    this.#vault.transaction((tx) => {
      const journal = this.#expect(taskId)
      this.#put(tx, { ...journal, record: { ...journal.record, delivered: true } })
    })
  }

  tell(events: readonly OutboxEvent[]): void {
    this.#vault.transaction((tx) => this.#outbox.enqueue(tx, events))
  }

  words(taskId: string): readonly SpentWord[] {
    return this.#approvals.of(taskId)
  }

  get(taskId: string): TaskRecord | undefined {
    return this.#vault.read(TASK, utf8(taskId))?.record
  }

  list(filter: Parameters<TaskPort["list"]>[0]): readonly TaskRecord[] {
    const { state, type, skip = 0, limit } = filter
    return [...this.#summaries.values()]
      .filter((task) => (state === undefined || task.state === state) && (type === undefined || task.type === type))
      .reverse()
      .slice(skip, skip + limit)
      .map((task) => this.#expect(task.taskId).record)
  }

  /** The ids of the tasks that were claimed last, oldest first. Decrypts no record. */
  newest(limit: number): readonly string[] {
    return [...this.#summaries.keys()].slice(-limit)
  }

  /** Decrypts no record. */
  has(taskId: string): boolean {
    return this.#summaries.has(taskId)
  }

  unfinished(): readonly TaskRecord[] {
    return [...this.#summaries.values()]
      .filter((task) => !isFinal(task.state) || !task.delivered)
      .map((task) => this.#expect(task.taskId).record)
  }

  /** When a task was last changed, ms since 1970; 0 if there is none. The current time is not before this. */
  get newestMs(): number {
    let newest = 0
    for (const { updatedMs } of this.#summaries.values()) newest = Math.max(newest, updatedMs)
    return newest
  }

  /**
   * Deletes at most `limit` tasks that ended long enough ago, with their sessions and debits. A task that was never approved has neither,
   * so it may come again as a new one. An approved task stays until REPLAY_MS after its deadline. No moment in `ended` may be in the
   * future. Returns the number of tasks; call again until it is 0.
   */
  prune(ended: EndedBefore, limit = 1000): number {
    const old = [...this.#summaries.values()].filter((task) => isForgettable(task, ended)).slice(0, limit)
    this.#vault.transaction((tx) => {
      for (const { taskId } of old) this.#forget(tx, this.#expect(taskId))
    })
    return old.length
  }

  /**
   * Closes the sessions that a crash cut off, and counts one unproven check against each peer of the ECDSA sessions among them. One is
   * enough: checks against one peer run one at a time, so a crash hides the verdict of at most one of them, however many sessions it
   * ended (threshold.md 2.5 rule 9). Returns the new counts.
   */
  recover(cutOff: readonly StoredSession[], nowMs: number): readonly UnprovenChecks[] {
    return this.#vault.transaction((tx) => {
      for (const session of cutOff) this.#close(tx, session, "crashed", nowMs)
      const epochs = Map.groupBy(
        cutOff.map(({ row }) => row).filter(({ ecdsa }) => ecdsa),
        ({ groupId, epochId }) => `${groupId} ${toHex(epochId)}`,
      )
      return [...epochs.values()].flatMap((rows) => {
        const peers = [...new Set(rows.flatMap((row) => row.peers))]
        return rows[0] === undefined ? [] : this.#bans.countUnproven(tx, { ...rows[0], peers })
      })
    })
  }

  /** Closes a session and returns it; undefined if it was closed already. */
  #closeOpen(tx: StoreTransaction, sid: Bytes, how: string, nowMs: number): StoredSession | undefined {
    const session = this.#vault.read(SESSION, sid)
    if (session === undefined) throw new CosignerError("E-STO-026", { what: "session", id: toHex(sid) })
    if (session.ended !== undefined) return undefined
    this.#close(tx, session, how, nowMs)
    return session
  }

  #close(tx: StoreTransaction, session: StoredSession, how: string, nowMs: number): void {
    tx.put(SESSION, session.row.sid, { ...session, ended: { how, atMs: nowMs } })
  }

  #put(tx: StoreTransaction, journal: Journal): void {
    tx.put(TASK, utf8(journal.record.taskId), journal)
    const { taskId } = journal.record
    const before = this.#summaries.get(taskId)
    tx.remember(
      () => this.#remember(summaryOf(journal.record), journal.seq),
      () => putBack(this.#summaries, taskId, before),
    )
  }

  #moveDebits(taskId: string, from: readonly Debit[], to: readonly Debit[], atMs: number): void {
    this.#usage.release(taskId, from)
    this.#usage.debit(taskId, atMs, to)
  }

  #forget(tx: StoreTransaction, { record, sids, debits, debitedMs }: Journal): void {
    tx.remove(TASK, utf8(record.taskId))
    this.#approvals.forget(tx, record.taskId)
    for (const sid of sids) tx.remove(SESSION, sid)
    tx.remember(
      () => {
        this.#summaries.delete(record.taskId)
        this.#usage.release(record.taskId, debits)
      },
      () => {
        this.#summaries.set(record.taskId, summaryOf(record))
        this.#usage.debit(record.taskId, debitedMs, debits)
      },
    )
  }

  #remember(task: Summary, seq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq)
    this.#summaries.set(task.taskId, task)
  }

  #expect(taskId: string): Journal {
    const journal = this.#vault.read(TASK, utf8(taskId))
    if (journal === undefined) throw new CosignerError("E-STO-026", { what: "task", id: taskId })
    return journal
  }
}

/** The first record of a task. */
export const claimedRecord = (task: Omit<ClaimedTask, "nowMs" | "events">, nowMs: number): TaskRecord => ({
  ...task,
  state: "claimed",
  attempt: 0,
  claimedMs: nowMs,
  updatedMs: nowMs,
  verdict: undefined,
  code: "",
  reason: "",
  outcome: undefined,
  delivered: false,
})

/** The debits that the rules ask for now, and earlier debits of counters that the rules do not name any more. */
const joined = (before: readonly Debit[], now: readonly Debit[]): readonly Debit[] => [
  ...before.filter((old) => !now.some(({ counter }) => counter === old.counter)),
  ...now,
]

const endedAs = (record: TaskRecord, end: Finish, nowMs: number): TaskRecord => ({
  ...record,
  // Large payloads are dropped: the journal keeps records for months, and a signed payload can be found on its chain.
  document: withoutPayloads(record.document),
  state: end.state,
  updatedMs: nowMs,
  code: end.state === "completed" ? "" : end.code,
  reason: end.state === "completed" ? "" : end.reason,
  outcome: end.state === "completed" ? end.outcome : undefined,
})

const wrongState = ({ record }: Journal, wanted: string): CosignerError =>
  new CosignerError("E-STO-025", { taskId: record.taskId, state: record.state, wanted })
