/** Reports: how the journal's view of a task is told to WaaS. */

import type { Report, ReportStatus } from "../wire/frames.ts"
import { recordedIntents, taskIntentHash } from "./intents.ts"
import type { Refusal } from "./plan.ts"
import type { TaskRecord, TaskState } from "./ports.ts"

const STATUS: Readonly<Record<TaskState, ReportStatus>> = {
  claimed: 130,
  approved: 130,
  running: 140,
  emitted: 140,
  completed: 190,
  rejected: 160,
  failed: 170,
  cancelled: 180,
}

/** Approved, and not over: WaaS may begin a session at any time, also a WaaS that knows only what nodes tell it now. */
const mayBegin = ({ state }: TaskRecord): boolean => state === "approved" || state === "running" || state === "emitted"

/** What WaaS compares before it begins a session of suite 2: signers with different readings would wait for each other in vain. */
export const READ = "read "

/** By these words in a report's reason WaaS tells a restart from other ends of an attempt: nodes of every release write them. */
export const RESTARTED = "the node was restarted"

/** The latest report of a task, made from its durable record alone. */
export function reportOf(record: TaskRecord): Report {
  const read = mayBegin(record) ? taskIntentHash(recordedIntents(record.verdict)) : undefined
  return {
    kind: "report",
    taskId: record.taskId,
    digest: record.digest,
    type: record.type,
    status: STATUS[record.state],
    attempt: record.attempt,
    approved: record.state !== "claimed" && record.state !== "rejected",
    code: record.code,
    reason: read === undefined ? record.reason : `${READ}${read}`,
    outcome: record.outcome,
  }
}

/** An attempt ended without a result; the task stays open. */
export const attemptEnded = (record: TaskRecord, why: Refusal): Report => ({
  ...reportOf(record),
  status: 140,
  code: why.code,
  reason: why.reason,
})
