/**
 * The end of one task. Once an end is known it does not change, and it is recorded as soon as the store can: it retries, because a full
 * disk may have room later. So every task gets its end.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError, errorText } from "../errors.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import type { Task } from "../wire/task.ts"
import { eventsOfEnd } from "./announced.ts"
import { tellEnd, unlessSigned } from "./endings.ts"
import type { Intents } from "./intents.ts"
import { madeOutcome } from "./kinds.ts"
import type { Refusal } from "./plan.ts"
import { type Finish, isFinal, type TaskPorts, type TaskRecord } from "./ports.ts"
import { reportOf } from "./report.ts"
import { fired } from "./signals.ts"

/** Time between a failure of the store and the next try. */
const AGAIN_MS = 5_000

export class TaskEnd {
  readonly #task: Task
  readonly #ports: TaskPorts
  readonly #intents: () => Intents
  #record: (() => Promise<void>) | undefined
  #unclosed: (() => Promise<void>) | undefined

  /** `intents` returns the intents of the task's payloads, as far as they are read. */
  constructor(task: Task, ports: TaskPorts, intents: () => Intents) {
    this.#task = task
    this.#ports = ports
    this.#intents = intents
  }

  /** True once the task has an end, recorded or not. */
  get isKnown(): boolean {
    return this.#record !== undefined
  }

  /** Remembers that the row of the last session is still open because the store failed; `close` closes it. */
  leaveOpen(close: (() => Promise<void>) | undefined): void {
    this.#unclosed = close
  }

  /** Closes the row of the last session if it is open. Call before another session begins. */
  async closeLast(): Promise<void> {
    await this.#unclosed?.()
    this.#unclosed = undefined
  }

  fail(why: Refusal): Promise<void> {
    return this.as(() => ({ state: "failed", ...why }))
  }

  complete(outcome: () => TaskOutcome, closing?: Bytes): Promise<void> {
    return this.as(() => ({ state: "completed", outcome: outcome() }), closing)
  }

  /** Records an end. Rejects if the store fails; the end is kept for `anyhow`. */
  as(end: () => Finish, closing?: Bytes): Promise<void> {
    this.#record = () => this.#finish(end(), closing)
    return this.#record()
  }

  /**
   * Records the known end, or a failure with `otherwise` if none is known. Retries until it succeeds or `suspended` fires. So a signature
   * that exists is never reported as failed.
   */
  async anyhow(otherwise: Refusal, suspended: AbortSignal): Promise<void> {
    const { log, journal } = this.#ports
    const { task_id: taskId } = this.#task
    while (!suspended.aborted) {
      try {
        const record = journal.get(taskId)
        if (record !== undefined && isFinal(record.state)) return
        await (this.#record === undefined ? this.fail(otherwise) : this.#record())
        return
      } catch (error) {
        // An error of the store may pass. Any other means that the known end cannot be made: record `otherwise` next time.
        if (!(error instanceof CosignerError)) this.#record = undefined
        log.warn("the end of a task could not be recorded", { task: taskId, error: errorText(error) })
        await pause(this.#ports, suspended)
      }
    }
  }

  async #finish(asked: Finish, closing?: Bytes): Promise<void> {
    await this.closeLast()
    const { journal, now, send } = this.#ports
    const { task_id: taskId } = this.#task
    const end = this.#trueEnd(asked)
    const events = eventsOfEnd(this.#ports, this.#task, this.#intents(), end)
    const record = await journal.finish(taskId, end, now(), events, closing)
    tellEnd(record, this.#ports)
    send(reportOf(record))
  }

  /** Corrects an end that would hide a result: a certified epoch that is not in the journal yet, or a share that has left. */
  #trueEnd(asked: Finish): Finish {
    if (asked.state === "completed") return asked
    const outcome = madeOutcome(this.#task, this.#ports)
    return outcome === undefined
      ? unlessSigned(journalled(this.#task, this.#ports), asked)
      : { state: "completed", outcome }
  }
}

/** The record of a running task. */
export function journalled({ task_id: taskId }: Task, { journal }: Pick<TaskPorts, "journal">): TaskRecord {
  const record = journal.get(taskId)
  if (record === undefined) throw new CosignerError("E-CLI-001", { what: "a running task is not in the journal" })
  return record
}

/** Waits until the store may have recovered, or until `stop` fires. */
export async function pause({ alarm, now }: Pick<TaskPorts, "alarm" | "now">, stop: AbortSignal): Promise<void> {
  using later = alarm(now() + AGAIN_MS)
  await fired(AbortSignal.any([later.signal, stop]))
}
