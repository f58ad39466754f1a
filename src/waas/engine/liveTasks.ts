/**
 * The tasks in work: their steps, with all that follows from them, become durable in one commit, and only then do frames
 * leave. What a crash makes it forget it reads back from the store. The caller runs its methods one after another.
 *
 * Of a signature, durable are its request, the start of each attempt and its end; whom it asked and what nodes said on the way
 * is in memory, and nodes say it again. Commits of one turn of the event loop are one (groupCommit.ts).
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
import { toBeTold } from "./reshare.ts"
import { SigningAtWork } from "./signingAtWork.ts"
import { situationOf } from "./situation.ts"
import { TasksAtWork } from "./tasksAtWork.ts"

/** One replica at a time makes and changes groups, and what becomes of them. */
export const SET_UPS = "set-ups"

interface LiveTasksOptions
  extends Pick<
    EngineOptions,
    "store" | "shared" | "relay" | "documents" | "now" | "pace" | "windows" | "openTasks" | "log"
  > {
  readonly news: EpochNews
  /** What a node speaks, as it told when it last connected. */
  readonly versions: (nodeId: string) => NodeVersions
  /** The request has ended, durably. */
  readonly onEnded: (requestId: string) => void
  /** The task is no longer live. */
  readonly onRetired: (taskId: string) => void
}

/** A queue that is full does not empty in a second. */
const FULL_RETRY_SECONDS = 5
/** So many tasks begin, or are asked for, before the event loop gets its turn again. */
const MOST_AT_ONCE = 64
/** After a longer pause between two ticks this process was stopped or busy, and nobody's silence means anything. */
const MOST_TICK_MS = 1_000

export class LiveTasks {
  readonly #options: LiveTasksOptions
  readonly #tasks: TasksAtWork
  /** The signing requests of those tasks. */
  readonly #signing = new SigningAtWork()
  readonly health: NodeHealth
  readonly #commits: GroupCommit
  readonly #frames: FramesInOrder
  #nudgedMs: number
  /** By the monotonic clock. */
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

  /** Another replica works on some of it: what is this one's is in the store, as after a restart. */
  async reload(): Promise<void> {
    for (const taskId of this.#tasks.ids()) this.#tasks.forget(taskId)
    this.#signing.clear()
    await this.load()
  }

  /** The tasks of a request, which are not at work here any more; all that was done of them is durable. */
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

  /** Tasks of a process that is dead are this one's from now on, with what that one forgot: as after a restart of it. */
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

  /** The tasks that this process works on, to look at. */
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
   * The tasks of a request in their order. Of one that has ended, what is still open here is not this process's any more, which may not
   * have heard of that: another one ended it.
   */
  async tasksOf({ taskIds, status }: AnyRequest): Promise<readonly WaasTask[]> {
    const found = taskIds.map((id) => {
      const task = this.#tasks.get(id)
      return task === undefined || (!isOpen(status) && !isFinal(task)) ? this.#options.store.task(id) : task
    })
    return (await Promise.all(found)).flatMap((task) => task ?? [])
  }

  /** A signing request in work that came under this request_id, durable or about to be. */
  requestUnder(requestId: string): SignRequest | undefined {
    return this.#signing.under(requestId)
  }

  /** Resolves when all that was done so far is durable; rejects if the store did not take it. */
  durable(): Promise<void> {
    return this.#commits.durable()
  }

  /** The same, without waiting for more to write with it. */
  flush(): Promise<void> {
    return this.#commits.flush()
  }

  situation(): Situation {
    return situationOf({ ...this.#options, health: this.health, loads: this.#tasks.loads, isLate: this.#isTickLate })
  }

  /** Stores a request with its tasks; nodes are asked when it is their turn (`pump`). Throws 2026. `beside`: what is stored with them. */
  async begin(request: StoreWrite, tasks: readonly WaasTask[], beside: readonly StoreWrite[] = []): Promise<void> {
    const { openTasks, store, log } = this.#options
    if (this.#tasks.open + tasks.length > openTasks) {
      const what = `${this.#tasks.open} tasks are in work, and ${openTasks} are the most; try again later`
      throw new ApiFailure(2026, what, FULL_RETRY_SECONDS)
    }
    const made = tasks.map((record): StoreWrite => ({ put: "task", record, live: true }))
    const writes = [...beside, request, ...made, ...tasks.flatMap(toBeTold)]
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

  /** The node has connected: it is told first of its epochs, then asked again for what it owes. */
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

  /** The node said later. */
  leaveAlone(nodeId: string): void {
    this.health.leaveAlone(nodeId)
  }

  /** Deadlines, retries, attempts that hang; retires what nobody waits for any more. */
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
      // A sibling's step may have changed it meanwhile.
      const before = this.#tasks.get(taskId)
      if (before === undefined) continue
      const { record, send } = step(before)
      if (record !== before || send.length > 0) await this.#apply([{ before, record, send }])
    }
  }

  /** Begins what is ready, then asks for what waits, as far as nodes have room. */
  async pump(): Promise<void> {
    let tried = 0
    for (const taskId of [...this.#tasks.ready]) {
      if (++tried > MOST_AT_ONCE) break
      const hasBegun = await this.#offer(taskId, (task) => begun(task, this.situation()))
      // To the end: those that wait for a node that is away keep nobody else from beginning.
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

  /** Says again to each node what it owes an answer to: frames and reports may be lost. */
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
    // What follows from a set-up changes groups and vaults, which those of other replicas change too.
    if (request.kind === "tss") {
      return this.#options.shared.exclusively(SET_UPS, () => this.#storeNow(request, steps))
    }
    if (request.kind === "shareSign") return this.#storeNow(request, steps)
    if (!steps.some(isDurable)) {
      // One that was retired stays so: nobody waits for it, and its node is answered.
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

  /** Set-ups and check-ups: what follows from them is read from the store, and each is a commit of its own. */
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
