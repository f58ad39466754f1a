/**
 * A decision that a wrong clock puts off. WaaS hears *later*. The task stays open until WaaS asks for it again and it is decided, or
 * until its deadline or a cancel ends it.
 */
import { CosignerError } from "../errors.ts"
import type { Task } from "../wire/task.ts"
import { refusalOf } from "./plan.ts"
import type { TaskPorts, TaskRecord } from "./ports.ts"
import { fired } from "./signals.ts"

export class Postponement {
  readonly #task: Task
  readonly #digest: string
  readonly #ports: Pick<TaskPorts, "send" | "log">
  #again: AbortController | undefined

  constructor(task: Task, digest: string, ports: Pick<TaskPorts, "send" | "log">) {
    this.#task = task
    this.#digest = digest
    this.#ports = ports
  }

  /** WaaS asks again, or may have missed the answer. */
  reconsider(): void {
    this.#again?.abort()
  }

  /** What `decide` comes to, tried again as often as it throws E-TSK-045; undefined where `stop` fires meanwhile. */
  async decided(decide: () => Promise<TaskRecord>, stop: AbortSignal): Promise<TaskRecord | undefined> {
    while (!stop.aborted) {
      try {
        return await decide()
      } catch (error) {
        if (!(error instanceof CosignerError && error.code === "E-TSK-045")) throw error
        this.#again = new AbortController()
        this.#tell(error)
        await fired(AbortSignal.any([stop, this.#again.signal]))
        this.#again = undefined
      }
    }
    return undefined
  }

  #tell(error: CosignerError): void {
    const { task_id: taskId, type } = this.#task
    const { code, reason } = refusalOf(error)
    this.#ports.log.warn("the decision on a task was put off", { task: taskId, code, reason })
    this.#ports.send({ kind: "later", taskId, digest: this.#digest, type, code, reason })
  }
}
