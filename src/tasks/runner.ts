/**
 * Turns the frames of WaaS into executions of tasks: verifies what WaaS signed, claims each task once, and passes starts, cancels and
 * envelopes to the execution that they belong to (execution.ts).
 */
import { type Bytes, fromHex } from "../bytes.ts"
import { codeField, errorText } from "../errors.ts"
import { encodeGroupPublic } from "../keys/groupCodec.ts"
import type { PartyId } from "../keys/party.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { SignedDocument, ToNode } from "../wire/frames.ts"
import { MAX_RECORDS } from "../wire/framesCodec.ts"
import { type DocumentTag, decodeCancel, decodeStart, verifyDocument } from "../wire/signed.ts"
import { decodeTask, type Task, taskDigest } from "../wire/task.ts"
import { Admission } from "./admission.ts"
import { decideFirst } from "./admissionDecision.ts"
import { checkLocks } from "./checks.ts"
import { retireByCheckups } from "./checkups.ts"
import { storeFault, unlessSigned } from "./endings.ts"
import { TaskExecution } from "./execution.ts"
import { holdRefusal } from "./hold.ts"
import { certified } from "./kinds.ts"
import { refuse } from "./plan.ts"
import { isFinal, type TaskPorts, type TaskRecord } from "./ports.ts"
import { RateLimitedLog } from "./rateLimitedLog.ts"
import { reportOf } from "./report.ts"
import { succeed } from "./succession.ts"

export interface TaskRunner {
  /** Never throws. A frame that cannot be verified or decoded is logged and dropped. */
  onFrame(frame: ToNode): void
  /** Continues the tasks that an earlier run of this node left unfinished. Call once, before the first frame. */
  resume(): void
  /** A link came up: sends again, for tasks that `concerns` selects, reports that WaaS has not acknowledged, and what is awaited. */
  onOnline(concerns?: (taskId: string) => boolean): void
  /** The rules changed: tasks that wait for people ask the new rules and tell WaaS what is missing. */
  reconsider(): void
  /** A freeze began, or the audit log is in doubt: running attempts that this holds end. */
  frozen(): void
  /** Number of tasks in progress. */
  open(): number
  /** Suspends every execution and waits until their sessions have ended. The next start continues them from the journal. */
  stop(): Promise<void>
}

/** The latest deadline that is accepted, from now: until the deadline, a task's approval and record cannot go away. */
const MAX_AHEAD_MS = 31 * 86_400_000

/** The least time between two answers to a WaaS that asks for all groups, because an answer reads every record. */
const TELL_AGAIN_MS = 2_000

/** The most bytes of documents of all tasks in progress. */
const MAX_OPEN_BYTES = 64 * 1024 * 1024

/** Codes that put a task off instead of refusing it: missing approvals, a wrong clock. */
const NOT_NOW: readonly string[] = ["E-APR-004", "E-TSK-045"]

/** A task that is being decided before it is claimed. */
interface PendingDecision {
  readonly digest: string
  readonly stop: AbortController
  /** Never rejects. */
  readonly over: Promise<void>
}

/** Makes the runner. Nothing begins before `resume` or the first frame. `waasKey` may be a function, because the trusted key can change. */
export const createTasks = (waasKey: Bytes | (() => Bytes), ports: TaskPorts): TaskRunner =>
  new Runner(typeof waasKey === "function" ? waasKey : () => waasKey, ports)

class Runner implements TaskRunner {
  /** The current key: the operator may decide to trust another WaaS while the node runs. */
  readonly #waasKey: () => Bytes
  readonly #ports: TaskPorts
  readonly #executions = new Map<string, TaskExecution>()
  readonly #pending = new Map<string, PendingDecision>()
  readonly #locks = checkLocks()
  readonly #admission: Admission
  readonly #log: RateLimitedLog
  /** Bytes of the documents of all tasks in progress. Documents with payloads are large, and are stored until the task ends. */
  #openBytes = 0
  #stopping = false
  #toldGroupsMs = Number.NEGATIVE_INFINITY

  constructor(waasKey: () => Bytes, ports: TaskPorts) {
    this.#waasKey = waasKey
    this.#ports = ports
    this.#admission = new Admission(ports.limits.journal, ports.log, ports.now())
    this.#log = new RateLimitedLog(ports.log, ports.now)
  }

  onFrame(frame: ToNode): void {
    this.#guarded("a frame of WaaS was not acted upon", { kind: frame.kind }, () => this.#actOn(frame))
  }

  resume(): void {
    for (const record of this.#ports.journal.unfinished()) {
      if (isFinal(record.state)) continue
      const task = decodeTask(record.document)
      if ("problem" in task) this.#abandon(record, task.problem)
      else this.#begin(task, record)
    }
  }

  onOnline(concerns: (taskId: string) => boolean = () => true): void {
    this.#guarded("reports were not sent again", {}, () => {
      for (const record of this.#ports.journal.unfinished()) {
        const task = record.taskId
        const say = (): void => this.#ports.send(reportOf(record))
        if (concerns(task)) this.#guarded("a report was not sent again", { task }, say)
      }
    })
    for (const [taskId, execution] of this.#executions) if (concerns(taskId)) execution.reconsider()
  }

  reconsider(): void {
    for (const execution of this.#executions.values()) execution.reconsider()
  }

  frozen(): void {
    for (const execution of this.#executions.values()) execution.frozen()
  }

  open(): number {
    return this.#executions.size + this.#pending.size
  }

  async stop(): Promise<void> {
    this.#stopping = true
    const running = [...this.#executions.values()]
    for (const execution of running) execution.suspend()
    const tried = [...this.#pending.values()]
    for (const { stop } of tried) stop.abort("the node is stopping")
    await Promise.all([...running, ...tried].map(({ over }) => over))
  }

  /** The store may fail, for example on a full disk. WaaS repeats whatever still matters. */
  #guarded(what: string, fields: { readonly kind?: string; readonly task?: string }, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#log.say("error", what, { ...fields, ...codeField(error), error: errorText(error) })
    }
  }

  #actOn(frame: ToNode): void {
    switch (frame.kind) {
      case "task":
        return this.#onTask(frame.task)
      case "start":
        return this.#onStart(frame.start)
      case "cancel":
        return this.#onCancel(frame.cancel)
      case "envelope":
        return this.#executions.get(frame.taskId)?.deliver(frame.envelope)
      case "certificate":
        return this.#onCertificate(frame.taskId, frame.acks)
      case "succession":
        return this.#onSuccession(frame)
      case "checkups":
        return retireByCheckups(frame, this.#ports)
      case "approval":
        return this.#executions.get(frame.taskId)?.word(frame.signed)
      case "tellGroups":
        return this.#tellGroups()
      case "outcomeStored":
        return this.#delivered(frame.taskId)
      case "standing":
      case "peer":
        // The link handles `standing`, the daemon handles `peer`.
        return
    }
  }

  /** Sends the public records of active groups to a WaaS that lost its own. The link has checked that it holds the pinned key. */
  #tellGroups(): void {
    const { groups, now, send, log } = this.#ports
    if (now() < this.#toldGroupsMs + TELL_AGAIN_MS) return
    this.#toldGroupsMs = now()
    const records = groups.list().flatMap((group) => (group.status === "ACTIVE" ? [encodeGroupPublic(group)] : []))
    log.info("WaaS asked for the groups of this node", { groups: records.length })
    for (let at = 0; at === 0 || at < records.length; at += MAX_RECORDS) {
      send({ kind: "groups", records: records.slice(at, at + MAX_RECORDS), isLast: at + MAX_RECORDS >= records.length })
    }
  }

  // ---- tasks ---------------------------------------------------------------------------------------------------------

  #onTask(signed: SignedDocument): void {
    if (!this.#isVerified("waas/task", signed)) return
    const task = decodeTask(signed.document)
    if ("problem" in task) {
      return this.#log.say("error", "dropped a task", { ...refuse("E-TSK-003", { problem: task.problem }) })
    }
    this.#ports.commanded(task.task_id)
    const digest = taskDigest(signed.document)
    try {
      const known = this.#ports.journal.get(task.task_id)
      if (known !== undefined || !this.#isUnwelcome(task, signed, digest)) this.#claim(task, signed, digest)
    } catch (error) {
      // For example the disk is full. The task is put off, and WaaS learns at once that it need not wait for this node.
      this.#later(task, digest, storeFault(error))
      throw error
    }
  }

  /** Answers a new task without a claim if it must be put off, refused, or decided first. Returns true if it did. */
  #isUnwelcome(task: Task, signed: SignedDocument, digest: string): boolean {
    const { limits, now } = this.#ports
    const tried = this.#pending.get(task.task_id)
    const held = holdRefusal(task, this.#ports)
    if (tried !== undefined) {
      if (tried.digest !== digest) this.#refuseUnclaimed(task, digest, refuse("E-TSK-001", { taskId: task.task_id }))
    } else if (this.#stopping) {
      this.#later(task, digest, refuse("E-TSK-048", { why: "it is stopping" }))
    } else if (held !== undefined) {
      this.#later(task, digest, held)
    } else if (this.open() >= limits.openTasks) {
      this.#later(task, digest, refuse("E-TSK-017", { limit: limits.openTasks }))
    } else if (this.#openBytes + signed.document.length > MAX_OPEN_BYTES) {
      this.#later(task, digest, refuse("E-TSK-036", { limit: MAX_OPEN_BYTES }))
    } else if (task.deadline_ms > now() + MAX_AHEAD_MS) {
      this.#refuseUnclaimed(task, digest, refuse("E-TSK-032", { deadlineMs: task.deadline_ms }))
    } else {
      const admits = this.#admission.admits(now())
      if (admits === "claim") return false
      if (admits !== "decideFirst") this.#later(task, digest, admits)
      else this.#decideBeforeClaim(task, signed, digest)
    }
    return true
  }

  #claim(task: Task, signed: SignedDocument, digest: string, answered?: Verdict): void {
    const { journal, eventsFor, now, send } = this.#ports
    const nowMs = now()
    const claim = journal.claim({
      taskId: task.task_id,
      digest,
      type: task.type,
      document: signed.document,
      deadlineMs: task.deadline_ms,
      nowMs,
      events: eventsFor({ task, status: 110, failedReason: "", outcome: undefined, atMs: nowMs }),
    })
    if (claim.kind === "conflict") {
      return this.#refuseUnclaimed(task, digest, refuse("E-TSK-001", { taskId: task.task_id }))
    }
    send(reportOf(claim.record))
    this.#executions.get(task.task_id)?.reconsider()
    if (!this.#executions.has(task.task_id) && !isFinal(claim.record.state)) this.#begin(task, claim.record, answered)
  }

  #decideBeforeClaim(task: Task, signed: SignedDocument, digest: string): void {
    const stop = new AbortController()
    this.#openBytes += signed.document.length
    const done = (): void => {
      if (this.#pending.delete(task.task_id)) this.#openBytes -= signed.document.length
    }
    const over = decideFirst(task, this.#ports, stop.signal)
      .then((answer) => {
        done()
        if (this.#stopping) return // WaaS asks again after the next start of the node
        if ("action" in answer && answer.action === "approve") this.#claim(task, signed, digest, answer)
        else if (NOT_NOW.includes(answer.code)) this.#later(task, digest, answer)
        else this.#refuseUnclaimed(task, digest, answer)
      })
      .catch((error: unknown) => {
        done()
        this.#log.say("error", "a task could not be decided", { task: task.task_id, error: errorText(error) })
        this.#later(task, digest, storeFault(error))
      })
    this.#pending.set(task.task_id, { digest, stop, over })
  }

  /** Refuses a task without a record in the journal. Its id stays free, or keeps the document that it has. */
  #refuseUnclaimed(
    task: Task,
    digest: string,
    { code, reason }: { readonly code: string; readonly reason: string },
  ): void {
    this.#ports.unrecorded(task.type, code, digest)
    this.#log.say("warn", "refused a task", { task: task.task_id, code, reason })
    this.#ports.send({
      kind: "report",
      taskId: task.task_id,
      digest,
      type: task.type,
      status: 160,
      attempt: 0,
      approved: false,
      code,
      reason,
      outcome: undefined,
    })
  }

  /** Puts a task off: nothing is recorded, and WaaS may ask again (formats.md 12). */
  #later(task: Task, digest: string, { code, reason }: { readonly code: string; readonly reason: string }): void {
    this.#ports.unrecorded(task.type, code, digest)
    this.#log.say("warn", "took up no task", { task: task.task_id, code, reason })
    this.#ports.send({ kind: "later", taskId: task.task_id, digest, type: task.type, code, reason })
  }

  #begin(task: Task, record: TaskRecord, answered?: Verdict): void {
    if (this.#stopping) return // it is in the journal, so the next start continues it
    const onBan = (groupId: string, peer: PartyId): void =>
      this.#executions.forEach((other) => void other.banned(groupId, peer))
    const execution = new TaskExecution(task, record, this.#ports, this.#locks, onBan, answered)
    this.#executions.set(task.task_id, execution)
    this.#openBytes += record.document.length
    execution.over.then(() => {
      this.#executions.delete(task.task_id)
      this.#openBytes -= record.document.length
      this.#guarded("a record of the journal could not be read", { task: task.task_id }, () => {
        const last = this.#ports.journal.get(task.task_id)
        if (last !== undefined) this.#admission.ended(last)
      })
    })
  }

  /** Ends a task whose document this version cannot read any more, so that the node can go on with the others. */
  #abandon(record: TaskRecord, problem: string): void {
    const { log, journal, now } = this.#ports
    const why = refuse("E-TSK-003", { problem })
    log.error("a journalled task cannot be read any more", { task: record.taskId, ...why })
    journal
      .finish(record.taskId, unlessSigned(record, { state: "failed", ...why }), now(), [], undefined)
      .catch((error) => {
        log.error("the end of a task could not be recorded", { task: record.taskId, error: errorText(error) })
      })
  }

  // ---- what follows a task -------------------------------------------------------------------------------------------

  #onStart(signed: SignedDocument): void {
    if (!this.#isVerified("waas/start", signed)) return
    const start = decodeStart(signed.document)
    if ("problem" in start) return this.#log.say("error", "dropped a start that cannot be read", { ...start })
    this.#ports.commanded(start.task_id)
    const record = this.#recordFor(start.task_id, start.digest)
    if (record === undefined) return
    const execution = this.#executions.get(record.taskId)
    if (execution === undefined || isFinal(record.state)) this.#ports.send(reportOf(record))
    else execution.start(start.attempt, start.terms)
  }

  #onCancel(signed: SignedDocument): void {
    if (!this.#isVerified("waas/cancel", signed)) return
    const cancel = decodeCancel(signed.document)
    if ("problem" in cancel) return this.#log.say("error", "dropped a cancel that cannot be read", { ...cancel })
    this.#ports.commanded(cancel.task_id)
    const tried = this.#pending.get(cancel.task_id)
    if (tried?.digest === cancel.digest) return tried.stop.abort(cancel.reason)
    const record = this.#recordFor(cancel.task_id, cancel.digest)
    if (record === undefined) return
    const execution = this.#executions.get(record.taskId)
    if (execution === undefined || isFinal(record.state)) this.#ports.send(reportOf(record))
    else execution.cancel(cancel.reason)
  }

  #delivered(taskId: string): void {
    this.#ports.journal.delivered(taskId).catch((error) => {
      this.#log.say("error", "that WaaS has an outcome was not recorded", { task: taskId, error: errorText(error) })
    })
  }

  /** A certificate counts even after the task has ended on this node: a participant is bound by the ack that it sent. */
  #onCertificate(taskId: string, acks: readonly Bytes[]): void {
    const execution = this.#executions.get(taskId)
    if (execution !== undefined) return execution.certificate(acks)
    const record = this.#ports.journal.get(taskId)
    const task = record && decodeTask(record.document)
    if (task === undefined || "problem" in task || certified(task, acks, this.#ports) === undefined) return
    this.#ports.log.info("a prepared group was certified", { task: taskId })
  }

  /** Takes the news of an epoch, made perhaps without this node. An execution that waits for this result gets its certificate. */
  #onSuccession({ task: signed, attempt, outcome }: Extract<ToNode, { kind: "succession" }>): void {
    if (!this.#isVerified("waas/task", signed)) return
    const task = decodeTask(signed.document)
    if ("problem" in task || (task.type !== "KeyReshare" && task.type !== "KeyGen")) return
    const group = succeed(task, attempt, outcome, this.#ports)
    this.#executions.get(task.task_id)?.certificate(outcome.certificate.flatMap((ack) => fromHex(ack) ?? []))
    const told = group && { group: group.groupId, epoch: outcome.epoch_id, state: group.status }
    if (told !== undefined) this.#ports.log.info("an epoch was certified", told)
  }

  #isVerified(tag: DocumentTag, signed: SignedDocument): boolean {
    if (verifyDocument(this.#waasKey(), tag, signed)) return true
    const why = refuse("E-TSK-002", { what: tag })
    this.#log.say("error", "dropped a document that the pinned WaaS key did not sign", { ...why })
    return false
  }

  /** The journal's record of exactly that document. Otherwise logs that the command is dropped, and returns undefined. */
  #recordFor(taskId: string, digest: string): TaskRecord | undefined {
    const record = this.#ports.journal.get(taskId)
    if (record?.digest === digest) return record
    this.#log.say("warn", "dropped a command for a task that this node did not claim", { task: taskId })
    return undefined
  }
}
