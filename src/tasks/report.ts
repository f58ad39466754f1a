/** Reports: how a task's record in the journal is reported to WaaS. */
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

/**
 * True for an approved task that has not ended. WaaS may start a session of it at any time, even if it knows only what nodes report now.
 */
const mayBegin = ({ state }: TaskRecord): boolean => state === "approved" || state === "running" || state === "emitted"

/** Prefix of the intent hash, which WaaS compares before it starts a session of suite 2: signers with different hashes never finish one. */
export const READ = "read "

/** WaaS recognises a restart of a node by these words in a report's reason. Nodes of every release write them: do not change them. */
export const RESTARTED = "the node was restarted"

/** The report of a task, made from its record alone. */
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

/** The report of an attempt that ended without a result; the task stays open. */
export const attemptEnded = (record: TaskRecord, why: Refusal): Report => ({
  ...reportOf(record),
  status: 140,
  code: why.code,
  reason: why.reason,
})
