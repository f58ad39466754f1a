/**
 * The tasks in work: their steps, with all that follows from them, become durable in one commit, and only then do frames
 * leave. What a crash makes it forget it reads back from the store. The caller runs its methods one after another.
 */
import { randomBytes } from "node:crypto"
import type { Log } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import type { NodeVersions } from "../../wire/versions.ts"
import { ApiFailure } from "../failure.ts"
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { type AnyRequest, type Change, consequencesOf } from "./consequences.ts"
import type { EpochNews } from "./epochNews.ts"
import { frameOf } from "./frames.ts"
import type { Documents, Pace, RelayPort } from "./ports.ts"
import {
  cameOnline,
  connected,
  isFinal,
  isSettled,
  type OutgoingFrame,
  type ProgressStep,
  type Situation,
  ticked,
} from "./progress.ts"
import { toBeTold } from "./reshare.ts"

interface LiveTasksOptions {
  readonly store: WaasStore
  readonly relay: RelayPort
  readonly documents: Documents
  readonly now: Clock
  readonly pace: Pace
  readonly news: EpochNews
  /** Tasks in work at one time; more are refused with 2026. */
  readonly openTasks: number
  /** What a node speaks, as it told when it last connected. */
  readonly versions: (nodeId: string) => NodeVersions
  /** The task is no longer live. */
  readonly onRetired: (taskId: string) => void
  readonly log: Log
}

export class LiveTasks {
  readonly #options: LiveTasksOptions
  /** Every task that still needs something, as the store has it. */
  readonly #tasks = new Map<string, WaasTask>()
  #nudgedMs: number

  constructor(options: LiveTasksOptions) {
    this.#options = options
    this.#nudgedMs = options.now()
  }

  /** Reads back what was unfinished. */
  async load(): Promise<void> {
    for (const task of await this.#options.store.liveTasks()) this.#tasks.set(task.taskId, task)
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

  /** The task, live or ended. */
  async find(taskId: string): Promise<WaasTask | undefined> {
    return this.#tasks.get(taskId) ?? this.#options.store.task(taskId)
  }

  /** The tasks of a request in their order. */
  async tasksOf(request: AnyRequest): Promise<readonly WaasTask[]> {
    const tasks = await Promise.all(request.taskIds.map((id) => this.find(id)))
    return tasks.flatMap((task) => task ?? [])
  }

  situation(): Situation {
    return {
      nowMs: this.#options.now(),
      pace: this.#options.pace,
      online: (nodeId) => this.#options.relay.online(nodeId),
      versions: this.#options.versions,
      newNonce: () => randomBytes(16).toString("hex"),
    }
  }

  /** Stores a request with its tasks and asks the nodes. Throws 2026. */
  async begin(request: StoreWrite, tasks: readonly WaasTask[], beside: readonly StoreWrite[] = []): Promise<void> {
    const open = [...this.#tasks.values()].filter((task) => !isFinal(task)).length
    if (open + tasks.length > this.#options.openTasks) {
      throw new ApiFailure(
        2026,
        `${open} tasks are in work, and ${this.#options.openTasks} are the most; try again later`,
      )
    }
    const made = tasks.map((record): StoreWrite => ({ put: "task", record, live: true }))
    await this.#options.store.commit([...beside, request, ...made, ...tasks.flatMap(toBeTold)])
    for (const task of tasks) {
      this.#tasks.set(task.taskId, task)
      this.#options.log.info("task created", { task: task.taskId, type: task.type, request: task.request.id })
      this.send(
        task,
        task.nodeIds.map((to): OutgoingFrame => ({ kind: "task", to })),
      )
    }
  }

  /** Makes the steps of one request's tasks and everything that follows from them durable, then sends. */
  async commit(steps: readonly Change[]): Promise<void> {
    const stepped = steps.filter(({ before, record }) => record !== before)
    const repeated = steps.filter(({ before, record }) => record === before)
    const changes = stepped[0] === undefined ? [] : await this.#store(stepped[0].record, stepped)
    for (const { record, send } of [...changes, ...repeated]) this.send(record, send)
  }

  /** The node has connected: it is told first of its epochs, then asked again for what it owes. */
  async onOnline(nodeId: string): Promise<void> {
    await this.#tellOfEpochs(nodeId)
    await this.#each((task) => connected(task, nodeId, this.situation()))
  }

  /** Deadlines, retries, attempts that hang; retires what nobody waits for any more. */
  async tick(): Promise<void> {
    await this.#each((task) => ticked(task, this.situation()))
    for (const task of [...this.#tasks.values()]) {
      if (isSettled(task, this.#options.now())) await this.#settle(task)
    }
    if (this.#options.now() >= this.#nudgedMs + this.#options.pace.nudgeMs) await this.#nudge()
  }

  send(task: WaasTask, sends: readonly OutgoingFrame[]): void {
    for (const send of sends) {
      const frame = frameOf(task, send, this.#options.documents)
      if (frame !== undefined) this.#options.relay.send(send.to, frame)
    }
  }

  async #each(step: (task: WaasTask) => ProgressStep): Promise<void> {
    for (const { taskId } of [...this.#tasks.values()]) {
      // A sibling's step may have changed it meanwhile.
      const before = this.#tasks.get(taskId)
      if (before !== undefined) await this.commit([{ before, ...step(before) }])
    }
  }

  async #nudge(): Promise<void> {
    this.#nudgedMs = this.#options.now()
    const nodes = new Set([...this.#tasks.values()].flatMap((task) => task.nodeIds))
    for (const node of nodes) {
      if (this.#options.relay.online(node)) await this.#each((task) => cameOnline(task, node, this.situation()))
    }
  }

  async #tellOfEpochs(nodeId: string): Promise<void> {
    const { certificates, checkups } = await this.#options.news.untold(nodeId)
    for (const task of certificates) this.send(task, [{ kind: "certificate", to: nodeId }])
    for (const frame of checkups) this.#options.relay.send(nodeId, frame)
  }

  async #store({ request }: WaasTask, steps: readonly Change[]): Promise<readonly Change[]> {
    const nowMs = this.#options.now()
    const { changes, writes, status } = await consequencesOf(request, steps, {
      store: this.#options.store,
      tasksOf: (anyRequest) => this.tasksOf(anyRequest),
      nowMs,
    })
    const tasks = changes.map(({ record }): StoreWrite => ({ put: "task", record, live: !isSettled(record, nowMs) }))
    await this.#options.store.commit([...tasks, ...writes])
    for (const { record } of changes) this.#keep(record, nowMs)
    for (const nodeId of await this.#options.news.concerned(writes, changes)) {
      if (this.#options.relay.online(nodeId)) await this.#tellOfEpochs(nodeId)
    }
    if (status !== undefined) this.#options.log.info("request changed state", { request: request.id, ...status })
    return changes
  }

  #keep(record: WaasTask, nowMs: number): void {
    if (isSettled(record, nowMs)) this.#retire(record.taskId)
    else this.#tasks.set(record.taskId, record)
    this.#options.log.debug("task changed state", { task: record.taskId, state: record.state, attempt: record.attempt })
  }

  async #settle(task: WaasTask): Promise<void> {
    await this.#options.store.commit([{ put: "task", record: task, live: false }])
    this.#retire(task.taskId)
  }

  #retire(taskId: string): void {
    this.#tasks.delete(taskId)
    this.#options.onRetired(taskId)
  }
}
