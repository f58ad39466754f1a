/** The journal as tasks use it, with every step of a task told to the trace as it is taken: ids, states, rules. */
import { toHex } from "../../bytes.ts"
import type { Log, LogFields } from "../../log.ts"
import type { TaskPort, TaskRecord } from "../../tasks/ports.ts"

export function tracedJournal(port: TaskPort, log: Log): TaskPort {
  const step = (task: string, what: string, more: () => LogFields = () => ({})): void =>
    log.trace("task step", () => ({ task, step: what, ...more() }))
  return {
    claim(task) {
      const claim = port.claim(task)
      step(task.taskId, "claimed", () => ({ type: task.type, digest: task.digest, claim: claim.kind }))
      return claim
    },
    approve(taskId, nowMs, decide, events) {
      const record = port.approve(taskId, nowMs, decide, events)
      for (const { rule, outcome, reason } of record.verdict?.rules ?? []) {
        log.trace("rule evaluated", () => ({ task: taskId, rule, outcome, reason }))
      }
      step(taskId, "decided", () => endOf(record))
      return record
    },
    startSession(...begun) {
      port.startSession(...begun)
      const [row] = begun
      step(row.taskId, "begun", () => ({ attempt: row.attempt, session: toHex(row.sid), group: row.groupId }))
    },
    endSession(sid, how, nowMs, unproven) {
      port.endSession(sid, how, nowMs, unproven)
      log.trace("session closed", () => ({ session: toHex(sid), how, unproven: unproven.length }))
    },
    emitted(taskId, digest, nowMs) {
      port.emitted(taskId, digest, nowMs)
      step(taskId, "emitted")
    },
    finish(taskId, end, nowMs, events) {
      const record = port.finish(taskId, end, nowMs, events)
      step(taskId, "finished", () => ({ ...endOf(record), events: events.length }))
      return record
    },
    delivered(taskId) {
      port.delivered(taskId)
      step(taskId, "delivered")
    },
    get usage() {
      return port.usage
    },
    get: (taskId) => port.get(taskId),
    list: (filter) => port.list(filter),
    unfinished: () => port.unfinished(),
  }
}

const endOf = ({ state, code }: TaskRecord): LogFields => (code === "" ? { state } : { state, code })
