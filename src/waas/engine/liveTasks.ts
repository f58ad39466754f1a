/**
 * The tasks in work. The steps of a request's tasks, with all that follows from them (consequences.ts), become durable in one commit, and
 * only then do their frames leave. The caller runs the methods one after another.
 *
 * A signing task is stored when it is made, begins an attempt, ends, or has news of approvers (isDurable). Which nodes it asked and what
 * they reported meanwhile is in memory only: nodes repeat it after a restart. Commits that come close together are one (groupCommit.ts).
 */
import type { PeerMemory } from "../../wire/channel.ts"
import type { Readiness } from "../../wire/frames.ts"
import type { NodeVersions } from "../../wire/versions.ts"
import { ApiFailure } from "../failure.ts"
import type { SignRequest, WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { againTo, withWords } from "./approvals.ts"
import { type AnyRequest, type Change, consequencesOf, isDurable, liveWrite } from "./consequences.ts"
import type { EpochNews } from "./epochNews.ts"
import { frameOf } from "./frames.ts"
import { FramesInOrder, signedOnce } from "./framesInOrder.ts"
import { GroupCommit } from "./groupCommit.ts"
import { NodeHealth } from "./nodeHealth.ts"
import type { EngineOptions } from "./options.ts"
import {
  asking,
  begun,
  cameOnline,
  connected,
  isFinal,
  isSettled,
  type OutgoingFrame,
  type ProgressStep,
  ticked,
} from "./progress.ts"
import { isQueued, type Situation } from "./quorum.ts"
import { isOpen } from "./requests.ts"
import { followWritesAtStart } from "./reshare.ts"
import { SigningAtWork } from "./signingAtWork.ts"
import { situationOf } from "./situation.ts"
import { TasksAtWork } from "./tasksAtWork.ts"

/** The claim under which one replica at a time makes and changes groups (SharedStore.exclusively). */
export const SET_UPS = "set-ups"

interface LiveTasksOptions
  extends Pick<
    EngineOptions,
    "store" | "shared" | "relay" | "documents" | "now" | "pace" | "windows" | "openTasks" | "log"
  > {
  readonly news: EpochNews
  /** The protocol versions that a node told when it last connected. */
  readonly versions: (nodeId: string) => NodeVersions
  /** Called when the end of the request is durable. */
  readonly onEnded: (requestId: string) => void
  /** Called when the task needs nothing more, or another replica works on it. */
  readonly onRetired: (taskId: string) => void
}

/** When a caller is told to try again if too many tasks are in work. */
const FULL_RETRY_SECONDS = 5
/** The most tasks that one pump begins, and the most that it asks nodes for, so that the event loop gets its turn. */
const MOST_AT_ONCE = 64
/** After a longer pause between two ticks this process was stopped or busy: that nothing came from a node means nothing then. */
const MOST_TICK_MS = 1_000

export class LiveTasks {
  readonly #options: LiveTasksOptions
  readonly #tasks: TasksAtWork
  /** The requests of the signing tasks among them. */
  readonly #signing = new SigningAtWork()
  readonly health: NodeHealth
  readonly #commits: GroupCommit
  readonly #frames: FramesInOrder
  #nudgedMs: number
  /** When the last tick was, by the monotonic clock. */
  #tickedAt = performance.now()
  #isTickLate = false

  constructor(options: LiveTasksOptions) {
    this.#options = options
    this.#tasks = new TasksAtWork(options.log)
    this.health = new NodeHealth(options)
    this.#commits = new GroupCommit(options.store, () => this.#tasks.loads.running)
    this.#frames = new FramesInOrder(options.relay, options.log)
    this.#nudgedMs = options.now()
  }

  async load(): Promise<void> {
    this.#tasks.add(await this.#options.store.liveTasks())
  }

  /** Another replica works on some of these tasks: reads the tasks of this one from the store anew, as after a restart. */
  async reload(): Promise<void> {
    for (const taskId of this.#tasks.ids()) this.#tasks.forget(taskId)
    this.#signing.clear()
    await this.load()
  }

  /** Ends the work on a request here. Returns its tasks, all of whose steps are durable. */
  async release(requestId: string): Promise<readonly WaasTask[]> {
    await this.flush()
    const tasks = [...this.#tasks.values()].filter(({ request }) => request.id === requestId)
    for (const { taskId } of tasks) {
      this.#tasks.forget(taskId)
      this.#options.onRetired(taskId)
    }
    this.#signing.forget(requestId)
    return tasks
  }

  /** Goes on with tasks that are this replica's from now on. What another one had of them in memory is asked for again. */
  async takeOver(tasks: readonly WaasTask[]): Promise<void> {
    this.#tasks.add(tasks)
    const { relay, versions } = this.#options
    const taskIds = tasks.map(({ taskId }) => taskId)
    for (const nodeId of new Set(tasks.flatMap(({ nodeIds }) => nodeIds))) {
      if (!relay.online(nodeId)) continue
      await this.#each(
        (task) => withWords(connected(task, nodeId, "first", this.situation()), nodeId, versions),
        taskIds,
      )
    }
  }

  /** The tasks that this process works on, read-only. */
  get atWork(): Pick<TasksAtWork, "get" | "has" | "values" | "loads"> {
    return this.#tasks
  }

  /** Whether this process works on the request. */
  worksOn({ taskIds }: AnyRequest): boolean {
    return taskIds.some((id) => this.#tasks.has(id))
  }

  /** The task, live or ended. */
  async find(taskId: string): Promise<WaasTask | undefined> {
    return this.#tasks.get(taskId) ?? this.#options.store.task(taskId)
  }

  /**
   * The tasks of a request in their order. If the request has ended and a task of it is still open in memory, then another replica took
   * it over and ended it: the store has the truth.
   */
  async tasksOf({ taskIds, status }: AnyRequest): Promise<readonly WaasTask[]> {
    const found = taskIds.map((id) => {
      const task = this.#tasks.get(id)
      return task === undefined || (!isOpen(status) && !isFinal(task)) ? this.#options.store.task(id) : task
    })
    return (await Promise.all(found)).flatMap((task) => task ?? [])
  }

  /** The signing request in work that came under this request_id, stored or about to be. */
  requestUnder(requestId: string): SignRequest | undefined {
    return this.#signing.under(requestId)
  }

  /** Resolves when all that was done so far is durable; rejects if the store did not take it. */
  durable(): Promise<void> {
    return this.#commits.durable()
  }

  /** The same, and the commit does not wait for more changes to share it. */
  flush(): Promise<void> {
    return this.#commits.flush()
  }

  situation(): Situation {
    return situationOf({ ...this.#options, health: this.health, loads: this.#tasks.loads, isLate: this.#isTickLate })
  }

  /**
   * Stores a request with its tasks and the records `beside` them. Nodes are asked for signing tasks in their turn (`pump`), and for
   * other tasks at once. Throws 2026 if too many tasks are in work.
   */
  async begin(request: StoreWrite, tasks: readonly WaasTask[], beside: readonly StoreWrite[] = []): Promise<void> {
    const { openTasks, store, log } = this.#options
    if (this.#tasks.open + tasks.length > openTasks) {
      const what = `${this.#tasks.open} tasks are in work, and ${openTasks} are the most; try again later`
      throw new ApiFailure(2026, what, FULL_RETRY_SECONDS)
    }
    const made = tasks.map((record): StoreWrite => ({ put: "task", record, live: true }))
    const writes = [...beside, request, ...made, ...tasks.flatMap(followWritesAtStart)]
    if (request.put === "signRequest") {
      const { record } = request
      this.#signing.keep(record)
      this.#commits.add(writes, () => {
        this.#signing.forget(record.signRequestId)
        for (const { taskId } of tasks) this.#tasks.forget(taskId)
      })
    } else {
      await this.#commits.flush()
      await store.commit(writes)
    }
    this.#tasks.add(tasks)
    for (const task of tasks) {
      log.info("task created", { task: task.taskId, type: task.type, request: task.request.id })
      if (isQueued(task)) continue
      const send = task.nodeIds.map((to): OutgoingFrame => ({ kind: "task", to }))
      this.#say(task, send)
    }
  }

  /** Makes the steps of one request's tasks and everything that follows from them durable, then sends. */
  async commit(steps: readonly Change[]): Promise<void> {
    await this.#apply(steps)
    await this.pump()
  }

  /** The node has connected: it is sent the certificates and check-ups that it lacks, and then everything that its tasks need of it. */
  async onOnline(nodeId: string, peer: PeerMemory): Promise<void> {
    this.health.connected(nodeId)
    await this.#tellOfEpochs(nodeId)
    const { versions } = this.#options
    await this.#each((task) => withWords(connected(task, nodeId, peer, this.situation()), nodeId, versions))
    await this.pump()
  }

  onReadiness(nodeId: string, readiness: Readiness): Promise<void> {
    this.health.said(nodeId, readiness)
    return this.pump()
  }

  /** The node said "later": it is asked for no new task for a while. */
  leaveAlone(nodeId: string): void {
    this.health.leaveAlone(nodeId)
  }

  /** Applies the time that has passed to all tasks (progress.ts: ticked), and retires those that need nothing more. */
  async tick(): Promise<void> {
    const nowMs = this.#options.now()
    this.#isTickLate = performance.now() > this.#tickedAt + MOST_TICK_MS
    this.#tickedAt = performance.now()
    await this.#each((task) => ticked(task, this.situation()))
    this.#isTickLate = false
    await this.#commits.flush()
    for (const task of [...this.#tasks.values()]) {
      if (isSettled(task, nowMs)) await this.#settle(task)
    }
    if (nowMs >= this.#nudgedMs + this.#options.pace.nudgeMs) await this.#nudge()
    await this.pump()
  }

  /** Sends the frames once all changes so far are durable. */
  send(task: WaasTask, sends: readonly OutgoingFrame[]): void {
    this.#commits.whenDurable(() => this.#say(task, sends))
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #say(task: WaasTask, sends: readonly OutgoingFrame[]): void {
    const documents = signedOnce(this.#options.documents)
    for (const send of sends) {
      const frame = frameOf(task, send, documents)
      if (frame !== undefined) this.#frames.send(send.to, frame)
    }
  }

  async #apply(steps: readonly Change[]): Promise<void> {
    const stepped = steps.filter(({ before, record }) => record !== before)
    const repeated = steps.filter(({ before, record }) => record === before)
    const changes = stepped[0] === undefined ? [] : await this.#store(stepped[0].record, stepped)
    for (const { record, send } of [...changes, ...repeated]) this.send(record, send)
  }

  async #each(step: (task: WaasTask) => ProgressStep, taskIds: readonly string[] = this.#tasks.ids()): Promise<void> {
    let looked = 0
    for (const taskId of taskIds) {
      if (++looked % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
      // Read now: a step of another task of its request may have changed or retired it meanwhile.
      const before = this.#tasks.get(taskId)
      if (before === undefined) continue
      const { record, send } = step(before)
      if (record !== before || send.length > 0) await this.#apply([{ before, record, send }])
    }
  }

  /** Begins attempts of ready tasks, then asks nodes for queued tasks, as far as nodes have room. */
  async pump(): Promise<void> {
    let tried = 0
    for (const taskId of [...this.#tasks.ready]) {
      if (++tried > MOST_AT_ONCE) break
      const hasBegun = await this.#offer(taskId, (task) => begun(task, this.situation()))
      // Moved to the end, so that tasks that wait for an offline node never keep others from beginning.
      if (!hasBegun && this.#tasks.ready.delete(taskId)) this.#tasks.ready.add(taskId)
    }
    await this.#tasks.queue.serve(MOST_AT_ONCE, async (taskId) => {
      const task = this.#tasks.get(taskId)
      if (task === undefined || !isQueued(task)) return "gone"
      return (await this.#offer(taskId, () => asking(task, this.situation()))) ? "taken" : "waits"
    })
  }

  async #offer(taskId: string, step: (task: WaasTask) => ProgressStep): Promise<boolean> {
    const before = this.#tasks.get(taskId)
    if (before === undefined) return false
    const { record, send } = step(before)
    if (record === before && send.length === 0) return false
    await this.#apply([{ before, record, send }])
    return true
  }

  /** Repeats to each node what it owes an answer to: frames and reports may be lost. */
  async #nudge(): Promise<void> {
    this.#nudgedMs = this.#options.now()
    await this.#each((task) => {
      const steps = task.nodeIds
        .filter((id) => this.#options.relay.online(id))
        .map((id) => againTo(task, id) ?? cameOnline(task, id, this.situation()))
      const began = steps.find(({ record }) => record !== task)
      return began ?? { record: task, send: steps.flatMap(({ send }) => send) }
    })
  }

  async #tellOfEpochs(nodeId: string): Promise<void> {
    const { certificates, checkups } = await this.#options.news.untold(nodeId)
    for (const task of certificates) this.send(task, [{ kind: "certificate", to: nodeId }])
    for (const frame of checkups) this.#options.relay.send(nodeId, frame)
  }

  async #store({ request }: WaasTask, steps: readonly Change[]): Promise<readonly Change[]> {
    // Set-ups change groups and vaults, which set-ups of other replicas change too.
    if (request.kind === "tss") {
      return this.#options.shared.exclusively(SET_UPS, () => this.#storeNow(request, steps))
    }
    if (request.kind === "shareSign") return this.#storeNow(request, steps)
    if (!steps.some(isDurable)) {
      // A task that was retired meanwhile stays retired; the node is answered all the same.
      for (const { record } of steps) if (this.#tasks.has(record.taskId)) this.#tasks.keep(record)
      return steps
    }
    const { store, now } = this.#options
    const nowMs = now()
    const signRequest = async (id: string) => this.#signing.get(id) ?? store.signRequest(id)
    const { changes, writes, status } = await this.#consequences(request, steps, { ...store, signRequest })
    const undone = changes.map(({ record }) => this.#tasks.get(record.taskId) ?? record)
    const requests = writes.flatMap((write) => (write.put === "signRequest" ? [write.record] : []))
    const requestsBefore = requests.flatMap(({ signRequestId: id }) => this.#signing.get(id) ?? [])
    this.#commits.add([...changes.map(({ record }) => liveWrite(record, !isSettled(record, nowMs))), ...writes], () => {
      for (const record of undone) this.#tasks.keep(record)
      for (const record of requestsBefore) this.#signing.keep(record)
    })
    for (const record of requests) this.#signing.keep(record)
    for (const { record } of changes) this.#tasks.keep(record)
    this.#tellStatus(request.id, status)
    return changes
  }

  /** For set-ups and check-ups: each step is a commit of its own, because what follows from it is read from the store. */
  async #storeNow(request: WaasTask["request"], steps: readonly Change[]): Promise<readonly Change[]> {
    const { store, now, news, relay } = this.#options
    await this.#commits.flush()
    const { changes, writes, status } = await this.#consequences(request, steps, store)
    const nowMs = now()
    await store.commit([...changes.map(({ record }) => liveWrite(record, !isSettled(record, nowMs))), ...writes])
    for (const { record } of changes) {
      if (isSettled(record, nowMs)) this.#retire(record)
      else this.#tasks.keep(record)
    }
    for (const nodeId of await news.concerned(writes, changes)) {
      if (relay.online(nodeId)) await this.#tellOfEpochs(nodeId)
    }
    this.#tellStatus(request.id, status)
    return changes
  }

  #consequences(request: WaasTask["request"], steps: readonly Change[], store: WaasStore) {
    const tasksOf = (anyRequest: AnyRequest) => this.tasksOf(anyRequest)
    return consequencesOf(request, steps, { store, tasksOf, nowMs: this.#options.now() })
  }

  #tellStatus(request: string, status: Awaited<ReturnType<typeof consequencesOf>>["status"]): void {
    if (status === undefined) return
    this.#options.log.info("request changed state", { request, ...status })
    if (!isOpen(status.status)) this.#commits.whenDurable(() => this.#options.onEnded(request))
  }

  async #settle(task: WaasTask): Promise<void> {
    const write: StoreWrite = { put: "task", record: task, live: false, isRetired: true }
    if (task.request.kind === "sign") this.#commits.add([write], () => this.#tasks.keep(task))
    else await this.#options.store.commit([write])
    this.#retire(task)
  }

  #retire(task: WaasTask): void {
    this.#tasks.forget(task.taskId)
    const request = this.#signing.get(task.request.id)
    if (request?.taskIds.every((id) => !this.#tasks.has(id)) === true) this.#signing.forget(request.signRequestId)
    this.#options.onRetired(task.taskId)
  }
}
