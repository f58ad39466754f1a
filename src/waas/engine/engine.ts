/**
 * The engine takes requests and hears nodes, one event at a time. What an event changes goes through liveTasks.ts: durable
 * first, then said. Envelopes between nodes pass through and are never kept.
 */
import { isDeepStrictEqual } from "node:util"
import type { SignedStatement } from "../../approvals/approver.ts"
import { CosignerError } from "../../errors.ts"
import type { Awaits, FromNode, Later, Report } from "../../wire/frames.ts"
import { BEFORE_VERSIONS, type NodeVersions } from "../../wire/versions.ts"
import { ApiFailure, notFound } from "../failure.ts"
import type {
  HolderGroup,
  NodeFencingToken,
  NodeReport,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  WaasTask,
} from "../store/model.ts"
import { approvalAdded, awaited, taskOfWord } from "./approvals.ts"
import { isLater } from "./causes.ts"
import { type AnyRequest, missingRecord } from "./consequences.ts"
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
import { RequestEndings } from "./endings.ts"
import { EpochNews } from "./epochNews.ts"
import { isNewest } from "./fencing.ts"
import { type EnvelopeFrame, judgementOf, nodeReport, receiversOf } from "./frames.ts"
import { GroupChanges } from "./groupChanges.ts"
import { ReportQuota } from "./heard.ts"
import { LiveTasks } from "./liveTasks.ts"
import { type EngineLook, lookAt } from "./looked.ts"
import type { EngineOptions } from "./options.ts"
import { passOn } from "./orders.ts"
import { endedBy } from "./ports.ts"
import { cancelled, isFinal, reported, saidLater } from "./progress.ts"
import { hasEnded, missing } from "./quorum.ts"
import { Refreshes } from "./refresh.ts"
import { RelayQuotas } from "./relayQuotas.ts"
import { earlierRequest, isOpen } from "./requests.ts"
import { groupsOf, type ReshareWish, reshareFrom } from "./reshare.ts"
import { shareKeysOf } from "./shareKeys.ts"
import { Turns } from "./turns.ts"

type TssRequestWish = Omit<TssWish, "curves" | "from"> & { readonly reshare: ReshareWish | undefined }

export class Engine {
  readonly #options: EngineOptions
  readonly #live: LiveTasks
  readonly #dropped = { envelopes: 0, reports: 0 }
  readonly #heard: ReportQuota
  readonly #known: Set<string>
  readonly #groups: GroupChanges
  readonly #endings = new RequestEndings()
  readonly #news: EpochNews
  readonly #refreshes: Refreshes
  readonly #quotas = new RelayQuotas()
  /** What each node told in its latest hello; durable with its fencing token. */
  readonly #versions = new Map<string, NodeVersions>()
  readonly #turns = new Turns()

  private constructor(options: EngineOptions, nodeIds: readonly string[]) {
    this.#options = options
    this.#known = new Set(nodeIds)
    this.#heard = new ReportQuota(options.now, options.log)
    this.#news = new EpochNews(options.store)
    this.#live = new LiveTasks({
      ...options,
      news: this.#news,
      versions: (nodeId) => this.versions(nodeId),
      onEnded: (requestId) => this.#endings.ended(requestId),
      onRetired: (taskId) => {
        this.#heard.forget(taskId)
        this.#quotas.forget(taskId)
      },
    })
    this.#refreshes = new Refreshes({
      ...options,
      online: (nodeId) => options.relay.online(nodeId),
      pace: options.refresh,
    })
    this.#groups = new GroupChanges(options.store, () => this.#live.values())
  }

  /** An engine that has read back what was unfinished. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options, await options.store.nodeIds())
    for (const [nodeId, { versions }] of await options.store.fencingTokens()) {
      if (versions !== undefined) engine.#versions.set(nodeId, versions)
    }
    await engine.#live.load()
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

  /** Since the start. */
  get dropped(): { readonly envelopes: number; readonly reports: number } {
    return this.#dropped
  }

  /** For people. */
  look = (): EngineLook => lookAt(this.#live, this.#options.relay, (nodeId) => this.versions(nodeId))

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Stores a new group (groupChanges.ts): its nodes are known from then on. */
  createGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#serially(async () => {
      const created = await this.#groups.create(group)
      for (const { nodeId } of created.holders) this.#known.add(nodeId)
      return created
    })
  }

  /** Stores the vault's main group as its nodes took it over from recovery files. Throws 2029 where the vault has one. */
  importGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#serially(async () => {
      const imported = await this.#groups.import(group)
      for (const { nodeId } of imported.holders) this.#known.add(nodeId)
      return imported
    })
  }

  upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    return this.#serially(() => this.#groups.upgradeToMain(groupId, original))
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#serially(() => this.#groups.delete(groupId))
  }

  /** Throws 2028. In turn with everything else that writes vaults. */
  changeVault(vaultId: string, change: (vault: Vault) => Vault): Promise<Vault> {
    return this.#serially(() => this.#groups.changeVault(vaultId, change))
  }

  /**
   * Begins the key generation of a new group, or a reshare to it. Throws 2029 if the groups are not in a state for that or
   * have a request that is still open, 2006 for nodes that cannot be meant.
   */
  createTssRequest(wish: TssRequestWish): Promise<TssRequest> {
    return this.#serially(() => this.#beginTss(wish))
  }

  /** Begins to sign, or answers the request that came under this request_id before. Throws 30001 if that asked another thing. */
  async createSignRequest(wish: SignWish): Promise<SignRequest> {
    // Signed before its turn comes: the key may be somewhere else, and nobody else is to wait for it.
    const { request, tasks } = await makeSignRequest(wish, await this.#making())
    return this.#durably(async () => {
      const known = await earlierRequest(wish, this.#live, this.#options.store)
      if (known !== undefined) return known
      await this.#live.begin({ put: "signRequest", record: request }, tasks, wish.beside)
      return request
    })
  }

  /** Asks one node to sign with its shares of a group. Throws 30032 for a group without keys, 2006 for a node that is not in it. */
  createShareSignRequest(wish: Omit<ShareSignWish, "shareKeys">): Promise<ShareSignRequest> {
    return this.#serially(async () => {
      const tasksOf = (request: AnyRequest) => this.tasksOf(request)
      const shareKeys = await shareKeysOf(wish.group, wish.nodeId, this.#options.store, tasksOf)
      const { request, tasks } = await makeShareSignRequest({ ...wish, shareKeys }, await this.#making())
      await this.#live.begin({ put: "shareSignRequest", record: request }, tasks)
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

  async cancelSignRequest(id: string): Promise<SignRequest> {
    await this.#durably(async () => this.#cancel(await this.#options.store.signRequest(id), id))
    return (await this.#options.store.signRequest(id)) ?? missingRecord(id)
  }

  /** Keeps a person's word on a task of the request, and brings it to the nodes that have it. Throws 2006 and 60005. */
  addApproval(request: AnyRequest, signed: SignedStatement): Promise<void> {
    return this.#durably(async () => {
      const { task } = taskOfWord(signed, await this.tasksOf(request))
      await this.#live.commit([{ before: task, ...approvalAdded(task, signed, (id) => this.versions(id)) }])
    })
  }

  /** A person's order to a node. False: it cannot be passed on now. */
  order(nodeId: string, order: string): boolean {
    return passOn(this.#options.relay, this.versions(nodeId), nodeId, order)
  }

  /** Resolves when the request has ended, when the signal fires, or when this process stops. */
  whenEnded(requestId: string, signal: AbortSignal): Promise<void> {
    return this.#endings.wait(requestId, signal)
  }

  /** Nobody is kept waiting from now on. */
  close(): void {
    this.#endings.close()
  }

  /** The tasks of a request in their order. */
  tasksOf(request: AnyRequest): Promise<readonly WaasTask[]> {
    return this.#live.tasksOf(request)
  }

  /** Who keeps the tasks of an open request from going on, and why; for people. */
  waitingFor(tasks: readonly WaasTask[]): readonly string[] {
    const at = this.#live.situation()
    return [...new Set(tasks.flatMap((task) => (isFinal(task) ? [] : missing(task, at))))]
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
    // Only a WaaS that adopts asks for groups (waas/adopt.ts); what peers say is the relay's (waas/peerRelay.ts).
    if (frame.kind === "groups" || frame.kind === "peer") return
    if (frame.kind === "readiness") {
      this.#refreshes.told(nodeId, frame.refresh)
      return this.#durably(() => this.#live.onReadiness(nodeId, frame))
    }
    const work = () =>
      frame.kind === "later"
        ? this.#later(nodeId, frame)
        : frame.kind === "awaits"
          ? this.#awaits(nodeId, frame)
          : this.#report(nodeId, frame)
    const isHeard = await this.#heard.inTurn(nodeId, () => this.#durably(work))
    if (!isHeard) this.#drop(nodeId, "report dropped: too many of that node wait", frame)
  }

  onOnline(nodeId: string): Promise<void> {
    return this.#durably(() => this.#live.onOnline(nodeId))
  }

  /** Deadlines, retries, attempts that hang. To be called a few times a second. */
  tick(): Promise<void> {
    return this.#durably(async () => {
      await this.#live.tick()
      await this.#refreshes.begin((wish) => this.#beginTss(wish))
    })
  }

  /** Resolves when everything that came before has been dealt with. */
  idle(): Promise<void> {
    return this.#serially(async () => {})
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  /** In turn, and resolved when what it did is on disk; others go on meanwhile. */
  async #durably<T>(work: () => Promise<T>): Promise<T> {
    const made = await this.#serially(work).catch(async (error: unknown) => {
      // What it was refused for may be another's, that is about to be there.
      await this.#live.durable().catch(() => {})
      throw error
    })
    await this.#live.durable()
    return made
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(work)
  }

  async #beginTss(wish: TssRequestWish): Promise<TssRequest> {
    const group = await this.#groups.atRest(wish.group.groupId)
    const from = wish.reshare && (await this.#reshareFrom(wish.reshare, group))
    if (from === undefined) {
      if (group.status !== "New") throw new ApiFailure(2029, `the group ${group.groupId} is not New`)
      const main = await this.#options.store.groupOf(group.vaultId, "MainGroup", "Valid")
      if (main !== undefined) throw new ApiFailure(2029, `the vault has its keys already: ${main.groupId}`)
    }
    const curves = this.#options.curves
    const { request, tasks } = await makeTssRequest({ ...wish, group, curves, from }, await this.#making())
    await this.#live.begin({ put: "tssRequest", record: request }, tasks)
    return request
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

  async #reshareFrom(wish: ReshareWish, target: HolderGroup): Promise<ReshareFrom> {
    await this.#groups.atRest(wish.sourceGroupId)
    const groups = await groupsOf(this.#options.store, target.vaultId)
    return reshareFrom(wish, target, groups, this.#live.situation())
  }

  async #cancel(request: TssRequest | SignRequest | undefined, id: string): Promise<void> {
    if (request === undefined) throw notFound("request", id)
    if (!isOpen(request.status)) throw new ApiFailure(60005, `the request ${id} has ended: ${request.status}`)
    const why = endedBy(new CosignerError("E-WAA-021", {}))
    const tasks = await this.tasksOf(request)
    await this.#live.commit(tasks.map((before) => ({ before, ...cancelled(before, why) })))
  }

  async #later(nodeId: string, { taskId, digest, code }: Pick<Later, "taskId" | "digest" | "code">): Promise<void> {
    this.#live.leaveAlone(nodeId)
    const task = this.#live.get(taskId)
    if (task?.digest !== digest || !task.nodeIds.includes(nodeId)) return
    await this.#live.commit([{ before: task, ...saidLater(task, nodeId, code, this.#live.situation()) }])
  }

  async #awaits(nodeId: string, frame: Awaits): Promise<void> {
    const task = this.#live.get(frame.taskId)
    const isOfTask = task?.digest === frame.digest && task.nodeIds.includes(nodeId)
    if (!isOfTask || !this.#heard.take(task.taskId, nodeId)) {
      return this.#drop(nodeId, "what a node waits for was dropped: no such task, or said too often", frame)
    }
    await this.#live.commit([{ before: task, ...awaited(task, nodeId, frame) }])
  }

  async #report(nodeId: string, report: Report): Promise<void> {
    const task = await this.#live.find(report.taskId)
    if (task?.digest !== report.digest || !task.nodeIds.includes(nodeId)) {
      return this.#drop(nodeId, "report dropped: no such task for that node", report)
    }
    if (report.status === 160 && isLater(report.code)) return this.#later(nodeId, report)
    // Whose ending stands is heard no more: what it repeats is not judged again, however often it comes.
    if (hasEnded(task.reports[nodeId])) {
      return this.#live.send(task, hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : [])
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
    await this.#live.commit([{ before: task, ...reported(task, arrival, this.#live.situation()) }])
  }

  /** Whether a report that is no ending may cost a commit: nothing for what was said before, and only so often otherwise. */
  #mayWrite({ taskId, reports }: WaasTask, nodeId: string, report: NodeReport): boolean {
    if (isDeepStrictEqual(reports[nodeId], report)) return true
    return this.#live.has(taskId) && this.#heard.take(taskId, nodeId)
  }

  #drop(nodeId: string, why: string, { taskId }: Pick<Report, "taskId">): void {
    this.#dropped.reports++
    this.#heard.complain(nodeId, why, { task: taskId })
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

  #relay(from: string, envelope: EnvelopeFrame): void {
    const task = this.#live.get(envelope.taskId)
    const receivers = receiversOf(task, from, envelope)
    if (task === undefined || !this.#quotas.takes(task, from, receivers, envelope)) {
      this.#dropped.envelopes++
      return
    }
    for (const id of receivers) {
      this.#options.relay.send(id, { kind: "envelope", taskId: envelope.taskId, envelope: envelope.envelope })
    }
  }
}
