/** The tasks of one process that still need something, and what follows from each: how busy nodes are, what waits for its turn. */
import type { Log } from "../../log.ts"
import type { WaasTask } from "../store/model.ts"
import { FairQueue } from "./fairQueue.ts"
import { NodeLoad } from "./nodeLoad.ts"
import { isFinal } from "./progress.ts"
import { isQueued } from "./quorum.ts"

export class TasksAtWork {
  readonly #log: Log
  /** What the store has, or will have with the commit that is due. */
  readonly #tasks = new Map<string, WaasTask>()
  readonly loads = new NodeLoad()
  readonly queue = new FairQueue()
  /** Approved, and waiting for room to run, or for somebody to come back. */
  readonly ready = new Set<string>()
  /** Not over. */
  open = 0

  constructor(log: Log) {
    this.#log = log
  }

  get(taskId: string): WaasTask | undefined {
    return this.#tasks.get(taskId)
  }

  has(taskId: string): boolean {
    return this.#tasks.has(taskId)
  }

  values(): Iterable<WaasTask> {
    return this.#tasks.values()
  }

  ids(): readonly string[] {
    return [...this.#tasks.keys()]
  }

  /** Tasks that were not here before, from the store: of what is here it is behind. */
  add(tasks: readonly WaasTask[]): void {
    for (const task of tasks) {
      if (this.#tasks.has(task.taskId)) continue
      this.keep(task)
      if (isQueued(task)) this.queue.add(task.vaultId ?? task.request.id, task.taskId)
    }
  }

  keep(record: WaasTask): void {
    const { taskId, state, attempt } = record
    const before = this.#tasks.get(taskId)
    this.#tasks.set(taskId, record)
    this.loads.change(before, record)
    this.open += Number(!isFinal(record)) - Number(before !== undefined && !isFinal(before))
    if (state === "ready") this.ready.add(taskId)
    else this.ready.delete(taskId)
    if (before?.state === state && before.attempt === attempt) return
    this.#log.debug("task changed state", { task: taskId, state, attempt })
  }

  forget(taskId: string): void {
    const before = this.#tasks.get(taskId)
    if (before === undefined) return
    this.loads.change(before, undefined)
    if (!isFinal(before)) this.open--
    this.ready.delete(taskId)
    this.#tasks.delete(taskId)
  }
}
