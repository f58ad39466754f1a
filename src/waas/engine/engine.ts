/**
 * The engine: one event at a time, it steps a task (progress.ts), makes the step and all that follows from it durable in
 * one commit, and only then lets frames leave. Whatever it forgets in a crash it reads back from the store, and says again
 * to every node that comes online. Envelopes between nodes pass through and are never kept.
 */
import { randomBytes } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import { CosignerError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { FromNode } from "../../wire/frames.ts"
import { BEFORE_VERSIONS, type NodeVersions } from "../../wire/versions.ts"
import { ApiFailure, notFound } from "../failure.ts"
import type {
  CurveType,
  HolderGroup,
  NodeFencingToken,
  NodeReport,
  ShareSignRequest,
  SignRequest,
  TaskRecord,
  TssRequest,
  Vault,
} from "../store/model.ts"
import type { Store, Write } from "../store/store.ts"
import { awaitingCheckups, latestCheckups } from "./checkups.ts"
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
import { groupsWithNews, untoldEpochs } from "./epochs.ts"
import { isNewest } from "./fencing.ts"
import { type Envelope, frameOf, judgementOf, nodeReport, type Report, receiversOf } from "./frames.ts"
import { Heard } from "./heard.ts"
import { type Clock, type Documents, endedBy, type Pace, type RelayPort } from "./ports.ts"
import {
  cameOnline,
  cancelled,
  connected,
  hasEnded,
  isFinal,
  isSettled,
  reported,
  type Send,
  type Situation,
  type Step,
  ticked,
} from "./progress.ts"
import { isOpen } from "./requests.ts"
import { groupsOf, type ReshareWish, reshareFrom, toBeTold } from "./reshare.ts"
import { shareKeysOf } from "./shareKeys.ts"

export interface EngineOptions {
  readonly store: Store
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
export interface Dropped {
  readonly envelopes: number
  readonly reports: number
}

export class Engine {
  readonly #options: EngineOptions
  /** Every task that still needs something, as the store has it. */
  readonly #live = new Map<string, TaskRecord>()
  readonly #dropped = { envelopes: 0, reports: 0 }
  readonly #heard: Heard
  readonly #known: Set<string>
  /** What each node told in its latest hello; durable with its fencing token. */
  readonly #versions = new Map<string, NodeVersions>()
  #nudgedMs: number
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(options: EngineOptions, nodeIds: readonly string[]) {
    this.#options = options
    this.#known = new Set(nodeIds)
    this.#heard = new Heard(options.now, options.log)
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

  /**
   * Stores a new group. A vault has one main group, and one that is to become it by Recovery or KeyReshare: a further one
   * makes the last that never got its keys Unavailable.
   */
  createGroup(group: HolderGroup): Promise<HolderGroup> {
    return this.#serially(async () => {
      const main =
        group.type === "MainGroup" ? await this.#options.store.groupOf(group.vaultId, "MainGroup", "New") : undefined
      if (main === undefined) return this.#addGroup([], group)
      if (main.shareGroups.length > 0) throw new ApiFailure(2029, `${main.groupId} has some of its keys already`)
      await this.#refuseWhileOpen(main)
      const given: HolderGroup = { ...main, status: "Unavailable" }
      return this.#addGroup([{ put: "group", record: given }], group)
    })
  }

  /**
   * A signing group becomes the main group, and the main group a signing group or Unavailable. Only records change: the
   * nodes' shares are what they were, so a group that is invalid here can still sign for whoever asks its nodes.
   */
  upgradeToMain(groupId: string, original: "Invalidate" | "ConvertToSigningGroup"): Promise<HolderGroup> {
    return this.#serially(async () => {
      const group = await this.#groupAtRest(groupId)
      if (group.type !== "SigningGroup" || group.status !== "Valid") {
        throw new ApiFailure(2029, `a ${group.status} ${group.type} cannot become the main group`)
      }
      const main = await this.#options.store.groupOf(group.vaultId, "MainGroup", "Valid")
      if (main !== undefined) await this.#groupAtRest(main.groupId)
      const upgraded: HolderGroup = { ...group, type: "MainGroup" }
      const before: readonly HolderGroup[] =
        main === undefined
          ? []
          : [original === "Invalidate" ? { ...main, status: "Unavailable" } : { ...main, type: "SigningGroup" }]
      await this.#options.store.commit([...before, upgraded].map((record): Write => ({ put: "group", record })))
      return upgraded
    })
  }

  /**
   * The group is Unavailable from now on. The nodes keep their shares: erasing them is the operators' own decision.
   * Throws 2029 for a main group that has keys.
   */
  deleteGroup(groupId: string): Promise<void> {
    return this.#serially(async () => {
      const group = await this.#groupAtRest(groupId)
      if (group.type === "MainGroup" && group.shareGroups.length > 0 && group.status !== "Unavailable") {
        throw new ApiFailure(2029, "the main group is not deleted; replace it by Recovery or UpgradeToMainGroup")
      }
      await this.#options.store.commit([{ put: "group", record: { ...group, status: "Unavailable" } }])
    })
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
      const group = await this.#groupAtRest(wish.group.groupId)
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
  async tasksOf(request: AnyRequest): Promise<readonly TaskRecord[]> {
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

  async #begin(request: Write, tasks: readonly TaskRecord[]): Promise<void> {
    const open = [...this.#live.values()].filter((task) => !isFinal(task)).length
    if (open + tasks.length > this.#options.openTasks) {
      throw new ApiFailure(
        2026,
        `${open} tasks are in work, and ${this.#options.openTasks} are the most; try again later`,
      )
    }
    const made = tasks.map((record): Write => ({ put: "task", record, live: true }))
    await this.#options.store.commit([request, ...made, ...tasks.flatMap(toBeTold)])
    for (const task of tasks) {
      this.#live.set(task.taskId, task)
      this.#options.log.info("task created", { task: task.taskId, type: task.type, request: task.request.id })
      this.#send(
        task,
        task.nodeIds.map((to): Send => ({ kind: "task", to })),
      )
    }
  }

  async #addGroup(writes: readonly Write[], group: HolderGroup): Promise<HolderGroup> {
    await this.#options.store.commit([...writes, { put: "group", record: group }])
    for (const { nodeId } of group.holders) this.#known.add(nodeId)
    return group
  }

  async #reshareFrom(wish: ReshareWish, target: HolderGroup): Promise<ReshareFrom> {
    await this.#groupAtRest(wish.sourceGroupId)
    const groups = await groupsOf(this.#options.store, target.vaultId)
    return reshareFrom(wish, target, groups, this.#situation())
  }

  /** The group, while no open request makes or replaces its keys: one change of a group at a time. */
  async #groupAtRest(groupId: string): Promise<HolderGroup> {
    const group = await this.#options.store.group(groupId)
    if (group === undefined) throw notFound("key share holder group", groupId)
    await this.#refuseWhileOpen(group)
    for (const task of this.#live.values()) {
      if (isFinal(task) || task.request.kind !== "tss") continue
      const request = await this.#options.store.tssRequest(task.request.id)
      if (request?.source?.groupId !== groupId) continue
      throw new ApiFailure(2029, `the request ${request.tssRequestId} from that group is still open`)
    }
    return group
  }

  async #refuseWhileOpen({ vaultId, groupId }: HolderGroup): Promise<void> {
    const newest = { limit: 1, after: undefined, before: undefined }
    const { items } = await this.#options.store.tssRequests({ vaultId, groupId }, newest)
    const open = items.find(({ status }) => isOpen(status))
    if (open !== undefined) throw new ApiFailure(2029, `the request ${open.tssRequestId} for that group is still open`)
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
    const incarnation = hasEnded(report) ? await this.#incarnationOf(nodeId) : 0
    const arrival = { nodeId, report: nodeReport(report, judgement, incarnation), judgement }
    await this.#commit([{ before: task, ...reported(task, arrival, this.#situation()) }])
  }

  async #incarnationOf(nodeId: string): Promise<number> {
    return (await this.#options.store.fencingToken(nodeId))?.incarnation ?? 0
  }

  /** Whether a report that is no ending may cost a commit: nothing for what was said before, and only so often otherwise. */
  #mayWrite({ taskId, reports }: TaskRecord, nodeId: string, report: NodeReport): boolean {
    if (isDeepStrictEqual(reports[nodeId], report)) return true
    return this.#live.has(taskId) && this.#heard.take(taskId, nodeId)
  }

  #drop(nodeId: string, why: string, { taskId }: Report): void {
    this.#dropped.reports++
    this.#heard.complain(nodeId, why, { task: taskId })
  }

  async #each(step: (task: TaskRecord) => Step): Promise<void> {
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

  async #store({ request }: TaskRecord, steps: readonly Change[]): Promise<readonly Change[]> {
    const nowMs = this.#options.now()
    const { changes, writes, status } = await consequencesOf(request, steps, {
      store: this.#options.store,
      tasksOf: (anyRequest) => this.tasksOf(anyRequest),
      nowMs,
    })
    const tasks = changes.map(({ record }): Write => ({ put: "task", record, live: !isSettled(record, nowMs) }))
    await this.#options.store.commit([...tasks, ...writes])
    for (const { record } of changes) this.#keep(record, nowMs)
    for (const nodeId of await this.#withNews(writes, changes)) {
      if (this.#options.relay.online(nodeId)) await this.#tellOfEpochs(nodeId)
    }
    if (status !== undefined) this.#options.log.info("request changed state", { request: request.id, ...status })
    return changes
  }

  /** Whom what was just written concerns. Participants that are still at it come to the end of their task by themselves. */
  async #withNews(writes: readonly Write[], changes: readonly Change[]): Promise<ReadonlySet<string>> {
    const { store } = this.#options
    const isAtIt = (nodeId: string): boolean =>
      changes.some(({ record: { nodeIds, reports } }) => nodeIds.includes(nodeId) && !hasEnded(reports[nodeId]))
    const told = await Promise.all(groupsWithNews(writes).map((groupId) => store.toldOf(groupId)))
    return new Set([...told.flat().filter((nodeId) => !isAtIt(nodeId)), ...(await awaitingCheckups(writes, store))])
  }

  #keep(record: TaskRecord, nowMs: number): void {
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

  async #settle(task: TaskRecord): Promise<void> {
    await this.#options.store.commit([{ put: "task", record: task, live: false }])
    this.#retire(task.taskId)
  }

  #retire(taskId: string): void {
    this.#live.delete(taskId)
    this.#heard.forget(taskId)
  }

  // ---- frames ------------------------------------------------------------------------------------------------------

  #send(task: TaskRecord, sends: readonly Send[]): void {
    for (const send of sends) {
      const frame = frameOf(task, send, this.#options.documents)
      if (frame !== undefined) this.#options.relay.send(send.to, frame)
    }
  }

  /** How groups went on, then whose shares of what came before are not needed again. What the node knows already, it drops. */
  async #tellOfEpochs(nodeId: string): Promise<void> {
    const { store, relay } = this.#options
    const setUps = await store.successions(nodeId)
    for (const task of untoldEpochs(nodeId, await this.#incarnationOf(nodeId), setUps)) {
      this.#send(task, [{ kind: "certificate", to: nodeId }])
    }
    for (const frame of await latestCheckups(setUps, store)) relay.send(nodeId, frame)
  }

  #relay(from: string, envelope: Envelope): void {
    const receivers = receiversOf(this.#live.get(envelope.taskId), from, envelope)
    if (receivers.length === 0) this.#dropped.envelopes++
    for (const id of receivers) {
      this.#options.relay.send(id, { kind: "envelope", taskId: envelope.taskId, envelope: envelope.envelope })
    }
  }
}
