/** The tasks that this process works on, and what is counted over them: how busy nodes are, which tasks wait for their turn. */
import type { Log } from "../../log.ts"
import type { WaasTask } from "../store/model.ts"
import { FairQueue } from "./fairQueue.ts"
import { NodeLoad } from "./nodeLoad.ts"
import { isFinal } from "./progress.ts"
import { isQueued } from "./quorum.ts"

export class TasksAtWork {
  readonly #log: Log
  /** By task id, as the store has them or will have them with the next commit. */
  readonly #tasks = new Map<string, WaasTask>()
  readonly loads = new NodeLoad()
  readonly queue = new FairQueue()
  /** Ids of approved tasks that wait for room, for a pause to end, or for a node to come back. */
  readonly ready = new Set<string>()
  /** How many of the tasks are not final. */
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

  /** Adds tasks that the store has. One that is here already stays as it is, for it is newer than the store's. */
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
