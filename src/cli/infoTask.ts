/** One task of the journal, for people and for programs: what was asked, read, decided and done. */
import { goTime } from "../keys/groupInfo.ts"
import { recordedIntents } from "../tasks/intents.ts"
import type { TaskRecord } from "../tasks/ports.ts"
import { requestDetail } from "../wire/requestDetail.ts"
import { decodeRecordedTask } from "../wire/task.ts"

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
