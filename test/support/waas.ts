/** A WaaS without a network: real store, engine and API, a clock that the test moves, simulated nodes. */

import { randomBytes, randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { copy } from "../../src/bytes.ts"
import { silentLog } from "../../src/log.ts"
import { Secret } from "../../src/secret.ts"
import { type AuthLimits, authenticator } from "../../src/waas/api/auth.ts"
import type { ApiContext } from "../../src/waas/api/context.ts"
import { createApi } from "../../src/waas/api/server.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { observing } from "../../src/waas/console/console.ts"
import { Engine } from "../../src/waas/engine/engine.ts"
import type { Pace } from "../../src/waas/engine/ports.ts"
import type { RefreshPace } from "../../src/waas/engine/refresh.ts"
import { ApiFailure } from "../../src/waas/failure.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { documentsBy } from "../../src/waas/server.ts"
import { alone } from "../../src/waas/store/alone.ts"
import type { CurveType, HolderGroup, SignRequest, TssRequest, Vault } from "../../src/waas/store/model.ts"
import { openPostgres } from "../../src/waas/store/postgres.ts"
import { type PostgresSettings, parseStoreUrl } from "../../src/waas/store/postgresSettings.ts"
import { storeOver } from "../../src/waas/store/records.ts"
import type { SharedStore } from "../../src/waas/store/shared.ts"
import { createSqliteStore } from "../../src/waas/store/sqlite.ts"
import type { StoreWrite, WaasStore } from "../../src/waas/store/store.ts"
import { type ConfiguredChain, chainsOf } from "../../src/waas/wallets/chains.ts"
import { updatingTransactions } from "../../src/waas/wallets/progress.ts"
import { type ConfiguredToken, tokensOf } from "../../src/waas/wallets/tokens.ts"
import { announcing } from "../../src/waas/webhooks/news.ts"
import type { PeerMemory } from "../../src/wire/channel.ts"
import { T0, TestClock } from "./clock.ts"
import { newDatabase } from "./postgres.ts"
import { MemoryRelay, type SimulatedNode, Vaults } from "./simulatedNodes.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export const LIMITS: AuthLimits = { requestsPerSecond: 1000, burst: 1000 }
export const PACE: Pace = {
  attempts: 3,
  attemptMs: 60_000,
  retryMs: 100,
  nudgeMs: 30_000,
  silentMs: 2_000,
  slowMs: 10_000,
  laterMs: 1_000,
}
export const WINDOWS = { asked: 128, running: 128 }

/** A Postgres on which every rig has a database of its own; otherwise each has a file. */
const SHARED = process.env["COSIGNER_STORE_URL"]
export const isSharedStore = SHARED !== undefined

/** Of a test's own server. */
export const postgresSettings = (url: string): PostgresSettings => ({
  ...must(parseStoreUrl(url)),
  passwordFile: undefined,
  socketFolder: undefined,
  tls: undefined,
  connections: 4,
})

export interface RigOptions {
  readonly nodes?: number
  readonly curves?: readonly CurveType[]
  readonly pace?: Partial<Pace>
  readonly limits?: Partial<AuthLimits>
  readonly openTasks?: number
  readonly chains?: readonly ConfiguredChain[]
  readonly tokens?: readonly ConfiguredToken[]
  readonly refresh?: RefreshPace
  readonly windows?: { readonly asked: number; readonly running: number }
}

export class Rig implements AsyncDisposable {
  readonly signer = ed25519Signer(Secret.take(copy(randomBytes(32))))
  readonly responses = ed25519Signer(Secret.take(copy(randomBytes(32))))
  readonly vaults = new Vaults()
  readonly relay = new MemoryRelay()
  readonly nodes: readonly SimulatedNode[]
  readonly dir = temporaryFolder("waas").path
  readonly clock = new TestClock()
  /** Commits wait for it. */
  heldCommits: Promise<void> | undefined
  /** Set to make the next commits fail; an error of its own, or that of a full disk. */
  failCommits: boolean | Error = false
  /** Of its own database, on a shared store. */
  #url: string | undefined
  /** Webhook events were written. */
  onNews: () => void = () => {}
  /** Records were written, durably. */
  onWritten: (writes: readonly StoreWrite[]) => void = () => {}
  engine!: Engine
  store!: WaasStore
  shared!: SharedStore
  api!: ReturnType<typeof createApi>

  private constructor(readonly options: RigOptions) {
    this.nodes = Array.from({ length: options.nodes ?? 3 }, () => this.relay.add(this.signer.publicKey, this.vaults))
    this.relay.toEngine = (id, frame) => this.engine.onFrame(id, frame)
  }

  static async open(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options)
    await rig.start()
    return rig
  }

  /** Opens the store's file again and everything on it, as a new process would. */
  async start(): Promise<void> {
    const store = await this.#openStore()
    const failing: WaasStore = {
      ...store,
      commit: async (writes) => {
        await this.heldCommits
        if (this.failCommits === false) return store.commit(writes)
        throw this.failCommits === true ? new Error("disk full") : this.failCommits
      },
    }
    const announced = announcing(failing, this.clock.now, () => this.onNews())
    this.store = observing(updatingTransactions(announced), (writes) => this.onWritten(writes))
    this.shared = alone(this.store)
    this.engine = await Engine.open({
      store: this.store,
      shared: this.shared,
      relay: this.relay,
      documents: documentsBy(this.signer),
      now: this.clock.now,
      pace: { ...PACE, ...this.options.pace },
      windows: this.options.windows ?? WINDOWS,
      curves: this.options.curves ?? ["SECP256K1", "ED25519"],
      organisationName: "Test",
      openTasks: this.options.openTasks ?? 100,
      refresh: this.options.refresh,
      log: silentLog,
    })
    this.api = createApi({
      context: this.context(),
      authenticate: authenticator(this.store, this.clock.now, { ...LIMITS, ...this.options.limits }),
      responseKey: this.responses,
      bodyBytes: 100_000,
      log: silentLog,
    })
  }

  async #openStore(): Promise<WaasStore> {
    const organisation = { orgId: newUuid(), bizOrgId: 1, createdMs: T0 }
    if (SHARED === undefined) return createSqliteStore(join(this.dir, "waas.db"), organisation)
    this.#url ??= await newDatabase(SHARED)
    return storeOver(await openPostgres(postgresSettings(this.#url), () => organisation))
  }

  context(): ApiContext {
    return {
      store: this.store,
      shared: this.shared,
      engine: this.engine,
      now: this.clock.now,
      online: (id) => this.relay.online(id),
      organisationName: "Test",
      chains: chainsOf(this.options.chains ?? []),
      tokens: tokensOf(chainsOf(this.options.chains ?? []), this.options.tokens ?? []),
      fetch,
      webhookHosts: ["hooks.example.com", "127.0.0.1"],
      keyGenDeadlineMs: 3_600_000,
      signDeadlineMs: 600_000,
    }
  }

  /** The process dies: what was on the way is lost, what was stored is not. */
  async crash(): Promise<void> {
    this.relay.lose()
    await this.store.close()
    await this.start()
    for (const node of this.nodes) if (node.online) await this.engine.onOnline(node.id, "first")
  }

  /** "same": its link was cut, and neither side forgot anything. */
  async online(node: SimulatedNode, peer: PeerMemory = "restarted"): Promise<void> {
    node.online = true
    await this.engine.onOnline(node.id, peer)
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.engine.tick()
  }

  async vault(): Promise<Vault> {
    const vault: Vault = {
      vaultId: newUuid(),
      projectId: undefined,
      name: "v",
      type: "Org-Controlled",
      rootKeys: [],
      createdMs: this.clock.nowMs,
    }
    await this.store.commit([{ put: "vault", record: vault }])
    return vault
  }

  /** A group of all nodes, or of those given. */
  group(vault: Vault, threshold = 2, nodes = this.nodes): Promise<HolderGroup> {
    return this.engine.createGroup({
      groupId: newUuid(),
      vaultId: vault.vaultId,
      type: "MainGroup",
      status: "New",
      threshold,
      holders: nodes.map((node, i) => ({ name: `n${i}`, type: "API", nodeId: node.id, signer: i < threshold })),
      shareGroups: [],
      createdMs: this.clock.nowMs,
    })
  }

  keyGen(vault: Vault, group: HolderGroup): Promise<TssRequest> {
    return this.engine.createTssRequest({
      reshare: undefined,
      vault,
      group,
      description: "",
      deadlineMs: this.clock.nowMs + 3_600_000,
    })
  }

  /** A vault with its keys made. */
  async madeVault(threshold = 2): Promise<{ readonly vault: Vault; readonly group: HolderGroup }> {
    const vault = await this.vault()
    const group = await this.group(vault, threshold)
    await this.keyGen(vault, group)
    await this.relay.settle()
    return { vault: await this.mustVault(vault.vaultId), group: await this.mustGroup(group.groupId) }
  }

  sign(
    { vault, group }: { readonly vault: Vault; readonly group: HolderGroup },
    partial: Partial<Parameters<Engine["createSignRequest"]>[0]> = {},
  ): Promise<SignRequest> {
    return this.engine.createSignRequest({
      vault,
      group,
      requestId: randomUUID(),
      fingerprint: "f",
      curve: "ED25519",
      signatureType: 2,
      nodeIds: this.nodes.slice(0, group.threshold).map((node) => node.id),
      payloads: [],
      messages: [{ bip32_path: "m/44/501/0/0/1", msg_hash: "0x010203", tweak: "" }],
      extraInfo: {},
      description: "",
      deadlineMs: this.clock.nowMs + 600_000,
      ...partial,
    })
  }

  async mustVault(id: string): Promise<Vault> {
    return must(await this.store.vault(id))
  }
  async mustGroup(id: string): Promise<HolderGroup> {
    return must(await this.store.group(id))
  }
  async tss(request: TssRequest): Promise<TssRequest> {
    return must(await this.store.tssRequest(request.tssRequestId))
  }
  async signed(request: SignRequest): Promise<SignRequest> {
    return must(await this.store.signRequest(request.signRequestId))
  }
  async signatures(request: SignRequest): Promise<readonly { readonly signature: string }[]> {
    const tasks = await this.engine.tasksOf(request)
    return tasks.flatMap(({ outcome }) => (outcome?.type === "signatures" ? outcome.signatures : []))
  }

  node(index: number): SimulatedNode {
    return must(this.nodes[index])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close()
    rmSync(this.dir, { recursive: true })
  }
}

/** What a caller would be told of `work`. */
export async function errorCodeOf(work: Promise<unknown>): Promise<number | string> {
  try {
    await work
    return "resolved"
  } catch (error) {
    return error instanceof ApiFailure ? error.errorCode : String(error)
  }
}

export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("it is not there")
  return value
}
