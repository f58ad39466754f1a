/**
 * Puts off a decision while the clock is wrong or the store fails, and tells WaaS *later*. The task stays open: it is decided when WaaS
 * asks again, or ends by its deadline or a cancel.
 */
import { type CosignerError, isCode } from "../errors.ts"
import type { Task } from "../wire/task.ts"
import { isStoreFault, storeFault, tellLater } from "./endings.ts"
import { type Refusal, refusalOf } from "./plan.ts"
import type { TaskPorts, TaskRecord } from "./ports.ts"
import { fired } from "./signals.ts"

type PostponementPorts = Pick<TaskPorts, "send" | "log" | "journal" | "unrecorded">

export class Postponement {
  readonly #task: Task
  readonly #digest: string
  readonly #ports: PostponementPorts
  #again: AbortController | undefined

  constructor(task: Task, digest: string, ports: PostponementPorts) {
    this.#task = task
    this.#digest = digest
    this.#ports = ports
  }

  /** Tries again now, because WaaS asked again or may have missed the answer. */
  reconsider(): void {
    this.#again?.abort()
  }

  /**
   * Returns what `decide` returns. If it throws E-TSK-045 or a store fault, waits for `reconsider` and tries again; undefined if `stop`
   * fires first. "forsaken" means that not even the claim is durable: the task is dropped, and may come again as a new one.
   */
  async decided(decide: () => Promise<TaskRecord>, stop: AbortSignal): Promise<TaskRecord | "forsaken" | undefined> {
    while (!stop.aborted) {
      try {
        return await decide()
      } catch (error) {
        if (isStoreFault(error) && this.#isForsaken(error)) return "forsaken"
        if (!(isStoreFault(error) || isCode(error, "E-TSK-045"))) throw error
        this.#again = new AbortController()
        this.#tell(isStoreFault(error) ? storeFault(error) : refusalOf(error))
        await fired(AbortSignal.any([stop, this.#again.signal]))
        this.#again = undefined
      }
    }
    return undefined
  }

  #isForsaken(error: CosignerError): boolean {
    if (!this.#ports.journal.forsake(this.#task.task_id)) return false
    tellLater(this.#task, this.#digest, error, this.#ports)
    return true
  }

  #tell({ code, reason }: Refusal): void {
    const { task_id: taskId, type } = this.#task
    this.#ports.log.warn("the decision on a task was put off", { task: taskId, code, reason })
    this.#ports.send({ kind: "later", taskId, digest: this.#digest, type, code, reason })
  }
}
