/**
 * Frames in, courses of tasks out: verifies what WaaS signed, claims each task once, and hands starts, cancels and
 * envelopes to the course they belong to. What a task does is course.ts's.
 */
import { type Bytes, fromHex } from "../bytes.ts"
import type { SignedDocument, ToNode } from "../wire/frames.ts"
import { type DocumentTag, decodeCancel, decodeStart, verifyDocument } from "../wire/signed.ts"
import { decodeTask, type Task, taskDigest } from "../wire/task.ts"
import { checkLocks } from "./checks.ts"
import { retireByCheckups } from "./checkups.ts"
import { Course, textOf } from "./course.ts"
import { certified } from "./kinds.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts, TaskRecord } from "./ports.ts"
import { isFinal, reportOf } from "./report.ts"
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
  /** Suspends every course and waits for their sessions to end; the journal carries them over to the next start. */
  stop(): Promise<void>
}

export function createTasks(waasKey: Bytes, ports: TaskPorts): Tasks {
  const courses = new Map<string, Course>()
  const locks = checkLocks()
  let stopping = false

  function begin(task: Task, record: TaskRecord): void {
    if (stopping) return // it is in the journal, and the next start takes it up
    const course = new Course(task, record, ports, locks, (groupId, peer) => {
      for (const other of courses.values()) other.banned(groupId, peer)
    })
    courses.set(task.task_id, course)
    course.over.finally(() => courses.delete(task.task_id))
  }

  function verified(tag: DocumentTag, signed: SignedDocument): boolean {
    if (verifyDocument(waasKey, tag, signed)) return true
    ports.log.error("dropped a document that the pinned WaaS key did not sign", {
      ...refuse("E-TSK-002", { what: tag }),
    })
    return false
  }

  function onTask(signed: SignedDocument): void {
    if (!verified("waas/task", signed)) return
    const decoded = decodeTask(signed.document)
    if ("problem" in decoded) {
      return ports.log.error("dropped a task", { ...refuse("E-TSK-003", { problem: decoded.problem }) })
    }
    const task = decoded
    const digest = taskDigest(signed.document)
    const known = ports.journal.get(task.task_id)
    if (known === undefined && courses.size >= ports.limits.openTasks) {
      return refuseUnclaimed(task, digest, refuse("E-TSK-017", { limit: ports.limits.openTasks }))
    }
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
    if (!courses.has(task.task_id) && !isFinal(claim.record.state)) begin(task, claim.record)
  }

  /** Answers without a trace in the journal: the task was not taken up, and the id keeps its earlier meaning. */
  function refuseUnclaimed(task: Task, digest: string, why: Refusal): void {
    ports.log.warn("refused a task", { task: task.task_id, ...why })
    ports.send({
      kind: "report",
      taskId: task.task_id,
      digest,
      type: task.type,
      status: 160,
      attempt: 0,
      approved: false,
      code: why.code,
      reason: why.reason,
      outcome: undefined,
    })
  }

  function onStart(signed: SignedDocument): void {
    if (!verified("waas/start", signed)) return
    const start = decodeStart(signed.document)
    if ("problem" in start) return ports.log.error("dropped a start that cannot be read", { ...start })
    const record = recordFor(start.task_id, start.digest)
    if (record === undefined) return
    const course = courses.get(record.taskId)
    if (course === undefined || isFinal(record.state)) ports.send(reportOf(record))
    else course.start(start.attempt)
  }

  function onCancel(signed: SignedDocument): void {
    if (!verified("waas/cancel", signed)) return
    const cancel = decodeCancel(signed.document)
    if ("problem" in cancel) return ports.log.error("dropped a cancel that cannot be read", { ...cancel })
    const record = recordFor(cancel.task_id, cancel.digest)
    if (record === undefined) return
    const course = courses.get(record.taskId)
    if (course === undefined || isFinal(record.state)) ports.send(reportOf(record))
    else course.cancel(cancel.reason)
  }

  /** A certificate counts even after the task has ended here: every participant promised the group when it acked. */
  function onCertificate(taskId: string, acks: readonly Bytes[]): void {
    const course = courses.get(taskId)
    if (course !== undefined) return course.certificate(acks)
    const record = ports.journal.get(taskId)
    const task = record && decodeTask(record.document)
    if (task === undefined || "problem" in task) return
    if (certified(task, acks, ports) !== undefined) ports.log.info("a prepared group was certified", { task: taskId })
  }

  /** Tells a node how a group went on, whether or not it took part; a course that still waits for this result takes it. */
  function onSuccession({ task: signed, attempt, outcome }: Extract<ToNode, { kind: "succession" }>): void {
    if (!verified("waas/task", signed)) return
    const task = decodeTask(signed.document)
    if ("problem" in task || (task.type !== "KeyReshare" && task.type !== "KeyGen")) return
    const course = courses.get(task.task_id)
    if (course !== undefined) return course.certificate(outcome.certificate.flatMap((ack) => fromHex(ack) ?? []))
    const group = succeed(task, attempt, outcome, ports)
    if (group === undefined) return
    ports.log.info("a reshare was certified", { group: group.groupId, epoch: outcome.epoch_id, state: group.status })
  }

  /** The journal's record of exactly that document; anything else is logged and dropped. */
  function recordFor(taskId: string, digest: string): TaskRecord | undefined {
    const record = ports.journal.get(taskId)
    if (record?.digest === digest) return record
    ports.log.warn("dropped a command for a task that this node did not claim", { task: taskId })
    return undefined
  }

  function act(frame: ToNode): void {
    switch (frame.kind) {
      case "task":
        return onTask(frame.task)
      case "start":
        return onStart(frame.start)
      case "cancel":
        return onCancel(frame.cancel)
      case "envelope":
        return courses.get(frame.taskId)?.deliver(frame.envelope)
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
    ports.journal.finish(record.taskId, { state: "failed", ...why }, ports.now(), [])
  }

  return {
    onFrame(frame) {
      try {
        act(frame)
      } catch (error) {
        // The store cannot write, say. Whatever WaaS said it says again, as long as it still matters.
        ports.log.error("a frame of WaaS was not acted upon", { kind: frame.kind, error: textOf(error) })
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
    open: () => courses.size,
    async stop() {
      stopping = true
      const running = [...courses.values()]
      for (const course of running) course.suspend()
      await Promise.all(running.map((course) => course.over))
    },
  }
}
