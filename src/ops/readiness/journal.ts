/** The journal as tasks use it, with an eye on what is decided and how tasks end. */
import type { Verdict } from "../../policy/verdict.ts"
import type { TaskPort, TaskRecord } from "../../tasks/ports.ts"

export interface JournalObserver {
  /** Once per task. */
  decided(verdict: Verdict): void
  /** Once per task: `record` is final. */
  ended(record: TaskRecord): void
}

export function observedJournal(port: TaskPort, observer: JournalObserver): TaskPort {
  return {
    claim: (task) => port.claim(task),
    approve(taskId, nowMs, decide, events) {
      // A task that was decided before keeps its verdict, and is not counted again.
      let isNew = false
      const record = port.approve(
        taskId,
        nowMs,
        (usage) => {
          isNew = true
          return decide(usage)
        },
        events,
      )
      if (isNew && record.verdict !== undefined) observer.decided(record.verdict)
      if (isNew && record.state === "rejected") observer.ended(record)
      return record
    },
    startSession: (row, nowMs, decide) => port.startSession(row, nowMs, decide),
    endSession: (sid, how, nowMs, unproven) => port.endSession(sid, how, nowMs, unproven),
    emitted: (taskId, digest, nowMs) => port.emitted(taskId, digest, nowMs),
    finish(taskId, end, nowMs, events) {
      const record = port.finish(taskId, end, nowMs, events)
      observer.ended(record)
      return record
    },
    delivered: (taskId) => port.delivered(taskId),
    get usage() {
      return port.usage
    },
    get: (taskId) => port.get(taskId),
    list: (filter) => port.list(filter),
    unfinished: () => port.unfinished(),
  }
}
