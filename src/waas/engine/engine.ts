/**
 * The engine takes requests and hears nodes, one event at a time. What an event changes goes through liveTasks.ts: durable
 * first, then said. Envelopes between nodes pass through and are never kept. Where several replicas serve one store each works on its
 * own requests; what it is asked about those of others it answers from the store, or leaves for them there (errands.ts).
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

/** Tasks of a replica that is gone, at one tick. */
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
  /** Connections of one node, one after another. */
  readonly #admissions = new KeyedTurns()
  readonly #errands: Errands
  readonly #handOvers: HandOvers
  readonly #subscription: Disposable
  /** There may be. */
  #hasOrphans = true

  private constructor(options: EngineOptions, known: KnownNodes) {
    this.#options = options
    this.#known = known
    this.#news = new EpochNews(options.store)
    this.#live = new LiveTasks({
      ...options,
      news: this.#news,
      versions: (nodeId) => known.versions(nodeId),
      // Here it is heard as everywhere (#onNews).
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

  /** An engine that has read back what was unfinished. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options, await KnownNodes.open(options.store))
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
    return this.#known.versions(nodeId)
  }

  /** Since the start. */
  get dropped(): { readonly envelopes: number; readonly reports: number } {
    return this.#nodes.dropped
  }

  /** For people. */
  look = (): EngineLook => lookAt(this.#live, this.#options.relay, (nodeId) => this.versions(nodeId))

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Stores a new group (groupChanges.ts): its nodes are known from then on. */
  createGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#withNodes(() => this.#groups.create(group))
  }

  /** Stores the vault's main group as its nodes took it over from recovery files. Throws 2029 where the vault has one. */
  importGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#withNodes(() => this.#groups.import(group))
  }

  upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    return this.#setUps(() => this.#groups.upgradeToMain(groupId, original))
  }

  deleteGroup(groupId: string): Promise<void> {
    return this.#setUps(() => this.#groups.delete(groupId))
  }

  /** Throws 2028. In turn with everything else that writes vaults. */
  changeVault(vaultId: string, change: (vault: Vault) => Vault): Promise<Vault> {
    return this.#setUps(() => this.#groups.changeVault(vaultId, change))
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
    const begin = () =>
      this.#durably(async () => {
        const known = await earlierRequest(wish, this.#live, this.#options.store)
        if (known !== undefined) return known
        await this.#live.begin({ put: "signRequest", record: request }, tasks, wish.beside)
        await this.#live.pump()
        return request
      })
    // Until it is durable: the same at another replica finds it then.
    return this.#options.shared.exclusively(`request ${wish.requestId}`, begin)
  }

  /** Asks one node to sign with its shares of a group. Throws 30032 for a group without keys, 2006 for a node that is not in it. */
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

  /** Throws 2028, 60005 once the request has ended, and E-WAA-085 where its own replica does not answer. */
  cancelTssRequest(id: string): Promise<TssRequest> {
    return this.#errands.cancelled(id, () => this.#options.store.tssRequest(id))
  }

  cancelSignRequest(id: string): Promise<SignRequest> {
    return this.#errands.cancelled(id, () => this.#options.store.signRequest(id))
  }

  /** Keeps a person's word on a task of the request, and brings it to the nodes that have it. Throws 2006, 60005 and E-WAA-085. */
  addApproval(request: AnyRequest, signed: SignedStatement): Promise<void> {
    return this.#errands.addApproval(request, signed)
  }

  /** A person's order to a node. False: it cannot be passed on now. */
  order(nodeId: string, order: string): boolean {
    return passOn(this.#options.relay, this.versions(nodeId), nodeId, order)
  }

  /**
   * Resolves when the request has ended, when it may have, when the signal fires, or when this process stops. False: it is not waited
   * for any more.
   */
  whenEnded(requestId: string, signal: AbortSignal): Promise<boolean> {
    return this.#endings.wait(requestId, signal)
  }

  /** Whether this replica works on the request, and so hears of its end for certain. */
  worksOn(request: AnyRequest): boolean {
    return this.#live.worksOn(request)
  }

  /** Nobody is kept waiting from now on. */
  close(): void {
    this.#subscription[Symbol.dispose]()
    this.#endings.close()
  }

  /** The tasks of a request in their order. */
  tasksOf(request: AnyRequest): Promise<readonly WaasTask[]> {
    return this.#live.tasksOf(request)
  }

  /** Who keeps the tasks of an open request from going on, and why; for people. Of those of another replica only that one knows. */
  waitingFor(tasks: readonly WaasTask[]): readonly string[] {
    const at = this.#live.situation()
    const own = tasks.filter((task) => !isFinal(task) && this.#live.atWork.has(task.taskId))
    return [...new Set(own.flatMap((task) => missing(task, at)))]
  }

  /** Whether a node may work, and if so how far it has come and what it speaks: durable when it resolves. */
  admitFencingToken(nodeId: string, now: NodeFencingToken): ReturnType<SharedStore["admit"]> {
    return this.#admissions.take(nodeId, async () => {
      const admission = await this.#options.shared.admit(nodeId, now)
      if (admission === "newest") this.#known.speaks(nodeId, now.versions)
      return admission
    })
  }

  /** The connection with which that start of the node was let in has ended. */
  left(nodeId: string, bootId: string): Promise<void> {
    return this.#admissions.take(nodeId, () => this.#options.shared.left(nodeId, bootId))
  }

  // ---- what happens ------------------------------------------------------------------------------------------------

  /** A frame of a node whose identity the relay has proven. Never rejects but for a store that fails. */
  async onFrame(nodeId: string, frame: FromNode): Promise<void> {
    if (frame.kind === "envelope") return this.#nodes.relay(nodeId, frame)
    // Only a WaaS that adopts asks for groups (waas/adopt.ts); what peers say is the relay's (waas/peerRelay.ts).
    if (frame.kind === "groups" || frame.kind === "peer") return
    if (frame.kind === "readiness") {
      this.#refreshes.told(nodeId, frame.refresh)
      return this.#durably(() => this.#live.onReadiness(nodeId, frame))
    }
    await this.#nodes.onFrame(nodeId, frame)
  }

  onOnline(nodeId: string, peer: PeerMemory): Promise<void> {
    return this.#durably(() => this.#live.onOnline(nodeId, peer))
  }

  /** Deadlines, retries, attempts that hang. To be called a few times a second. */
  tick(): Promise<void> {
    return this.#durably(async () => {
      if (this.#hasOrphans) await this.#takeOver()
      await this.#live.tick().catch((error: unknown) => this.#reload(error))
      await this.#handOvers.look()
      await this.#known.lookIfWanted()
      if (this.#options.shared.isLeader()) await this.#refreshes.begin((wish) => this.#beginTss(wish))
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

  /** In turn with all replicas. */
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

  /** Requests that nobody works on: as after a restart of whoever did. */
  async #takeOver(): Promise<void> {
    this.#hasOrphans = false
    const taken = await this.#options.shared.takeOver(MOST_TAKEN).catch((error: unknown) => {
      this.#hasOrphans = true
      throw error
    })
    if (taken.length === 0) return
    // Until there are none: others take theirs meanwhile.
    this.#hasOrphans = true
    this.#options.log.info("requests that nobody works on were taken over", { tasks: taken.length })
    await this.#live.takeOver(taken)
    this.#onNews({ kind: "errands" })
  }

  /** Where another replica works on what this one thought its own, the store knows better: nothing here waits for that. */
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
    for (const look of looks) void look.catch((error: unknown) => this.#unseen(error))
  }

  #unseen(error: unknown): void {
    const sentence = "what other replicas left here could not be looked at; it is tried again"
    this.#options.log.warn(sentence, { error: errorText(error) })
  }
}
