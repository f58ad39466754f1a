/** How the ends of tasks and attempts are reported to WaaS, to event servers and in the log. */
import { CosignerError } from "../errors.ts"
import type { Ending } from "../mpc/session.ts"
import type { Report } from "../wire/frames.ts"
import type { Task } from "../wire/task.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { Finish, TaskPorts, TaskRecord, TaskStatus } from "./ports.ts"
import { attemptEnded, RESTARTED } from "./report.ts"

type Unsigned = Exclude<Finish, { readonly state: "completed" }>

const STATUS: Readonly<Record<Unsigned["state"], TaskStatus>> = { rejected: 160, failed: 170, cancelled: 180 }

export const statusOf = (state: Unsigned["state"]): TaskStatus => STATUS[state]

/** An end without a result. If a signature share has left, it becomes E-TSK-031, because a signature may exist. */
export function unlessSigned(record: TaskRecord, end: Unsigned): Unsigned {
  if (record.state !== "emitted") return end
  return { state: end.state, ...refuse("E-TSK-031", { why: `${end.code} ${end.reason}` }) }
}

/** The report of a task whose attempt an earlier run of this node left unfinished; undefined for any other task. */
export function resumed(record: TaskRecord): Report | undefined {
  const { state, attempt } = record
  if (state !== "running" && state !== "emitted") return undefined
  const why = refuse("E-TSK-014", { attempt, reason: RESTARTED })
  return attemptEnded(record, state === "emitted" ? refuse("E-TSK-031", { why: why.reason }) : why)
}

/** Logs the end of a task in one line. Scripts match the words of the first line: do not change them. */
export function tellEnd(record: TaskRecord, ports: Pick<TaskPorts, "log">): void {
  const session = `${record.taskId}:${record.attempt}`
  if (record.state === "completed") ports.log.info(`${record.type} task completed in session ${session}`, {})
  else ports.log.warn(`${record.type} task ${record.state}`, { session, code: record.code, reason: record.reason })
}

export const late = ({ deadline_ms: deadlineMs }: Pick<Task, "deadline_ms">): Refusal =>
  refuse("E-TSK-004", { deadlineMs })

/** Puts off a task that the store has no record of and cannot record now. WaaS may ask again. */
export function tellLater(
  { task_id: taskId, type }: Task,
  digest: string,
  error: CosignerError,
  { unrecorded, send }: Pick<TaskPorts, "unrecorded" | "send">,
): void {
  const why = storeFault(error)
  unrecorded(type, why.code, digest)
  send({ kind: "later", taskId, digest, type, ...why })
}

/** Why an attempt ended without a result. Another attempt may follow. */
export function whyNot(ending: Exclude<Ending, { kind: "done" }>, attempt: number): Refusal {
  const because = (reason: string): Refusal => refuse("E-TSK-014", { attempt, reason })
  switch (ending.kind) {
    case "blamed":
      return because(ending.blame.reason)
    case "deadline":
      return because("the other participants did not answer in time")
    case "cancelled":
      return because("it was cancelled")
    case "crashed":
      return because("the session broke off on this node")
    case "flooded":
      return refuse("E-TSK-034", { attempt })
  }
}

/**
 * True if the disk or the file failed, which may pass. E-STO-024 (a session id that was used before) does not count: the store works, and
 * the next attempt has another id.
 */
export const isStoreFault = (error: unknown): error is CosignerError =>
  error instanceof CosignerError &&
  error.kind === "fault" &&
  error.code.startsWith("E-STO-") &&
  error.code !== "E-STO-024"

/** The refusal E-TSK-048 for a failure of the store: the task is put off, not rejected. */
export const storeFault = (error: unknown): Refusal =>
  refuse("E-TSK-048", { why: error instanceof CosignerError ? `${error.code} ${error.message}` : "its store failed" })
