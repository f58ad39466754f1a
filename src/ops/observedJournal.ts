/**
 * The journal as tasks use it, observed in one place. It reports each decision and each end once to the measurements, and each step
 * to the trace, with ids, states and rules. It does not report what did not become durable.
 */
import { toHex } from "../bytes.ts"
import type { Log, LogFields } from "../log.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { TaskPort, TaskRecord } from "../tasks/ports.ts"

interface JournalObserver {
  /** Called after each durable change of a task. */
  changed(taskId: string, isNew: boolean): void
  /** Once per task. */
  decided(verdict: Verdict): void
  /** Once per task: `record` is final. */
  ended(record: TaskRecord): void
}

export function observedJournal(port: TaskPort, observer: JournalObserver, log: Log): TaskPort {
  const step = (task: string, what: string, more: () => LogFields = () => ({}), isNew = false): void => {
    observer.changed(task, isNew)
    log.trace("task step", () => ({ task, step: what, ...more() }))
  }
  return {
    claim(task) {
      const claim = port.claim(task)
      const { kind } = claim
      step(task.taskId, "claimed", () => ({ type: task.type, digest: task.digest, claim: kind }), kind === "new")
      return claim
    },
    forsake: (taskId) => port.forsake(taskId),
    async approve(taskId, nowMs, decide, events) {
      // A task that was decided earlier keeps its verdict, and is not counted again.
      let isNew = false
      const decideOnce: typeof decide = (usage, isSpent) => {
        isNew = true
        return decide(usage, isSpent)
      }
      const record = await port.approve(taskId, nowMs, decideOnce, events)
      if (isNew && record.verdict !== undefined) observer.decided(record.verdict)
      if (isNew && record.state === "rejected") observer.ended(record)
      for (const { rule, outcome, reason } of record.verdict?.rules ?? []) {
        log.trace("rule evaluated", () => ({ task: taskId, rule, outcome, reason }))
      }
      step(taskId, "decided", () => endOf(record))
      return record
    },
    async startSession(row, nowMs, decide) {
      await port.startSession(row, nowMs, decide)
      step(row.taskId, "begun", () => ({ attempt: row.attempt, session: toHex(row.sid), group: row.groupId }))
    },
    async endSession(sid, how, nowMs, unproven) {
      await port.endSession(sid, how, nowMs, unproven)
      log.trace("session closed", () => ({ session: toHex(sid), how, unproven: unproven.length }))
    },
    async emitted(taskId, digest, nowMs) {
      await port.emitted(taskId, digest, nowMs)
      step(taskId, "emitted")
    },
    async finish(taskId, end, nowMs, events, closing) {
      const record = await port.finish(taskId, end, nowMs, events, closing)
      if (closing !== undefined)
        log.trace("session closed", () => ({ session: toHex(closing), how: "done", unproven: 0 }))
      observer.ended(record)
      step(taskId, "finished", () => ({ ...endOf(record), events: events.length }))
      return record
    },
    async delivered(taskId) {
      await port.delivered(taskId)
      step(taskId, "delivered")
    },
    get usage() {
      return port.usage
    },
    get: (taskId) => port.get(taskId),
    words: (taskId) => port.words(taskId),
    waits(taskId, missing, events) {
      port.waits(taskId, missing, events)
      observer.changed(taskId, false)
    },
    waitsFor: (taskId) => port.waitsFor(taskId),
    list: (filter) => port.list(filter),
    unfinished: () => port.unfinished(),
  }
}

const endOf = ({ state, code }: TaskRecord): LogFields => (code === "" ? { state } : { state, code })
