/** Tasks of the journal, for people and for programs: for one task what was asked, read, decided and done; for many tasks a line each. */
import { CosignerError } from "../../errors.ts"
import { goTime } from "../../keys/groupInfo.ts"
import type { Store } from "../../store/store.ts"
import { recordedIntents } from "../../tasks/intents.ts"
import type { TaskRecord } from "../../tasks/ports.ts"
import { requestDetail } from "../../wire/requestDetail.ts"
import { decodeRecordedTask } from "../../wire/task.ts"
import type { Shown } from "./shown.ts"

/** One task, or a line for each of the newest. Throws E-CLI-011 for a task that the journal does not know. */
export function showTasks(store: Store, taskId: string | undefined, most: number): Shown {
  if (taskId !== undefined) {
    const record = store.tasks.get(taskId)
    if (record !== undefined) return { value: taskJson(record), lines: taskText(record) }
    const known = store.tasks.list({ limit: 5 }).map((task) => task.taskId)
    throw new CosignerError("E-CLI-011", { what: "such task", known })
  }
  const records = store.tasks.list({ limit: most })
  return {
    value: records.map(briefJson),
    lines: [`Newest tasks: ${records.length}, from ${store.path}`, ...records.map(briefText)],
  }
}

const briefJson = (record: TaskRecord): object => ({
  task_id: record.taskId,
  type: record.type,
  state: record.state,
  claimed_ms: record.claimedMs,
  updated_ms: record.updatedMs,
  code: record.code,
})

const briefText = ({ taskId, type, state, claimedMs, code }: TaskRecord): string =>
  `    ${goTime(claimedMs)} ${type} ${taskId}: ${state}${code === "" ? "" : ` ${code}`}`

const detailOf = ({ document }: TaskRecord): Readonly<Record<string, unknown>> | null => {
  const task = decodeRecordedTask(document)
  return "problem" in task ? null : requestDetail(task)
}

export const taskJson = (record: TaskRecord): object => ({
  task_id: record.taskId,
  type: record.type,
  state: record.state,
  digest: record.digest,
  attempt: record.attempt,
  claimed_ms: record.claimedMs,
  updated_ms: record.updatedMs,
  deadline_ms: record.deadlineMs,
  request_detail: detailOf(record),
  intents: recordedIntents(record.verdict).map(({ hash, text }) => ({ intent_hash: hash, text })),
  verdict: record.verdict ?? null,
  code: record.code,
  reason: record.reason,
  outcome: record.outcome ?? null,
  delivered: record.delivered,
})

export function taskText(record: TaskRecord): readonly string[] {
  const { verdict, outcome } = record
  const signatures = outcome?.type === "signatures" ? outcome.signatures : []
  return [
    `Task: ${record.taskId}`,
    `Type: ${record.type}`,
    `State: ${record.state}${record.attempt === 0 ? "" : `, attempt ${record.attempt}`}`,
    `Digest: 0x${record.digest}`,
    `Claimed: ${goTime(record.claimedMs)}`,
    `Updated: ${goTime(record.updatedMs)}`,
    `Deadline: ${goTime(record.deadlineMs)}`,
    ...recordedIntents(verdict).flatMap(({ hash, text }) => [`Intent: ${text}`, `Intent Hash: ${hash}`]),
    ...Object.entries(detailOf(record) ?? {}).map(([name, value]) => `${name}: ${shown(value)}`),
    ...(verdict === undefined
      ? []
      : [`Verdict: ${verdict.action}${verdict.code === "" ? "" : ` ${verdict.code} ${verdict.reason}`}`]),
    ...(verdict?.rules ?? []).map(
      ({ rule, outcome, reason }) => `    ${outcome}: ${rule}${reason === "" ? "" : `: ${reason}`}`,
    ),
    ...(record.code === "" ? [] : [`Ended: ${record.code} ${record.reason}`]),
    ...signatures.map(({ bip32_path, signature }) => `Signature: ${bip32_path} 0x${signature}`),
  ]
}

const shown = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))
