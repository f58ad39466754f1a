/**
 * The engine: one event at a time, it steps a task (progress.ts), makes the step and all that follows from it durable in
 * one commit, and only then lets frames leave. Whatever it forgets in a crash it reads back from the store, and says again
 * to every node that comes online. Envelopes between nodes pass through and are never kept.
 */
import { randomBytes } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { CosignerError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import type { FromNode, Report } from "../../wire/frames.ts"
import { BEFORE_VERSIONS, type NodeVersions } from "../../wire/versions.ts"
import { ApiFailure, notFound } from "../failure.ts"
import type {
  CurveType,
  HolderGroup,
  NodeFencingToken,
  NodeReport,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  WaasTask,
} from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import { type AnyRequest, type Change, consequencesOf, missingRecord } from "./consequences.ts"
import {
  type Making,
  makeShareSignRequest,
  makeSignRequest,
  makeTssRequest,
  type ReshareFrom,
  type ShareSignWish,
  type SignWish,
  type TssWish,
} from "./create.ts"
import { EpochNews } from "./epochNews.ts"
import { isNewest } from "./fencing.ts"
import { type EnvelopeFrame, frameOf, judgementOf, nodeReport, receiversOf } from "./frames.ts"
import { GroupChanges } from "./groupChanges.ts"
import { ReportQuota } from "./heard.ts"
import { type Documents, endedBy, type Pace, type RelayPort } from "./ports.ts"
import {
  cameOnline,
  cancelled,
  connected,
  hasEnded,
  isFinal,
  isSettled,
  type OutgoingFrame,
  type ProgressStep,
  reported,
  type Situation,
  ticked,
} from "./progress.ts"
import { isOpen } from "./requests.ts"
import { groupsOf, type ReshareWish, reshareFrom, toBeTold } from "./reshare.ts"
import { shareKeysOf } from "./shareKeys.ts"

export interface EngineOptions {
  readonly store: WaasStore
  readonly relay: RelayPort
  readonly documents: Documents
  readonly now: Clock
  readonly pace: Pace
  /** What a KeyGen request makes a key on. */
  readonly curves: readonly CurveType[]
  readonly organisationName: string
  /** Tasks in work at one time; more are refused with 2026. */
  readonly openTasks: number
  readonly log: Log
}

/** What was dropped, since the start. */
interface Dropped {
  readonly envelopes: number
  readonly reports: number
}

export class Engine {
  readonly #options: EngineOptions
  /** Every task that still needs something, as the store has it. */
  readonly #live = new Map<string, WaasTask>()
  readonly #dropped = { envelopes: 0, reports: 0 }
  readonly #heard: ReportQuota
  readonly #known: Set<string>
  readonly #groups: GroupChanges
  readonly #news: EpochNews
  /** What each node told in its latest hello; durable with its fencing token. */
  readonly #versions = new Map<string, NodeVersions>()
  #nudgedMs: number
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(options: EngineOptions, nodeIds: readonly string[]) {
    this.#options = options
    this.#known = new Set(nodeIds)
    this.#heard = new ReportQuota(options.now, options.log)
    this.#groups = new GroupChanges(options.store, () => this.#live.values())
    this.#news = new EpochNews(options.store)
    this.#nudgedMs = options.now()
  }

  /** An engine that has read back what was unfinished. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options, await options.store.nodeIds())
    for (const [nodeId, { versions }] of await options.store.fencingTokens()) {
      if (versions !== undefined) engine.#versions.set(nodeId, versions)
    }
    for (const task of await options.store.liveTasks()) engine.#live.set(task.taskId, task)
    await engine.tick()
    return engine
  }

  /** Whether any group names the node: nobody else may stay connected. */
  isKnownNode(nodeId: string): boolean {
    return this.#known.has(nodeId)
  }

  /** What the node speaks, as it told when it last connected. */
  versions(nodeId: string): NodeVersions {
    return this.#versions.get(nodeId) ?? BEFORE_VERSIONS
  }

  get dropped(): Dropped {
    return this.#dropped
  }

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Stores a new group (groupChanges.ts): its nodes are known from then on. */
  createGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#serially(async () => {
      const created = await this.#groups.create(group)
      for (const { nodeId } of created.holders) this.#known.add(nodeId)
      return created
    })
  }

  upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    return this.#serially(() => this.#groups.upgradeToMain(groupId, original))
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#serially(() => this.#groups.delete(groupId))
  }

  /** Throws 2028. In turn with everything else that writes vaults. */
  renameVault(vaultId: string, name: string): Promise<Vault> {
    return this.#serially(async () => {
      const vault = await this.#options.store.vault(vaultId)
      if (vault === undefined) throw notFound("vault", vaultId)
      const renamed: Vault = { ...vault, name }
      await this.#options.store.commit([{ put: "vault", record: renamed }])
      return renamed
    })
  }

  /**
   * Begins the key generation of a new group, or a reshare to it. Throws 2029 if the groups are not in a state for that or
   * have a request that is still open, 2006 for nodes that cannot be meant.
   */
  createTssRequest(
    wish: Omit<TssWish, "curves" | "from"> & { readonly reshare: ReshareWish | undefined },
  ): Promise<TssRequest> {
    return this.#serially(async () => {
      const group = await this.#groups.atRest(wish.group.groupId)
      const from = wish.reshare && (await this.#reshareFrom(wish.reshare, group))
      if (from === undefined) {
        if (group.status !== "New") throw new ApiFailure(2029, `the group ${group.groupId} is not New`)
        const main = await this.#options.store.groupOf(group.vaultId, "MainGroup", "Valid")
        if (main !== undefined) throw new ApiFailure(2029, `the vault has its keys already: ${main.groupId}`)
      }
      const curves = this.#options.curves
      const { request, tasks } = makeTssRequest({ ...wish, group, curves, from }, await this.#making())
      await this.#begin({ put: "tssRequest", record: request }, tasks)
      return request
    })
  }

  /** Begins to sign, or answers the request that came under this request_id before. Throws 30001 if that asked another thing. */
  createSignRequest(wish: SignWish): Promise<SignRequest> {
    return this.#serially(async () => {
      const known = await this.#options.store.signRequestOf(wish.requestId)
      if (known !== undefined) {
        if (known.fingerprint === wish.fingerprint) return known
        throw new ApiFailure(30001, `request_id ${wish.requestId} was used for another request`)
      }
      const { request, tasks } = makeSignRequest(wish, await this.#making())
      await this.#begin({ put: "signRequest", record: request }, tasks)
      return request
    })
  }

  /** Asks one node to sign with its shares of a group. Throws 30032 for a group without keys, 2006 for a node that is not in it. */
  createShareSignRequest(wish: Omit<ShareSignWish, "shareKeys">): Promise<ShareSignRequest> {
    return this.#serially(async () => {
      const shareKeys = await shareKeysOf(wish.group, wish.nodeId, this.#options.store, (request) =>
        this.tasksOf(request),
      )
      const { request, tasks } = makeShareSignRequest({ ...wish, shareKeys }, await this.#making())
      await this.#begin({ put: "shareSignRequest", record: request }, tasks)
      return request
    })
  }

  /** Throws 2028, and 60005 once the request has ended. */
  cancelTssRequest(id: string): Promise<TssRequest> {
    return this.#serially(async () => {
      await this.#cancel(await this.#options.store.tssRequest(id), id)
      return (await this.#options.store.tssRequest(id)) ?? missingRecord(id)
    })
  }

  cancelSignRequest(id: string): Promise<SignRequest> {
    return this.#serially(async () => {
      await this.#cancel(await this.#options.store.signRequest(id), id)
      return (await this.#options.store.signRequest(id)) ?? missingRecord(id)
    })
  }

  /** The tasks of a request in their order. */
  async tasksOf(request: AnyRequest): Promise<readonly WaasTask[]> {
    const tasks = await Promise.all(
      request.taskIds.map(async (id) => this.#live.get(id) ?? this.#options.store.task(id)),
    )
    return tasks.flatMap((task) => task ?? [])
  }

  /** Whether a node may work, and if so how far it has come and what it speaks: durable when it resolves. */
  admitFencingToken(nodeId: string, now: NodeFencingToken): Promise<boolean> {
    return this.#serially(async () => {
      if (!isNewest(now, await this.#options.store.fencingToken(nodeId))) return false
      await this.#options.store.commit([{ put: "fencingToken", nodeId, record: now }])
      this.#versions.set(nodeId, now.versions ?? BEFORE_VERSIONS)
      return true
    })
  }

  // ---- what happens ------------------------------------------------------------------------------------------------

  /** A frame of a node whose identity the relay has proven. Never rejects but for a store that fails. */
  async onFrame(nodeId: string, frame: FromNode): Promise<void> {
    if (frame.kind === "envelope") return this.#relay(nodeId, frame)
    const isHeard = await this.#heard.inTurn(nodeId, () => this.#serially(() => this.#report(nodeId, frame)))
    if (!isHeard) this.#drop(nodeId, "report dropped: too many of that node wait", frame)
  }

  onOnline(nodeId: string): Promise<void> {
    return this.#serially(async () => {
      // First, so that the node knows its epochs before it is asked anything else.
      await this.#tellOfEpochs(nodeId)
      await this.#each((task) => connected(task, nodeId, this.#situation()))
    })
  }

  /** Deadlines, retries, attempts that hang. To be called a few times a second. */
  tick(): Promise<void> {
    return this.#serially(async () => {
      await this.#each((task) => ticked(task, this.#situation()))
      for (const task of [...this.#live.values()]) {
        if (isSettled(task, this.#options.now())) await this.#settle(task)
      }
      if (this.#options.now() >= this.#nudgedMs + this.#options.pace.nudgeMs) await this.#nudge()
    })
  }

  /** Resolves when everything that came before has been dealt with. */
  idle(): Promise<void> {
    return this.#serially(async () => {})
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work)
    this.#tail = done.catch(() => {})
    return done
  }

  #situation(): Situation {
    return {
      nowMs: this.#options.now(),
      pace: this.#options.pace,
      online: (nodeId) => this.#options.relay.online(nodeId),
      versions: (nodeId) => this.versions(nodeId),
      newNonce: () => randomBytes(16).toString("hex"),
    }
  }

  async #making(): Promise<Making> {
    return {
      documents: this.#options.documents,
      now: this.#options.now,
      online: (nodeId) => this.#options.relay.online(nodeId),
      organisation: await this.#options.store.organisation(),
      organisationName: this.#options.organisationName,
    }
  }

  async #begin(request: StoreWrite, tasks: readonly WaasTask[]): Promise<void> {
    const open = [...this.#live.values()].filter((task) => !isFinal(task)).length
    if (open + tasks.length > this.#options.openTasks) {
      throw new ApiFailure(
        2026,
        `${open} tasks are in work, and ${this.#options.openTasks} are the most; try again later`,
      )
    }
    const made = tasks.map((record): StoreWrite => ({ put: "task", record, live: true }))
    await this.#options.store.commit([request, ...made, ...tasks.flatMap(toBeTold)])
    for (const task of tasks) {
      this.#live.set(task.taskId, task)
      this.#options.log.info("task created", { task: task.taskId, type: task.type, request: task.request.id })
      this.#send(
        task,
        task.nodeIds.map((to): OutgoingFrame => ({ kind: "task", to })),
      )
    }
  }

  async #reshareFrom(wish: ReshareWish, target: HolderGroup): Promise<ReshareFrom> {
    await this.#groups.atRest(wish.sourceGroupId)
    const groups = await groupsOf(this.#options.store, target.vaultId)
    return reshareFrom(wish, target, groups, this.#situation())
  }

  async #cancel(request: TssRequest | SignRequest | undefined, id: string): Promise<void> {
    if (request === undefined) throw notFound("request", id)
    if (!isOpen(request.status)) throw new ApiFailure(60005, `the request ${id} has ended: ${request.status}`)
    const why = endedBy(new CosignerError("E-WAA-021", {}))
    const tasks = await this.tasksOf(request)
    await this.#commit(tasks.map((before) => ({ before, ...cancelled(before, why) })))
  }

  async #report(nodeId: string, report: Report): Promise<void> {
    const task = this.#live.get(report.taskId) ?? (await this.#options.store.task(report.taskId))
    if (task?.digest !== report.digest || !task.nodeIds.includes(nodeId)) {
      return this.#drop(nodeId, "report dropped: no such task for that node", report)
    }
    // Whose ending stands is heard no more: what it repeats is not judged again, however often it comes.
    if (hasEnded(task.reports[nodeId])) {
      return this.#send(task, hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : [])
    }
    const judgement = judgementOf(task, report)
    if (judgement?.kind === "refused") {
      this.#options.log.warn("outcome refused", { node: nodeId, task: task.taskId, problem: judgement.problem })
    }
    if (!hasEnded(report) && !this.#mayWrite(task, nodeId, nodeReport(report, judgement, 0))) {
      return this.#drop(nodeId, "report dropped: that node says too much of one task", report)
    }
    const incarnation = hasEnded(report) ? await this.#news.incarnationOf(nodeId) : 0
    const arrival = { nodeId, report: nodeReport(report, judgement, incarnation), judgement }
    await this.#commit([{ before: task, ...reported(task, arrival, this.#situation()) }])
  }

  /** Whether a report that is no ending may cost a commit: nothing for what was said before, and only so often otherwise. */
  #mayWrite({ taskId, reports }: WaasTask, nodeId: string, report: NodeReport): boolean {
    if (isDeepStrictEqual(reports[nodeId], report)) return true
    return this.#live.has(taskId) && this.#heard.take(taskId, nodeId)
  }

  #drop(nodeId: string, why: string, { taskId }: Report): void {
    this.#dropped.reports++
    this.#heard.complain(nodeId, why, { task: taskId })
  }

  async #each(step: (task: WaasTask) => ProgressStep): Promise<void> {
    for (const { taskId } of [...this.#live.values()]) {
      // A sibling's step may have changed it meanwhile.
      const before = this.#live.get(taskId)
      if (before !== undefined) await this.#commit([{ before, ...step(before) }])
    }
  }

  /** Makes the steps of one request's tasks and everything that follows from them durable, then sends. */
  async #commit(steps: readonly Change[]): Promise<void> {
    const stepped = steps.filter(({ before, record }) => record !== before)
    const repeated = steps.filter(({ before, record }) => record === before)
    const changes = stepped[0] === undefined ? [] : await this.#store(stepped[0].record, stepped)
    for (const { record, send } of [...changes, ...repeated]) this.#send(record, send)
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
    for (const nodeId of await this.#news.concerned(writes, changes)) {
      if (this.#options.relay.online(nodeId)) await this.#tellOfEpochs(nodeId)
    }
    if (status !== undefined) this.#options.log.info("request changed state", { request: request.id, ...status })
    return changes
  }

  #keep(record: WaasTask, nowMs: number): void {
    if (isSettled(record, nowMs)) this.#retire(record.taskId)
    else this.#live.set(record.taskId, record)
    this.#options.log.debug("task changed state", { task: record.taskId, state: record.state, attempt: record.attempt })
  }

  async #nudge(): Promise<void> {
    this.#nudgedMs = this.#options.now()
    const nodes = new Set([...this.#live.values()].flatMap((task) => task.nodeIds))
    for (const node of nodes) {
      if (this.#options.relay.online(node)) await this.#each((task) => cameOnline(task, node, this.#situation()))
    }
  }

  async #settle(task: WaasTask): Promise<void> {
    await this.#options.store.commit([{ put: "task", record: task, live: false }])
    this.#retire(task.taskId)
  }

  #retire(taskId: string): void {
    this.#live.delete(taskId)
    this.#heard.forget(taskId)
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

  #send(task: WaasTask, sends: readonly OutgoingFrame[]): void {
    for (const send of sends) {
      const frame = frameOf(task, send, this.#options.documents)
      if (frame !== undefined) this.#options.relay.send(send.to, frame)
    }
  }

  async #tellOfEpochs(nodeId: string): Promise<void> {
    const { certificates, checkups } = await this.#news.untold(nodeId)
    for (const task of certificates) this.#send(task, [{ kind: "certificate", to: nodeId }])
    for (const frame of checkups) this.#options.relay.send(nodeId, frame)
  }

  #relay(from: string, envelope: EnvelopeFrame): void {
    const receivers = receiversOf(this.#live.get(envelope.taskId), from, envelope)
    if (receivers.length === 0) this.#dropped.envelopes++
    for (const id of receivers) {
      this.#options.relay.send(id, { kind: "envelope", taskId: envelope.taskId, envelope: envelope.envelope })
    }
  }
}
