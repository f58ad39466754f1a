/**
 * A WaaS engine and nodes with their real stores, tasks and protocols in one process: everything between them is a queue that
 * a test may hold up, and any node may die before or after any of its durable steps and come back from its file.
 */

import { randomBytes } from "node:crypto"
import { copyFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { DEFAULT_PATH_RULES } from "../../src/keys/pathRule.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { silentLog } from "../../src/log.ts"
import { type Identity, identityOf } from "../../src/mpc/envelope.ts"
import { sessionHost } from "../../src/mpc/host.ts"
import type { Ending } from "../../src/mpc/session.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore, type Store } from "../../src/store/store.ts"
import { DEFAULT_INTENT_SETTINGS } from "../../src/tasks/intents.ts"
import type { GroupPort, StartSession, TaskPort, TaskPorts } from "../../src/tasks/ports.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { Engine } from "../../src/waas/engine/engine.ts"
import type { ReshareWish } from "../../src/waas/engine/reshare.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { documentsBy } from "../../src/waas/server.ts"
import { alone } from "../../src/waas/store/alone.ts"
import type { CurveType, HolderGroup, SignRequest, TssRequest, Vault } from "../../src/waas/store/model.ts"
import { createSqliteStore } from "../../src/waas/store/sqlite.ts"
import type { WaasStore } from "../../src/waas/store/store.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { type DealtGroup, dealGroup } from "../mpc/dealer.ts"
import { TestClock } from "../support/clock.ts"
import { onThisThread } from "../support/encodedSpec.ts"
import { logTo } from "../support/logTo.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { approved } from "../tasks/fakes.ts"

const KDF = { memoryKiB: 64, passes: 1, parallelism: 1 }
const T0 = 1_795_000_000_000

/** Thrown out of the durable step at which a node dies. */
export class Death extends Error {}

export interface DeathAt {
  readonly step: number
  readonly when: "before" | "after"
}

export class Node {
  readonly identity: Identity
  readonly party: PartyId
  readonly nodeId: string
  readonly db: string
  store!: Store
  tasks!: TaskRunner
  up = false
  /** How far its clock is off. */
  skewMs = 0
  /** Names of the durable steps since the last start, in order. */
  steps: string[] = []
  dies: DeathAt | undefined
  /** Epochs in which a signing session of this node has ended with a signature. */
  readonly signedIn = new Set<string>()
  #boots = 0
  #incarnation = 0

  constructor(
    readonly name: string,
    readonly simulation: Simulation,
  ) {
    const seed = sha256(utf8(`player ${name}`))
    this.identity = identityOf(seed)
    this.party = this.identity.party
    this.nodeId = nodeIdOf(this.party)
    this.db = join(simulation.dir, `${name}.db`)
    using identitySeed = Secret.from(seed)
    using callbackKey = Secret.from(sha256(seed))
    using password = Secret.from(utf8("password"))
    createStore(this.db, password, { identitySeed, callbackKey, kdf: KDF }).close()
  }

  async start(): Promise<void> {
    using password = Secret.from(utf8("password"))
    this.store = openStore(this.db, password, { readOnly: false })
    this.up = true
    this.steps = []
    let session = 0
    const boot = ++this.#boots
    const isAlive = (): boolean => this.up && this.#boots === boot
    const host = sessionHost(this.identity, () => ({
      system: copy(randomBytes(64)),
      kernel: copy(randomBytes(32)),
      nodeSecret: sha256(utf8(this.name)),
      bootCounter: boot,
      sessionCounter: ++session,
    }))
    const start = onThisThread(host)
    const startSession: StartSession = (spec, io) => {
      const running = start(spec, io)
      const noted = (ending: Ending): Ending => {
        if (ending.kind === "done" && spec.protocol === "sign") this.signedIn.add(toHex(spec.group.epochId))
        return ending
      }
      return { ...running, ending: running.ending.then(noted) }
    }
    const { simulation } = this
    const ports: TaskPorts = {
      self: this.party,
      journal: this.#mortal<TaskPort>(this.store.journal, JOURNAL_STEPS, isAlive),
      groups: this.#mortal<GroupPort>(this.store.groups, GROUP_STEPS, isAlive),
      bans: this.store.bans,
      strikes: this.store.strikes,
      freezes: this.store.freezes,
      logDoubt: () => undefined,
      commanded: () => {},
      // The simulated time does not wait for a decoder to be loaded.
      intents: { ...DEFAULT_INTENT_SETTINGS, chainsOf: () => [] },
      risk: {
        evaluate: () => ({ verdict: approved, debits: [] }),
        ask: async () => approved,
      },
      eventsFor: () => [],
      startSession,
      send: (frame) => {
        if (isAlive()) simulation.queue.push({ kind: "up", from: this, frame })
      },
      now: () => simulation.clock.nowMs + this.skewMs,
      alarm: simulation.clock.alarm,
      rng: (length) => copy(randomBytes(length)),
      log: logTo((level, message, fields) => {
        if (isAlive()) simulation.log.push({ node: this.name, level, message, fields })
      }),
      unrecorded: () => {},
      limits: {
        openTasks: 64,
        signSessionMs: 30_000,
        setupSessionMs: 60_000,
        batch: 32,
        journal: {
          refused: { burstBytes: 1_000_000, bytesPerDay: 1_000_000 },
          idle: { burstBytes: 1_000_000, bytesPerDay: 1_000_000 },
        },
      },
      clockOff: () => undefined,
      pathRules: DEFAULT_PATH_RULES,
    }
    this.tasks = createTasks(simulation.signer.publicKey, ports)
    this.tasks.resume()
    await simulation.engine.admitFencingToken(this.nodeId, {
      incarnation: this.#incarnation,
      boot,
      bootId: `${boot}`,
      generation: boot,
    })
    await simulation.engine.onOnline(this.nodeId, "restarted")
    if (isAlive()) this.tasks.onOnline()
  }

  /** As kill -9: what is on disk stays. */
  kill(): void {
    if (!this.up) return
    this.up = false
    this.store.close()
    // What is left of it in this process ends: it can neither write nor speak any more.
    void this.tasks.stop()
  }

  /** Its database as it is now, to be put back later. */
  copy(to: string): string {
    const file = join(this.simulation.dir, to)
    this.kill()
    copyFileSync(this.db, file)
    return file
  }

  /** An operator's decision to go on from an older copy. */
  async restore(file: string): Promise<void> {
    this.kill()
    copyFileSync(file, this.db)
    this.#incarnation++
    await this.start()
  }

  receive(frame: ToNode): void {
    if (!this.up) return
    try {
      this.tasks.onFrame(frame)
    } catch (error) {
      if (!(error instanceof Death)) throw error
    }
  }

  epochs(groupId: string): readonly GroupPublic[] {
    return this.store.groups.list().filter((group) => group.groupId === groupId)
  }

  /** A dead node's leftovers do nothing more: they neither write nor fail. */
  #mortal<T extends TaskPort | GroupPort>(port: T, steps: ReadonlySet<string>, isAlive: () => boolean): T {
    const step = (name: string, run: () => unknown): unknown => {
      if (!isAlive()) return undefined
      if (!steps.has(name)) return run()
      this.steps.push(name)
      const dies = this.dies?.step === this.steps.length ? this.dies.when : undefined
      if (dies === "before") return this.#die()
      const result = run()
      // The simulated time does not wait for another commit to come along.
      if (name === "delivered") this.store.flush()
      if (dies !== "after") return result
      return result instanceof Promise ? result.then(() => this.#die()) : this.#die()
    }
    return new Proxy(port, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== "function") return value
        return (...args: unknown[]) => step(String(key), () => Reflect.apply(value, target, args))
      },
    })
  }

  #die(): never {
    this.dies = undefined
    this.kill()
    throw new Death()
  }
}

const JOURNAL_STEPS = new Set(["claim", "approve", "startSession", "endSession", "emitted", "finish", "delivered"])
const GROUP_STEPS = new Set(["prepare", "acknowledge", "activate", "retire"])

export type Passing =
  | { readonly kind: "up"; readonly from: Node; readonly frame: FromNode }
  | { readonly kind: "down"; readonly to: Node; readonly frame: ToNode }

export interface Run {
  readonly vault: Vault
  readonly group: HolderGroup
  readonly dealt: readonly DealtGroup[]
}

export class Simulation implements AsyncDisposable {
  readonly dir = temporaryFolder("simulation").path
  readonly signer = ed25519Signer(Secret.take(copy(randomBytes(32))))
  readonly queue: Passing[] = []
  readonly log: { node: string; level: string; message: string; fields: object }[] = []
  readonly clock = new TestClock(T0)
  engine!: Engine
  store!: WaasStore
  nodes: readonly Node[] = []
  /** What passes; false holds it back for good. */
  passes: (passing: Passing) => boolean = () => true
  /** What becomes of all that is on its way at one time: its order, what is lost, what comes twice. */
  disturb: (batch: readonly Passing[]) => readonly Passing[] = (batch) => batch
  /** WaaS dies when so many frames have passed, and comes back. */
  restartAfter: number | undefined
  #passed = 0

  private constructor(readonly curves: readonly CurveType[]) {}

  /** `curves`: what a vault's keys are generated on. */
  static async open(names: readonly string[], curves: readonly CurveType[] = ["ED25519"]): Promise<Simulation> {
    const it = new Simulation(curves)
    await it.startWaas()
    it.nodes = names.map((name) => new Node(name, it))
    for (const node of it.nodes) await node.start()
    return it
  }

  async startWaas(): Promise<void> {
    this.store = createSqliteStore(join(this.dir, "waas.db"), { orgId: newUuid(), bizOrgId: 1, createdMs: T0 })
    this.engine = await Engine.open({
      store: this.store,
      shared: alone(this.store),
      relay: {
        send: (nodeId, frame) => {
          const to = this.nodes.find((node) => node.nodeId === nodeId)
          if (to !== undefined) this.queue.push({ kind: "down", to, frame })
        },
        online: (nodeId) => this.nodes.some((node) => node.nodeId === nodeId && node.up),
        silentMs: (nodeId) => (this.nodes.some((node) => node.nodeId === nodeId && node.up) ? 0 : undefined),
      },
      documents: documentsBy(this.signer),
      now: this.clock.now,
      pace: {
        attempts: 5,
        attemptMs: 90_000,
        retryMs: 100,
        nudgeMs: 5_000,
        silentMs: 2_000,
        slowMs: 10_000,
        laterMs: 1_000,
      },
      windows: { asked: 128, running: 16 },
      curves: this.curves,
      organisationName: "Test",
      openTasks: 100,
      refresh: undefined,
      log: silentLog,
    })
  }

  /** The engine forgets what it did not write down; the file is opened again as a new process would. */
  async restartWaas(): Promise<void> {
    await this.store.close()
    this.queue.splice(0)
    await this.startWaas()
    for (const node of this.nodes) if (node.up) await this.online(node)
  }

  /** WaaS dies when so many more frames have passed. */
  restartIn(frames: number): void {
    this.restartAfter = this.#passed + frames
  }

  async online(node: Node): Promise<void> {
    await this.engine.onOnline(node.nodeId, "restarted")
    if (node.up) node.tasks.onOnline()
  }

  node(name: string): Node {
    const found = this.nodes.find((node) => node.name === name)
    if (found === undefined) throw new Error(`no node ${name}`)
    return found
  }

  /** Moves the clock, lets what is due happen, and everything that follows. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
    await this.engine.tick()
    await this.settle()
  }

  /** Until nobody has anything more to say: sessions run on this thread, so silence is an ending. */
  async settle(): Promise<void> {
    for (let silent = 0; silent < 4; ) {
      await new Promise((resolve) => setImmediate(resolve))
      await this.engine.idle()
      const batch = this.disturb(this.queue.splice(0))
      silent = batch.length === 0 ? silent + 1 : 0
      for (const passing of batch) {
        if (!this.passes(passing)) continue
        if (passing.kind === "down") passing.to.receive(passing.frame)
        else await this.engine.onFrame(passing.from.nodeId, passing.frame)
        if (++this.#passed === this.restartAfter) await this.restartWaas()
      }
    }
  }

  /** A vault whose main group holds keys that a dealer made, as if its nodes had generated them. */
  async vault(threshold: number, names: readonly string[], curves: readonly CurveName[] = ["ed25519"]): Promise<Run> {
    const holders = names.map((name) => this.node(name))
    const members = holders
      .map(({ party }) => ({ party, x: shareIdOf(party) }))
      .sort((a, b) => (a.party < b.party ? -1 : 1))
    const dealt = curves.map((curve) => dealGroup(curve, threshold, members, `${curve}`))
    const named = dealt.map((one) => {
      const groupId = one.group.curve === "ed25519" ? "EdwardsEdwardsEdward" : "KoblitzKoblitzKoblit"
      return { ...one, group: { ...one.group, groupId } }
    })
    for (const { group, secretOf } of named) {
      for (const { party, store } of holders) {
        store.groups.prepare({ ...group, status: "PREPARED" }, secretOf(party))
        store.groups.activate(group.groupId, group.epochId, [sha256(utf8("as if certified"))])
      }
    }
    const shareGroups = named.map(({ group }) => ({
      shareGroupId: group.groupId,
      curve: group.curve === "ed25519" ? ("ED25519" as const) : ("SECP256K1" as const),
      rootPubkey: rootExtendedPublicKey(group),
    }))
    const vault: Vault = {
      vaultId: newUuid(),
      projectId: undefined,
      name: "vault",
      type: "Org-Controlled",
      rootKeys: shareGroups.map(({ curve, rootPubkey }) => ({ curve, rootPubkey })),
      createdMs: T0,
    }
    await this.store.commit([{ put: "vault", record: vault }])
    const group = await this.group(vault, "MainGroup", threshold, names)
    const valid: HolderGroup = { ...group, status: "Valid", shareGroups }
    await this.store.commit([{ put: "group", record: valid }])
    return { vault, group: valid, dealt: named }
  }

  /** A vault whose main group has generated its keys: what `vault` leaves out for speed, certificates that prove themselves. */
  async generated(threshold: number, names: readonly string[]): Promise<Omit<Run, "dealt">> {
    const vault: Vault = {
      vaultId: newUuid(),
      projectId: undefined,
      name: "vault",
      type: "Org-Controlled",
      rootKeys: [],
      createdMs: this.clock.nowMs,
    }
    await this.store.commit([{ put: "vault", record: vault }])
    const group = await this.group(vault, "MainGroup", threshold, names)
    const deadlineMs = this.clock.nowMs + 3_600_000
    await this.engine.createTssRequest({ vault, group, reshare: undefined, description: "", deadlineMs })
    await this.settle()
    return { vault: (await this.store.vault(vault.vaultId)) ?? vault, group: await this.groupNow(group) }
  }

  group(vault: Vault, type: HolderGroup["type"], threshold: number, names: readonly string[]): Promise<HolderGroup> {
    return this.engine.createGroup({
      groupId: newUuid(),
      vaultId: vault.vaultId,
      type,
      status: "New",
      threshold,
      holders: names.map((name) => ({ name, type: "API", nodeId: this.node(name).nodeId, signer: true })),
      shareGroups: [],
      createdMs: this.clock.nowMs,
    })
  }

  reshare(
    vault: Vault,
    source: HolderGroup,
    target: HolderGroup,
    wish: Partial<Omit<ReshareWish, "dealers">> & { readonly dealers?: readonly string[] } = {},
  ): Promise<TssRequest> {
    const { dealers, ...rest } = wish
    this.clock.nowMs++
    return this.engine.createTssRequest({
      vault,
      group: target,
      reshare: {
        type: "KeyReshare",
        sourceGroupId: source.groupId,
        allowSharedNodes: false,
        ...rest,
        dealers: dealers?.map((name) => this.node(name).nodeId),
      },
      description: "",
      deadlineMs: this.clock.nowMs + 3_600_000,
    })
  }

  async request(tssRequest: TssRequest): Promise<TssRequest> {
    const found = await this.store.tssRequest(tssRequest.tssRequestId)
    if (found === undefined) throw new Error("no such request")
    return found
  }

  async groupNow(holderGroup: HolderGroup): Promise<HolderGroup> {
    const found = await this.store.group(holderGroup.groupId)
    if (found === undefined) throw new Error("no such group")
    return found
  }

  /** Asks these nodes of the group for an EdDSA or ECDSA signature and waits for how it ends. */
  async sign(
    vault: Vault,
    group: HolderGroup,
    names: readonly string[],
    curve: CurveType = "ED25519",
  ): Promise<SignRequest> {
    return this.signAs(vault, await this.groupNow(group), names, curve)
  }

  /** The same, of a group as the caller says it is. */
  async signAs(
    vault: Vault,
    group: HolderGroup,
    names: readonly string[],
    curve: CurveType = "ED25519",
  ): Promise<SignRequest> {
    const asked = await this.engine.createSignRequest({
      vault,
      group,
      requestId: newUuid(),
      fingerprint: newUuid(),
      curve,
      signatureType: curve === "ED25519" ? 2 : 1,
      nodeIds: names.map((name) => this.node(name).nodeId),
      messages: [{ bip32_path: "m/44/501/0", msg_hash: `0x${"6d".repeat(32)}`, tweak: "" }],
      payloads: [],
      extraInfo: {},
      description: "",
      deadlineMs: this.clock.nowMs + 60_000,
    })
    await this.settle()
    const end = await this.store.signRequest(asked.signRequestId)
    if (end === undefined) throw new Error("no such request")
    return end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) node.kill()
    await this.store.close()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
