/**
 * Frames in, executions of tasks out: verifies what WaaS signed, claims each task once, and hands starts, cancels and
 * envelopes to the execution they belong to. What a task does is execution.ts's.
 */
import { type Bytes, fromHex } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { SignedDocument, ToNode } from "../wire/frames.ts"
import { type DocumentTag, decodeCancel, decodeStart, verifyDocument } from "../wire/signed.ts"
import { decodeTask, type Task, taskDigest } from "../wire/task.ts"
import { Admission } from "./admission.ts"
import { decideFirst } from "./admissionDecision.ts"
import { checkLocks } from "./checks.ts"
import { retireByCheckups } from "./checkups.ts"
import { unlessSigned } from "./endings.ts"
import { TaskExecution } from "./execution.ts"
import { certified } from "./kinds.ts"
import { refuse } from "./plan.ts"
import type { TaskPorts, TaskRecord } from "./ports.ts"
import { isFinal } from "./ports.ts"
import { RateLimitedLog } from "./rateLimitedLog.ts"
import { reportOf } from "./report.ts"
import { succeed } from "./succession.ts"

export interface Tasks {
  /** Never throws: what cannot be verified or read is logged and dropped. */
  onFrame(frame: ToNode): void
  /** Takes up what an earlier run of this node left unfinished. Once, before the first frame. */
  resume(): void
  /** The link is up: reports that WaaS has not acknowledged are sent again. */
  onOnline(): void
  /** Tasks in progress. */
  open(): number
  /** Suspends every execution and waits for their sessions to end; the journal carries them over to the next start. */
  stop(): Promise<void>
}

/** The longest a task may stay open: until its deadline has passed, neither its approval nor its record goes away. */
const MAX_AHEAD_MS = 31 * 86_400_000

/** A task that is being decided before it is claimed. */
interface PendingDecision {
  readonly digest: string
  readonly stop: AbortController
  /** Never rejects. */
  readonly over: Promise<void>
}

export function createTasks(waasKey: Bytes, ports: TaskPorts): Tasks {
  const executions = new Map<string, TaskExecution>()
  const pendingDecisions = new Map<string, PendingDecision>()
  const locks = checkLocks()
  const admission = new Admission(ports.limits.journal, ports.log, ports.now())
  const rateLimitedLog = new RateLimitedLog(ports.log, ports.now)
  let stopping = false

  function begin(task: Task, record: TaskRecord, answered?: Verdict): void {
    if (stopping) return // it is in the journal, and the next start takes it up
    const onBan = (groupId: string, peer: PartyId): void => {
      for (const other of executions.values()) other.banned(groupId, peer)
    }
    const execution = new TaskExecution(task, record, ports, locks, onBan, answered)
    executions.set(task.task_id, execution)
    execution.over.then(() => {
      executions.delete(task.task_id)
      account(task.task_id)
    })
  }

  function account(taskId: string): void {
    try {
      const last = ports.journal.get(taskId)
      if (last !== undefined) admission.ended(last)
    } catch (error) {
      rateLimitedLog.say("error", "a record of the journal could not be read", {
        task: taskId,
        error: errorText(error),
      })
    }
  }

  function verified(tag: DocumentTag, signed: SignedDocument): boolean {
    if (verifyDocument(waasKey, tag, signed)) return true
    const why = refuse("E-TSK-002", { what: tag })
    rateLimitedLog.say("error", "dropped a document that the pinned WaaS key did not sign", { ...why })
    return false
  }

  function onTask(signed: SignedDocument): void {
    if (!verified("waas/task", signed)) return
    const decoded = decodeTask(signed.document)
    if ("problem" in decoded) {
      return rateLimitedLog.say("error", "dropped a task", { ...refuse("E-TSK-003", { problem: decoded.problem }) })
    }
    const task = decoded
    const digest = taskDigest(signed.document)
    const known = ports.journal.get(task.task_id)
    if (known !== undefined || !isUnwelcome(task, signed, digest)) claim(task, signed, digest)
  }

  /** Whether a task that is new here is dealt with otherwise than by a claim. */
  function isUnwelcome(task: Task, signed: SignedDocument, digest: string): boolean {
    const { openTasks } = ports.limits
    const tried = pendingDecisions.get(task.task_id)
    if (tried !== undefined) {
      if (tried.digest !== digest) refuseUnclaimed(task, digest, refuse("E-TSK-001", { taskId: task.task_id }))
    } else if (executions.size + pendingDecisions.size >= openTasks) {
      refuseUnclaimed(task, digest, refuse("E-TSK-017", { limit: openTasks }))
    } else if (task.deadline_ms > ports.now() + MAX_AHEAD_MS) {
      refuseUnclaimed(task, digest, refuse("E-TSK-032", { deadlineMs: task.deadline_ms }))
    } else {
      const admits = admission.admits(ports.now())
      if (admits === "claim") return false
      if (admits !== "decideFirst") refuseUnclaimed(task, digest, admits)
      else if (!stopping) decideBeforeClaim(task, signed, digest)
    }
    return true
  }

  function claim(task: Task, signed: SignedDocument, digest: string, answered?: Verdict): void {
    const nowMs = ports.now()
    const claim = ports.journal.claim({
      taskId: task.task_id,
      digest,
      type: task.type,
      document: signed.document,
      deadlineMs: task.deadline_ms,
      nowMs,
      events: ports.eventsFor({ task, status: 110, failedReason: "", outcome: undefined, atMs: nowMs }),
    })
    if (claim.kind === "conflict") return refuseUnclaimed(task, digest, refuse("E-TSK-001", { taskId: task.task_id }))
    ports.send(reportOf(claim.record))
    if (!executions.has(task.task_id) && !isFinal(claim.record.state)) begin(task, claim.record, answered)
  }

  function decideBeforeClaim(task: Task, signed: SignedDocument, digest: string): void {
    const stop = new AbortController()
    const over = decideFirst(task, ports, stop.signal)
      .then((answer) => {
        pendingDecisions.delete(task.task_id)
        if (stopping) return // WaaS asks again after the next start
        if ("action" in answer && answer.action === "approve") claim(task, signed, digest, answer)
        else refuseUnclaimed(task, digest, answer)
      })
      .catch((error: unknown) => {
        pendingDecisions.delete(task.task_id)
        rateLimitedLog.say("error", "a task could not be decided", { task: task.task_id, error: errorText(error) })
      })
    pendingDecisions.set(task.task_id, { digest, stop, over })
  }

  /** Answers without a trace in the journal: the task was not taken up, and the id keeps its earlier meaning. */
  function refuseUnclaimed(
    task: Task,
    digest: string,
    { code, reason }: { readonly code: string; readonly reason: string },
  ): void {
    ports.unrecorded(task.type, code)
    rateLimitedLog.say("warn", "refused a task", { task: task.task_id, code, reason })
    ports.send({
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

  function onStart(signed: SignedDocument): void {
    if (!verified("waas/start", signed)) return
    const start = decodeStart(signed.document)
    if ("problem" in start) return rateLimitedLog.say("error", "dropped a start that cannot be read", { ...start })
    const record = recordFor(start.task_id, start.digest)
    if (record === undefined) return
    const execution = executions.get(record.taskId)
    if (execution === undefined || isFinal(record.state)) ports.send(reportOf(record))
    else execution.start(start.attempt)
  }

  function onCancel(signed: SignedDocument): void {
    if (!verified("waas/cancel", signed)) return
    const cancel = decodeCancel(signed.document)
    if ("problem" in cancel) return rateLimitedLog.say("error", "dropped a cancel that cannot be read", { ...cancel })
    const tried = pendingDecisions.get(cancel.task_id)
    if (tried?.digest === cancel.digest) return tried.stop.abort(cancel.reason)
    const record = recordFor(cancel.task_id, cancel.digest)
    if (record === undefined) return
    const execution = executions.get(record.taskId)
    if (execution === undefined || isFinal(record.state)) ports.send(reportOf(record))
    else execution.cancel(cancel.reason)
  }

  /** A certificate counts even after the task has ended here: every participant promised the group when it acked. */
  function onCertificate(taskId: string, acks: readonly Bytes[]): void {
    const execution = executions.get(taskId)
    if (execution !== undefined) return execution.certificate(acks)
    const record = ports.journal.get(taskId)
    const task = record && decodeTask(record.document)
    if (task === undefined || "problem" in task) return
    if (certified(task, acks, ports) !== undefined) ports.log.info("a prepared group was certified", { task: taskId })
  }

  /** Tells a node how a group went on, whether or not it took part; a execution that still waits for this result takes it. */
  function onSuccession({ task: signed, attempt, outcome }: Extract<ToNode, { kind: "succession" }>): void {
    if (!verified("waas/task", signed)) return
    const task = decodeTask(signed.document)
    if ("problem" in task || (task.type !== "KeyReshare" && task.type !== "KeyGen")) return
    const group = succeed(task, attempt, outcome, ports)
    executions.get(task.task_id)?.certificate(outcome.certificate.flatMap((ack) => fromHex(ack) ?? []))
    if (group === undefined) return
    ports.log.info("an epoch was certified", { group: group.groupId, epoch: outcome.epoch_id, state: group.status })
  }

  /** The journal's record of exactly that document; anything else is logged and dropped. */
  function recordFor(taskId: string, digest: string): TaskRecord | undefined {
    const record = ports.journal.get(taskId)
    if (record?.digest === digest) return record
    rateLimitedLog.say("warn", "dropped a command for a task that this node did not claim", { task: taskId })
    return undefined
  }

  function action(frame: ToNode): void {
    switch (frame.kind) {
      case "task":
        return onTask(frame.task)
      case "start":
        return onStart(frame.start)
      case "cancel":
        return onCancel(frame.cancel)
      case "envelope":
        return executions.get(frame.taskId)?.deliver(frame.envelope)
      case "certificate":
        return onCertificate(frame.taskId, frame.acks)
      case "succession":
        return onSuccession(frame)
      case "checkups":
        return retireByCheckups(frame, ports)
      case "outcomeStored":
        return ports.journal.delivered(frame.taskId)
    }
  }

  /** A document that this version no longer reads: the task ends, and the node goes on with the others. */
  function abandon(record: TaskRecord, problem: string): void {
    const why = refuse("E-TSK-003", { problem })
    ports.log.error("a journalled task cannot be read any more", { task: record.taskId, ...why })
    ports.journal.finish(record.taskId, unlessSigned(record, { state: "failed", ...why }), ports.now(), [])
  }

  return {
    onFrame(frame) {
      try {
        action(frame)
      } catch (error) {
        // The store cannot write, say. Whatever WaaS said it says again, as long as it still matters.
        rateLimitedLog.say("error", "a frame of WaaS was not acted upon", { kind: frame.kind, error: errorText(error) })
      }
    },
    resume() {
      for (const record of ports.journal.unfinished()) {
        if (isFinal(record.state)) continue
        const task = decodeTask(record.document)
        if ("problem" in task) abandon(record, task.problem)
        else begin(task, record)
      }
    },
    onOnline() {
      for (const record of ports.journal.unfinished()) ports.send(reportOf(record))
    },
    open: () => executions.size + pendingDecisions.size,
    async stop() {
      stopping = true
      const running = [...executions.values()]
      for (const execution of running) execution.suspend()
      const tried = [...pendingDecisions.values()]
      for (const { stop } of tried) stop.abort("the node goes down")
      await Promise.all([...running, ...tried].map(({ over }) => over))
    },
  }
}
