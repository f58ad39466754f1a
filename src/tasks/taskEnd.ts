/**
 * The end of one task: from the moment that it is known it can be no other one, and it is recorded as soon as the store lets it. A disk
 * that is full now has room later, and no task stays without an end.
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

/** How long after a failure of the store a step is tried again. */
const AGAIN_MS = 5_000

export class TaskEnd {
  readonly #task: Task
  readonly #ports: TaskPorts
  readonly #intents: () => Intents
  #record: (() => Promise<void>) | undefined
  #unclosed: (() => Promise<void>) | undefined

  /** `intents`: what the payloads of the task do, as far as they are read by then. */
  constructor(task: Task, ports: TaskPorts, intents: () => Intents) {
    this.#task = task
    this.#ports = ports
    this.#intents = intents
  }

  /** Whether or not the store has it yet. */
  get isKnown(): boolean {
    return this.#record !== undefined
  }

  /** The row of the last session is open, because the store refused to close it; `close` does. */
  leaveOpen(close: (() => Promise<void>) | undefined): void {
    this.#unclosed = close
  }

  /** Before another session begins. */
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

  /** Rejects where the store does not take it now. */
  as(end: () => Finish, closing?: Bytes): Promise<void> {
    this.#record = () => this.#finish(end(), closing)
    return this.#record()
  }

  /**
   * Records the end that the task has come to, or `otherwise` where it has come to none, and tries again for as long as it takes: a
   * signature that exists is never reported as failed.
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
        // What cannot become an outcome never will; nothing but the store gets better by itself.
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

  /** No end hides a result: neither an epoch that was certified before it was journalled, nor a share that has left. */
  #trueEnd(asked: Finish): Finish {
    if (asked.state === "completed") return asked
    const outcome = madeOutcome(this.#task, this.#ports)
    return outcome === undefined ? unlessSigned(this.#expect(), asked) : { state: "completed", outcome }
  }

  #expect(): TaskRecord {
    const record = this.#ports.journal.get(this.#task.task_id)
    if (record === undefined) throw new CosignerError("E-CLI-001", { what: "a running task is not in the journal" })
    return record
  }
}

/** Until the store may have recovered, or `stop` fires. */
export async function pause({ alarm, now }: Pick<TaskPorts, "alarm" | "now">, stop: AbortSignal): Promise<void> {
  using later = alarm(now() + AGAIN_MS)
  await fired(AbortSignal.any([later.signal, stop]))
}
