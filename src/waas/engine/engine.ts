/**
 * The engine of WaaS: it takes requests from the API and frames from nodes, and handles one at a time. liveTasks.ts makes every change
 * durable before a frame about it leaves. Envelopes between nodes are relayed and never stored. Where several replicas serve one store,
 * each works on requests of its own: questions about others it answers from the store, and orders for them it leaves there (errands.ts).
 */
import type { SignedStatement } from "../../approvals/approver.ts"
import { errorText, isCode } from "../../errors.ts"
import type { PeerMemory } from "../../wire/channel.ts"
import type { FromNode } from "../../wire/frames.ts"
import type { NodeVersions } from "../../wire/versions.ts"
import { ApiFailure } from "../failure.ts"
import type {
  HolderGroup,
  NodeFencingToken,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  WaasTask,
} from "../store/model.ts"
import type { SharedStore, StoreNews } from "../store/shared.ts"
import type { AnyRequest } from "./consequences.ts"
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
import { Errands } from "./errands.ts"
import { GroupChanges } from "./groupChanges.ts"
import { HandOvers } from "./handOvers.ts"
import { KnownNodes } from "./knownNodes.ts"
import { LiveTasks, SET_UPS } from "./liveTasks.ts"
import { type EngineLook, lookAt } from "./looked.ts"
import { NodesSay } from "./nodesSay.ts"
import type { EngineOptions } from "./options.ts"
import { passOn } from "./orders.ts"
import { isFinal } from "./progress.ts"
import { missing } from "./quorum.ts"
import { Refreshes } from "./refresh.ts"
import { earlierRequest } from "./requests.ts"
import { groupsOf, type ReshareWish, reshareFrom } from "./reshare.ts"
import { shareKeysOf } from "./shareKeys.ts"
import { KeyedTurns, Turns } from "./turns.ts"

type TssRequestWish = Omit<TssWish, "curves" | "from"> & { readonly reshare: ReshareWish | undefined }

/** The most tasks of replicas that are gone that one tick takes over. */
const MOST_TAKEN = 256

export class Engine {
  readonly #options: EngineOptions
  readonly #live: LiveTasks
  readonly #nodes: NodesSay
  readonly #known: KnownNodes
  readonly #groups: GroupChanges
  readonly #endings = new RequestEndings()
  readonly #news: EpochNews
  readonly #refreshes: Refreshes
  readonly #turns = new Turns()
  /** A node's connections are admitted and taken leave of one after another; those of other nodes do not wait for them. */
  readonly #admissions = new KeyedTurns()
  readonly #errands: Errands
  readonly #handOvers: HandOvers
  readonly #subscription: Disposable
  /** Whether there may be tasks that no replica works on. */
  #hasOrphans = true

  private constructor(options: EngineOptions, known: KnownNodes) {
    this.#options = options
    this.#known = known
    this.#news = new EpochNews(options.store)
    this.#live = new LiveTasks({
      ...options,
      news: this.#news,
      versions: (nodeId) => known.versions(nodeId),
      // This process hears its own news too (#onNews).
      onEnded: (requestId) => options.shared.tell({ kind: "ended", requestId }),
      onRetired: (taskId) => this.#nodes.forget(taskId),
    })
    const own = { ...options, live: this.#live, news: this.#news, endings: this.#endings }
    this.#nodes = new NodesSay({ ...own, durably: (work) => this.#durably(work) })
    this.#errands = new Errands({
      ...own,
      versions: (nodeId) => known.versions(nodeId),
      durably: (work) => this.#durably(work),
    })
    const online = (nodeId: string) => options.relay.online(nodeId)
    this.#handOvers = new HandOvers({ ...own, online })
    this.#refreshes = new Refreshes({
      ...options,
      online,
      pace: options.refresh,
    })
    this.#groups = new GroupChanges(options.store)
    this.#subscription = options.shared.subscribe((news) => this.#onNews(news))
  }

  /** Makes an engine that goes on with the unfinished tasks of this replica, which it reads from the store. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options, await KnownNodes.open(options.store))
    await engine.#live.load()
    await engine.tick()
    return engine
  }

  /** Whether any group names the node: only such a node may stay connected. */
  isKnownNode(nodeId: string): boolean {
    return this.#known.has(nodeId)
  }

  /** The protocol versions that the node told when it last connected. */
  versions(nodeId: string): NodeVersions {
    return this.#known.versions(nodeId)
  }

  /** How many envelopes and reports of nodes were dropped since this process started. */
  get dropped(): { readonly envelopes: number; readonly reports: number } {
    return this.#nodes.dropped
  }

  /** What the engine knows of nodes and open tasks, for people. */
  look = (): EngineLook => lookAt(this.#live, this.#options.relay, (nodeId) => this.versions(nodeId))

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Stores a new group, whose nodes are known from then on. Throws 2029 (groupChanges.ts). */
  createGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#withNodes(() => this.#groups.create(group))
  }

  /** Stores a main group whose nodes took their shares from recovery files. Throws 2028, and 2029 for a vault that has keys already. */
  importGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#withNodes(() => this.#groups.import(group))
  }

  /** Makes a signing group the main group of its vault. Throws 2028, 2029 (groupChanges.ts). */
  upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    return this.#setUps(() => this.#groups.upgradeToMain(groupId, original))
  }

  /** Makes the group Unavailable. Throws 2028, 2029 (groupChanges.ts). */
  deleteGroup(groupId: string): Promise<void> {
    return this.#setUps(() => this.#groups.delete(groupId))
  }

  /** Replaces the vault by `change` of it, while nothing else writes vaults. Throws 2028. */
  changeVault(vaultId: string, change: (vault: Vault) => Vault): Promise<Vault> {
    return this.#setUps(() => this.#groups.changeVault(vaultId, change))
  }

  /**
   * Begins the key generation of a new group, or a reshare to a group. Throws 2028 for an unknown group, 2029 if the groups are not in a
   * state for it or have an open request, 2006 and 30032 for dealers that do not fit, 2026 if too many tasks are in work.
   */
  createTssRequest(wish: TssRequestWish): Promise<TssRequest> {
    return this.#serially(() => this.#beginTss(wish))
  }

  /**
   * Begins to sign, or returns the request that came under this request_id before. Throws 30001 if that one asked for something else,
   * 30032 and 2006 for what cannot be signed, 2026 if too many tasks are in work.
   */
  async createSignRequest(wish: SignWish): Promise<SignRequest> {
    // The documents are signed outside the queue: a signing key that is elsewhere may be slow, and nothing else should wait for it.
    const { request, tasks } = await makeSignRequest(wish, await this.#making())
    const begin = () =>
      this.#durably(async () => {
        const known = await earlierRequest(wish, this.#live, this.#options.store)
        if (known !== undefined) return known
        await this.#live.begin({ put: "signRequest", record: request }, tasks, wish.beside)
        await this.#live.pump()
        return request
      })
    // Held until the request is durable, so that another replica that is asked the same finds it.
    return this.#options.shared.exclusively(`request ${wish.requestId}`, begin)
  }

  /** Asks one node to sign with its shares of a group. Throws 30032 for a group without keys, 2006 for a node without a share, 2026. */
  createShareSignRequest(wish: Omit<ShareSignWish, "shareKeys">): Promise<ShareSignRequest> {
    return this.#serially(async () => {
      const tasksOf = (request: AnyRequest) => this.tasksOf(request)
      const shareKeys = await shareKeysOf(wish.group, wish.nodeId, this.#options.store, tasksOf)
      const { request, tasks } = await makeShareSignRequest({ ...wish, shareKeys }, await this.#making())
      await this.#live.begin({ put: "shareSignRequest", record: request }, tasks)
      await this.#live.pump()
      return request
    })
  }

  /** Ends the request. Throws 2028, 60005 if it has ended otherwise, E-WAA-085 if the replica that works on it does not answer. */
  cancelTssRequest(id: string): Promise<TssRequest> {
    return this.#errands.cancelled(id, () => this.#options.store.tssRequest(id))
  }

  /** Ends the request. Throws as cancelTssRequest does. */
  cancelSignRequest(id: string): Promise<SignRequest> {
    return this.#errands.cancelled(id, () => this.#options.store.signRequest(id))
  }

  /** Keeps an approver's statement on a task of the request, and sends it to the nodes that have the task (errands.ts). */
  addApproval(request: AnyRequest, signed: SignedStatement): Promise<void> {
    return this.#errands.addApproval(request, signed)
  }

  /** Passes a person's order on to a node. False if the node is offline or takes no orders. */
  order(nodeId: string, order: string): boolean {
    return passOn(this.#options.relay, this.versions(nodeId), nodeId, order)
  }

  /**
   * Resolves when the request has ended or may have ended, when the signal fires, or when this process stops. False if there was no
   * waiting (too many callers wait already) or there will be none any more: a caller that asks again must pause first.
   */
  whenEnded(requestId: string, signal: AbortSignal): Promise<boolean> {
    return this.#endings.wait(requestId, signal)
  }

  /** Whether this replica works on the request. Only then is `whenEnded` certain to notice the end: news of other replicas may be lost. */
  worksOn(request: AnyRequest): boolean {
    return this.#live.worksOn(request)
  }

  /** Ends all waiting for requests, and listens to no more news. */
  close(): void {
    this.#subscription[Symbol.dispose]()
    this.#endings.close()
  }

  /** The tasks of a request in their order. */
  tasksOf(request: AnyRequest): Promise<readonly WaasTask[]> {
    return this.#live.tasksOf(request)
  }

  /** Which nodes the tasks of an open request wait for, and why; for people. Tasks of other replicas are left out: only those know. */
  waitingFor(tasks: readonly WaasTask[]): readonly string[] {
    const at = this.#live.situation()
    const own = tasks.filter((task) => !isFinal(task) && this.#live.atWork.has(task.taskId))
    return [...new Set(own.flatMap((task) => missing(task, at)))]
  }

  /** Whether the node may work (fencing.ts). Its token and versions are durable when this resolves with "newest". */
  admitFencingToken(nodeId: string, now: NodeFencingToken): ReturnType<SharedStore["admit"]> {
    return this.#admissions.take(nodeId, async () => {
      const admission = await this.#options.shared.admit(nodeId, now)
      if (admission === "newest") this.#known.speaks(nodeId, now.versions)
      return admission
    })
  }

  /** A connection has ended that was admitted for that start of the node. */
  left(nodeId: string, bootId: string): Promise<void> {
    return this.#admissions.take(nodeId, () => this.#options.shared.left(nodeId, bootId))
  }

  // ---- what happens ------------------------------------------------------------------------------------------------

  /** Handles a frame of a node whose identity the relay has verified. Rejects only if the store fails. */
  async onFrame(nodeId: string, frame: FromNode): Promise<void> {
    if (frame.kind === "envelope") return this.#nodes.relay(nodeId, frame)
    // "groups" answers a WaaS that adopts (waas/adopt.ts). "peer" is handled by waas/peerRelay.ts.
    if (frame.kind === "groups" || frame.kind === "peer") return
    if (frame.kind === "readiness") {
      this.#refreshes.told(nodeId, frame.refresh)
      return this.#durably(() => this.#live.onReadiness(nodeId, frame))
    }
    await this.#nodes.onFrame(nodeId, frame)
  }

  /** The node has connected. `peer`: what its end of the link remembers of the connection before. */
  onOnline(nodeId: string, peer: PeerMemory): Promise<void> {
    return this.#durably(() => this.#live.onOnline(nodeId, peer))
  }

  /** Ends tasks at their deadline and attempts that hang, begins retries, takes over work. To be called a few times a second. */
  tick(): Promise<void> {
    return this.#durably(async () => {
      if (this.#hasOrphans) await this.#takeOver()
      await this.#live.tick().catch((error: unknown) => this.#reload(error))
      await this.#handOvers.look()
      await this.#known.lookIfWanted()
      if (this.#options.shared.isLeader()) await this.#refreshes.begin((wish) => this.#beginTss(wish))
    })
  }

  /** Resolves when all work that was queued before has run. */
  idle(): Promise<void> {
    return this.#serially(async () => {})
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  /** Runs `work` in its turn, and resolves when its changes are durable. The work after it need not wait for the commit. */
  async #durably<T>(work: () => Promise<T>): Promise<T> {
    const made = await this.#serially(work).catch(async (error: unknown) => {
      // The refusal may rest on an earlier change that is being committed: the caller hears of it only after that.
      await this.#live.durable().catch(() => {})
      throw error
    })
    await this.#live.durable()
    return made
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.take(work)
  }

  /** Runs `work` while no other work, of this or another replica, makes or changes groups. */
  #setUps<T>(work: () => Promise<T>): Promise<T> {
    return this.#serially(() => this.#options.shared.exclusively(SET_UPS, work))
  }

  async #withNodes(make: () => Promise<HolderGroup>): Promise<HolderGroup> {
    const made = await this.#setUps(make)
    const nodeIds = made.holders.map(({ nodeId }) => nodeId)
    if (this.#known.add(nodeIds)) this.#options.shared.tell({ kind: "nodes" })
    return made
  }

  async #beginTss(wish: TssRequestWish): Promise<TssRequest> {
    const request = await this.#options.shared.exclusively(SET_UPS, () => this.#tssBegun(wish))
    await this.#live.pump()
    return request
  }

  async #tssBegun(wish: TssRequestWish): Promise<TssRequest> {
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

  /** Goes on with requests that no replica works on, as their replica would after a restart. */
  async #takeOver(): Promise<void> {
    this.#hasOrphans = false
    const taken = await this.#options.shared.takeOver(MOST_TAKEN).catch((error: unknown) => {
      this.#hasOrphans = true
      throw error
    })
    if (taken.length === 0) return
    // There may be more: the next tick takes more of them. Other replicas take their part meanwhile.
    this.#hasOrphans = true
    this.#options.log.info("requests that nobody works on were taken over", { tasks: taken.length })
    await this.#live.takeOver(taken)
    this.#onNews({ kind: "errands" })
  }

  /** E-WAA-086: another replica works on a task that this one took for its own. The store says which tasks are its own. */
  async #reload(error: unknown): Promise<void> {
    if (isCode(error, "E-WAA-086")) await this.#live.reload()
    throw error
  }

  #onNews(news: StoreNews): void {
    const { kind } = news
    if (kind === "orphans" || kind === "rescan") this.#hasOrphans = true
    if (kind === "ended") this.#endings.ended(news.requestId)
    if (kind === "rescan") this.#endings.mayHaveEnded()
    const looks = [
      ...(kind === "nodes" || kind === "rescan" ? [this.#known.look()] : []),
      ...(kind === "errands" || kind === "rescan" ? [this.#errands.look()] : []),
    ]
    for (const look of looks) void look.catch((error: unknown) => this.#lookFailed(error))
  }

  #lookFailed(error: unknown): void {
    const sentence = "this WaaS could not read what other replicas left for it in the store; it tries again"
    this.#options.log.warn(sentence, { error: errorText(error) })
  }
}
