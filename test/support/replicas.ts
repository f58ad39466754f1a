/**
 * Several replicas of WaaS over one store, in one process: real engines, simulated nodes with a link to each, and what the shared store
 * does for processes (store/sharedPostgres.ts) done in memory over one file. Frames and replicas go as a test wants.
 */
import { randomBytes, randomUUID } from "node:crypto"
import { copy } from "../../src/bytes.ts"
import { CosignerError, isCode } from "../../src/errors.ts"
import { silentLog } from "../../src/log.ts"
import { Secret } from "../../src/secret.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { Engine } from "../../src/waas/engine/engine.ts"
import { isNewest } from "../../src/waas/engine/fencing.ts"
import type { RelayPort } from "../../src/waas/engine/ports.ts"
import type { RefreshPace } from "../../src/waas/engine/refresh.ts"
import { KeyedTurns } from "../../src/waas/engine/turns.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { documentsBy } from "../../src/waas/server.ts"
import type { HolderGroup, SignRequest, TssRequest, Vault } from "../../src/waas/store/model.ts"
import type { KeptErrand, SharedStore, StoreNews } from "../../src/waas/store/shared.ts"
import { createSqliteStore } from "../../src/waas/store/sqlite.ts"
import type { StoreWrite, WaasStore } from "../../src/waas/store/store.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import { decodeCancel, decodeStart, type StartDocument } from "../../src/wire/signed.ts"
import { decodeTask } from "../../src/wire/task.ts"
import { LINK, VERSIONS } from "../../src/wire/versions.ts"
import { T0, TestClock } from "./clock.ts"
import { newNodeId, SimulatedNode, Vaults } from "./simulatedNodes.ts"
import { temporaryFolder } from "./temporaryFolder.ts"
import { must, PACE, WINDOWS } from "./waas.ts"

/** A commit of one that was declared dead. */
export class Fenced extends Error {}

type Listener = (news: StoreNews) => void

/** What the processes of a shared store have in common. */
class Board {
  readonly alive: string[] = []
  /** Who works on a request; nobody once that one is dead, or gave it up. */
  readonly owners = new Map<string, string>()
  /** To whom a request was handed that is nobody's until they take it. */
  readonly heirs = new Map<string, string>()
  readonly errands = new Map<string, KeptErrand>()
  readonly links = new Map<string, Map<string, string>>()
  readonly listeners = new Map<string, Set<Listener>>()
  readonly claims = new KeyedTurns()
  /** An answer was lost: a process is given again what is its own. */
  givesAgain = false
  /** Word of what others did is lost. */
  isMute = false
  #numbered = 0

  constructor(readonly store: WaasStore) {}

  /** The live owner of a request. */
  ownerOf(requestId: string): string | undefined {
    const owner = this.owners.get(requestId)
    return owner !== undefined && this.alive.includes(owner) ? owner : undefined
  }

  heirOf(requestId: string): string | undefined {
    const heir = this.heirs.get(requestId)
    return heir !== undefined && this.alive.includes(heir) ? heir : undefined
  }

  tell(from: string, news: StoreNews): void {
    for (const [id, listeners] of this.listeners) {
      if (!this.alive.includes(id) || (this.isMute && id !== from)) continue
      for (const listener of [...listeners]) listener(news)
    }
  }

  die(id: string): void {
    this.alive.splice(this.alive.indexOf(id), 1)
    for (const of of this.links.values()) of.delete(id)
    this.tell("", { kind: "orphans" })
  }

  member(id: string): { readonly store: WaasStore; readonly shared: SharedStore } {
    this.alive.push(id)
    const { store } = this
    const mine: WaasStore = {
      ...store,
      liveTasks: async () => (await store.liveTasks()).filter(({ request }) => this.owners.get(request.id) === id),
      commit: async (writes) => {
        await this.#take(id, writes)
        return store.commit(writes)
      },
    }
    return { store: mine, shared: this.#shared(id, mine) }
  }

  /** Open tasks that are written are the writer's, unless they are another's already. */
  async #take(id: string, writes: readonly StoreWrite[]): Promise<void> {
    // A database is not as near as a file: what others do comes in between.
    await new Promise((resolve) => setImmediate(resolve))
    const live = new Set((await this.store.liveTasks()).map(({ taskId }) => taskId))
    if (!this.alive.includes(id)) throw new Fenced(`${id} is dead`)
    const tasks = writes.flatMap((write) => (write.put === "task" ? [write] : []))
    for (const { record } of tasks) {
      const owner = this.owners.get(record.request.id)
      if (live.has(record.taskId) && owner !== id) throw new CosignerError("E-WAA-086", { problem: record.taskId })
    }
    for (const { record, live: isLive } of tasks) if (isLive) this.owners.set(record.request.id, id)
  }

  #shared(id: string, store: WaasStore): SharedStore {
    const own = new Set<Listener>()
    this.listeners.set(id, own)
    return {
      replicaId: id,
      isLeader: () => this.alive[0] === id,
      living: () => this.alive.length,
      exclusively: (name, work) => this.claims.take(name, work),
      takeOver: async (most) => {
        if (!this.alive.includes(id)) throw new Fenced(`${id} is dead`)
        const isFree = (requestId: string): boolean =>
          (this.givesAgain && this.owners.get(requestId) === id) ||
          (this.ownerOf(requestId) === undefined && (this.heirOf(requestId) ?? id) === id)
        const orphans = (await this.store.liveTasks()).filter(({ request }) => isFree(request.id))
        const requests = new Set(orphans.slice(0, most).map(({ request }) => request.id))
        for (const requestId of requests) {
          this.owners.set(requestId, id)
          this.heirs.delete(requestId)
        }
        return orphans.filter(({ request }) => requests.has(request.id))
      },
      ownerOf: async (taskId) => {
        const task = (await this.store.liveTasks()).find((one) => one.taskId === taskId)
        if (task === undefined) return "none"
        return this.owners.get(task.request.id) === id ? "own" : "other"
      },
      leaveErrand: async (requestId, errand) => {
        if (!(await this.store.liveTasks()).some(({ request }) => request.id === requestId)) return false
        const kept = { id: `${++this.#numbered}`, requestId, errand }
        this.errands.set(kept.id, kept)
        this.tell(id, { kind: "errands" })
        return true
      },
      errands: async () => [...this.errands.values()].filter(({ requestId }) => this.owners.get(requestId) === id),
      errandDone: async (errandId) => void this.errands.delete(errandId),
      subscribe: (listener) => {
        own.add(listener)
        return { [Symbol.dispose]: () => void own.delete(listener) }
      },
      tell: (news) => this.tell(id, news),
      admit: async (nodeId, token) => {
        if (!isNewest(token, await store.fencingToken(nodeId))) return "behind"
        const links = this.links.get(nodeId) ?? new Map<string, string>()
        if ([...links].some(([replica, bootId]) => replica !== id && bootId !== token.bootId)) return "twin"
        await store.commit([{ put: "fencingToken", nodeId, record: token }])
        this.links.set(nodeId, links.set(id, token.bootId))
        return "newest"
      },
      left: async (nodeId) => void this.links.get(nodeId)?.delete(id),
      handOver: async (requestId, nodeId) => {
        const other = [...(this.links.get(nodeId)?.keys() ?? [])].find((replica) => replica !== id)
        if (other === undefined || this.owners.get(requestId) !== id) return false
        this.owners.delete(requestId)
        this.heirs.set(requestId, other)
        this.tell(id, { kind: "orphans" })
        return true
      },
      resign: async () => this.die(id),
    }
  }
}

/** One replica. */
export class Replica {
  engine!: Engine
  isDead = false
  /** Its frames stay where they are: the process stands still. */
  isPaused = false
  constructor(
    readonly id: string,
    readonly store: WaasStore,
    readonly shared: SharedStore,
    readonly relay: RelayPort,
  ) {}
}

/** A start that a node heard, and by whose word. */
export interface HeardStart extends StartDocument {
  readonly by: string
}

export class Replicas implements AsyncDisposable {
  readonly clock = new TestClock()
  readonly vaults = new Vaults()
  readonly signer = ed25519Signer(Secret.take(copy(randomBytes(32))))
  readonly folder = temporaryFolder("replicas")
  readonly store = createSqliteStore(this.folder.at("waas.db"), { orgId: newUuid(), bizOrgId: 1, createdMs: T0 })
  readonly board = new Board(this.store)
  readonly replicas: Replica[] = []
  readonly nodes: readonly SimulatedNode[]
  readonly starts: HeardStart[] = []
  /** Of a task and a node: the replica that it said it last to. */
  readonly #homes = new Map<string, string>()
  /** Pairs of replica and node that have no link. */
  readonly #cut = new Set<string>()
  /** What is on the way, and of which replica it is. */
  readonly queue: { readonly replica: string; readonly go: () => unknown }[] = []

  private constructor(
    nodes: number,
    readonly refresh: RefreshPace | undefined,
  ) {
    this.nodes = Array.from({ length: nodes }, () => {
      const id = newNodeId()
      const node: SimulatedNode = new SimulatedNode(id, this.signer.publicKey, this.vaults, (frame) =>
        this.#say(id, frame),
      )
      return node
    })
  }

  static async open(replicas = 2, nodes = 3, refresh?: RefreshPace): Promise<Replicas> {
    const all = new Replicas(nodes, refresh)
    for (let i = 0; i < replicas; i++) await all.join()
    return all
  }

  async join(): Promise<Replica> {
    const id = `replica${this.replicas.length + 1}`
    const { store, shared } = this.board.member(id)
    const relay: RelayPort = {
      send: (nodeId, frame) => void this.queue.push({ replica: id, go: () => this.#deliver(id, nodeId, frame) }),
      online: (nodeId) => this.isLinked(id, nodeId),
      silentMs: (nodeId) => (this.isLinked(id, nodeId) ? 0 : undefined),
    }
    const replica = new Replica(id, store, shared, relay)
    this.replicas.push(replica)
    replica.engine = await Engine.open({
      store,
      shared,
      relay,
      documents: documentsBy(this.signer),
      now: this.clock.now,
      pace: { ...PACE, attempts: 20 },
      windows: WINDOWS,
      curves: ["ED25519"],
      organisationName: "Test",
      openTasks: 100,
      refresh: this.refresh,
      log: silentLog,
    })
    for (const node of this.nodes) await this.link(replica, node)
    return replica
  }

  replica(index: number): Replica {
    return must(this.replicas[index])
  }

  node(index: number): SimulatedNode {
    return must(this.nodes[index])
  }

  isLinked(replicaId: string, nodeId: string): boolean {
    const replica = this.replicas.find(({ id }) => id === replicaId)
    const node = this.nodes.find(({ id }) => id === nodeId)
    return replica?.isDead === false && node?.online === true && !this.#cut.has(`${replicaId} ${nodeId}`)
  }

  /** The node says what it has to say wherever its routing brings it. */
  async link(replica: Replica, node: SimulatedNode): Promise<void> {
    this.#cut.delete(`${replica.id} ${node.id}`)
    const token = {
      incarnation: 0,
      boot: 1,
      bootId: node.id,
      generation: 1,
      versions: { ...VERSIONS, link: LINK.newest },
    }
    await replica.engine.admitFencingToken(node.id, token).catch(unlessFenced)
    await replica.engine.onOnline(node.id, "restarted").catch(unlessFenced)
    for (const { latest } of node.journal.values()) if (!node.stored.includes(latest.taskId)) this.#say(node.id, latest)
  }

  async cut(replica: Replica, node: SimulatedNode): Promise<void> {
    this.#cut.add(`${replica.id} ${node.id}`)
    await replica.engine.left(node.id, node.id).catch(unlessFenced)
  }

  /** It ends at once; others find it dead when the test says so. */
  kill(replica: Replica): void {
    replica.isDead = true
    this.lose(replica)
    if (this.board.alive.includes(replica.id)) this.board.die(replica.id)
  }

  /** What is on the way to or from it is gone. */
  lose({ id }: Replica): void {
    const kept = this.queue.filter(({ replica }) => replica !== id)
    this.queue.splice(0, this.queue.length, ...kept)
  }

  /** Until nothing moves, or so many frames. */
  async settle(steps = 5_000): Promise<void> {
    for (let left = steps; left > 0; left--) {
      const next = this.queue.findIndex(({ replica }) => !this.#isPaused(replica))
      if (next < 0) return
      await must(this.queue.splice(next, 1)[0]).go()
    }
    if (steps === 5_000) throw new Error("frames without end")
  }

  /** Time passes, and every replica that is at work looks at its tasks. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    for (const { engine, isDead, isPaused } of this.replicas) {
      if (!isDead && !isPaused) await engine.tick().catch(unlessFenced)
    }
  }

  /** Until it is so, as time passes and frames go; throws if that takes too long. */
  async until(isSo: () => Promise<boolean>, everyMs = 250, most = 200): Promise<void> {
    for (let i = 0; i < most; i++) {
      await this.settle()
      if (await isSo()) return
      await this.pass(everyMs)
    }
    throw new Error("it did not come about")
  }

  // ---- what is asked -----------------------------------------------------------------------------------------------

  async vault(): Promise<Vault> {
    const fixed = { vaultId: newUuid(), projectId: undefined, name: "v", type: "Org-Controlled" } as const
    const vault: Vault = { ...fixed, rootKeys: [], createdMs: this.clock.nowMs }
    await this.store.commit([{ put: "vault", record: vault }])
    return vault
  }

  group(vault: Vault, at = this.replica(0), nodes = this.nodes): Promise<HolderGroup> {
    return at.engine.createGroup({
      ...{ groupId: newUuid(), vaultId: vault.vaultId, type: "MainGroup", status: "New", threshold: 2 },
      holders: nodes.map((node, i) => ({ name: `n${i}`, type: "API", nodeId: node.id, signer: i < 2 })),
      shareGroups: [],
      createdMs: this.clock.nowMs,
    })
  }

  keyGen(vault: Vault, group: HolderGroup, at = this.replica(0)): Promise<TssRequest> {
    const deadlineMs = this.clock.nowMs + 3_600_000
    return at.engine.createTssRequest({ reshare: undefined, vault, group, description: "", deadlineMs })
  }

  async madeVault(): Promise<{ readonly vault: Vault; readonly group: HolderGroup }> {
    const vault = await this.vault()
    const group = await this.group(vault)
    await this.keyGen(vault, group)
    await this.settle()
    return { vault: must(await this.store.vault(vault.vaultId)), group: must(await this.store.group(group.groupId)) }
  }

  sign(
    { vault, group }: { readonly vault: Vault; readonly group: HolderGroup },
    at: Replica,
    partial: Partial<Parameters<Engine["createSignRequest"]>[0]> = {},
  ): Promise<SignRequest> {
    return at.engine.createSignRequest({
      ...{ vault, group, requestId: randomUUID(), fingerprint: "f", curve: "ED25519", signatureType: 2 },
      nodeIds: this.nodes.slice(0, 2).map(({ id }) => id),
      payloads: [],
      messages: [{ bip32_path: "m/44/501/0/0/1", msg_hash: "0x010203", tweak: "" }],
      extraInfo: {},
      description: "",
      deadlineMs: this.clock.nowMs + 600_000,
      ...partial,
    })
  }

  async signed({ signRequestId }: SignRequest): Promise<SignRequest> {
    return must(await this.store.signRequest(signRequestId))
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #isPaused(replicaId: string): boolean {
    return this.replicas.find(({ id }) => id === replicaId)?.isPaused === true
  }

  #deliver(replicaId: string, nodeId: string, frame: ToNode): void {
    if (!this.isLinked(replicaId, nodeId)) return
    const about = this.#taskOf(replicaId, frame)
    if (about !== undefined) this.#homes.set(`${nodeId} ${about}`, replicaId)
    must(this.nodes.find(({ id }) => id === nodeId)).receive(frame)
  }

  /** Of frames that make a replica the home of their task. */
  #taskOf(by: string, frame: ToNode): string | undefined {
    if (frame.kind === "task") {
      const task = decodeTask(frame.task.document)
      return "problem" in task ? undefined : task.task_id
    }
    if (frame.kind === "start") {
      const start = decodeStart(frame.start.document)
      if ("problem" in start) return undefined
      this.starts.push({ ...start, by })
      return start.task_id
    }
    if (frame.kind !== "cancel") return undefined
    const cancel = decodeCancel(frame.cancel.document)
    return "problem" in cancel ? undefined : cancel.task_id
  }

  #say(nodeId: string, frame: FromNode): void {
    const taskId = "taskId" in frame ? frame.taskId : ""
    const home = this.#homes.get(`${nodeId} ${taskId}`)
    const linked = this.replicas.filter(({ id }) => this.isLinked(id, nodeId))
    const to = linked.filter(({ id }) => id === home)
    for (const { id, engine } of to.length > 0 ? to : linked) {
      this.queue.push({
        replica: id,
        go: () => (this.isLinked(id, nodeId) ? engine.onFrame(nodeId, frame).catch(unlessFenced) : undefined),
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close()
    this.folder[Symbol.dispose]()
  }
}

/** What a dead replica wanted to write is nothing to its callers' tests. */
function unlessFenced(error: unknown): void {
  if (!(error instanceof Fenced) && !isCode(error, "E-WAA-086")) throw error
}
