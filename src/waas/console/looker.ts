/** One look at WaaS for its console: the overview of this moment, and the next portion of each list, as messages to the thread. */
import { isDeepStrictEqual } from "node:util"
import { CosignerError } from "../../errors.ts"
import type { Feed, Listed } from "../../panel/feed.ts"
import type { Delay } from "../../panel/loopDelay.ts"
import { checked } from "../../panel/schemas.ts"
import type { Engine } from "../engine/engine.ts"
import { isOpen, signRequestNow } from "../engine/requests.ts"
import type { WaasReadinessItem } from "../standing.ts"
import type { NodeFencingToken, WaasTask } from "../store/model.ts"
import type { ReplicaSeen } from "../store/replica.ts"
import type { SharedStore } from "../store/shared.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import {
  type ConsoleEndpoint,
  labelsOf,
  type Overview,
  overviewSchema,
  requestSchema,
  vaultSchema,
} from "./documents.ts"
import { MOST_DOCUMENT } from "./intents.ts"
import type { ToConsole } from "./messages.ts"
import { endpointDocuments, type FixedFacts, nodeDocument, overviewOf, type StoreNow } from "./overview.ts"
import { type Recent, requestKey } from "./recent.ts"
import { type KindedRequest, requestDocument } from "./requestDocument.ts"
import type { ToldRequest } from "./requestShelf.ts"
import { vaultDocument } from "./vaultDocument.ts"

export interface LookerParts {
  readonly store: WaasStore
  readonly engine: Pick<Engine, "look" | "tasksOf" | "waitingFor">
  readonly fixed: FixedFacts
  readonly storeNow: () => StoreNow
  readonly replicas: () => Promise<readonly ReplicaSeen[]>
  readonly shared: Pick<SharedStore, "replicaId" | "living">
  /** The readiness of WaaS itself. */
  readonly items: () => readonly WaasReadinessItem[]
  readonly now: () => number
}

interface LookerState extends LookerParts {
  readonly recent: Recent
  readonly lastCommitMs: () => number | undefined
  readonly delay: () => Delay
}

interface Looker {
  /** Takes note of a durable commit of this process. */
  written(writes: readonly StoreWrite[]): void
  look(): Promise<Look>
}

interface Look {
  readonly messages: readonly ToConsole[]
  /** Why a document could not be made; undefined if all were made. */
  readonly failure: unknown
}

/** Every so many looks all documents are made again. A look comes once a second. */
const AGAIN_LOOKS = 600
/** Every so many looks the records that change slowly are read. */
const SLOW_LOOKS = 5
/** Every so many looks vaults are made again that other replicas may have changed. */
const VAULT_LOOKS = 60
const MOST_NODES = 200
const MOST_GROUPS = 50
/** So many of the newest open requests are watched for progress. */
const MOST_WATCHED = 200
const MOST_NAMES = 3

export const createLooker = (parts: LookerState): Looker => new StoreLooker(parts)

class StoreLooker implements Looker {
  readonly #parts: LookerState
  readonly #names = new Map<string, ReadonlySet<string>>()
  readonly #open = new Map<string, Watched>()
  #looks = 0
  #slow: Slow = { nodeIds: [], tokens: new Map(), endpoints: [], replicas: [] }
  #isStale = true
  #nodeStates: unknown

  constructor(parts: LookerState) {
    this.#parts = parts
  }

  written(writes: readonly StoreWrite[]): void {
    this.#parts.recent.written(writes)
    if (writes.some(({ put }) => SLOW_RECORDS.has(put))) this.#isStale = true
  }

  async look(): Promise<Look> {
    const { recent } = this.#parts
    if (this.#looks === 0) await recent.look()
    else if (this.#looks % AGAIN_LOOKS === 0) recent.again()
    if (this.#parts.shared.living() > 1 && this.#looks % SLOW_LOOKS === 0) await this.#lookForOthers()
    if (this.#isStale || this.#looks % SLOW_LOOKS === 0) {
      this.#isStale = false
      this.#slow = await slowOf(this.#parts)
    }
    this.#looks++
    this.#watch()
    const nodes = this.#nodesNow()
    const vaults = await portionOf(recent.vaults, (key) => this.#vaultOf(key))
    const requests = await portionOf(recent.requests, (key) => this.#requestOf(key))
    return {
      messages: [
        { kind: "changed", list: "vaults", change: vaults.change },
        { kind: "changed", list: "requests", change: requests.change },
        { kind: "beat", overview: JSON.stringify(checked(overviewSchema, this.#overview(nodes))) },
      ],
      failure: vaults.failure ?? requests.failure,
    }
  }

  #overview(nodes: Overview["nodes"]): Overview {
    const { fixed, items, storeNow, lastCommitMs, delay, now, shared } = this.#parts
    const { nodeIds, endpoints, replicas } = this.#slow
    return overviewOf({
      fixed,
      nodes,
      nodesLeftOut: nodeIds.length - nodes.length,
      endpoints,
      replicas,
      replicaId: shared.replicaId,
      items: items(),
      store: storeNow(),
      lastCommitMs: lastCommitMs(),
      delay: delay(),
      openRequests: this.#open.size,
      awaitingPeople: [...this.#open.values()].filter(({ awaitsPeople }) => awaitsPeople).length,
      nowMs: now(),
    })
  }

  async #requestOf(key: string): Promise<Listed | undefined> {
    const { store, engine } = this.#parts
    const kinded = await kindedOf(store, key)
    if (kinded === undefined) return undefined
    const { request } = kinded
    const tasks = await engine.tasksOf(request)
    const waitingFor = isOpen(request.status) ? engine.waitingFor(tasks) : []
    const groupId = kinded.kind === "tss" ? kinded.request.targetGroupId : kinded.request.groupId
    const document = requestDocument({
      kinded: asNow(kinded, tasks),
      tasks,
      vaultName: (await store.vault(request.vaultId))?.name ?? "",
      group: await store.group(groupId),
      transaction: kinded.kind === "sign" ? await store.transaction(kinded.request.signRequestId) : undefined,
      waitingFor,
    })
    this.#open.delete(key)
    if (document.state === "open") this.#open.set(key, { tasks, waitingFor, awaitsPeople: document.awaits_people })
    const documents = kinded.kind === "sign" ? tasks.map(documentText) : []
    const told: ToldRequest = { document: checked(requestSchema, document), documents }
    return { text: JSON.stringify(told), labels: labelsOf(document) }
  }

  async #vaultOf(vaultId: string): Promise<Listed | undefined> {
    const { store, engine } = this.#parts
    const vault = await store.vault(vaultId)
    if (vault === undefined) return undefined
    const { items } = await store.groups({ vaultId }, { limit: MOST_GROUPS, after: undefined, before: undefined })
    for (const { nodeId, name } of items.flatMap(({ holders }) => holders)) {
      const known = this.#names.get(nodeId) ?? new Set()
      if (name !== "" && known.size < MOST_NAMES) this.#names.set(nodeId, new Set([...known, name]))
    }
    return { text: JSON.stringify(checked(vaultSchema, vaultDocument(vault, items, engine.look()))), labels: {} }
  }

  /** Finds what other replicas have made, and makes their open requests again: this process is not told of their progress. */
  async #lookForOthers(): Promise<void> {
    const { engine, recent } = this.#parts
    await recent.lookForOthers()
    const look = engine.look()
    for (const [key, { tasks }] of [...this.#open].slice(-MOST_WATCHED)) {
      if (tasks.every(({ taskId }) => look.task(taskId) === undefined)) recent.requests.changed(key)
    }
    if (this.#looks % VAULT_LOOKS === 0) recent.nodesChanged()
  }

  /** Marks the open requests whose tasks have changed, or that wait for other nodes now. */
  #watch(): void {
    const { engine, recent } = this.#parts
    const look = engine.look()
    for (const [key, { tasks, waitingFor }] of [...this.#open].slice(-MOST_WATCHED)) {
      const now = tasks.map(({ taskId }, i) => look.task(taskId) ?? tasks[i])
      const isSame = now.every((task, i) => task === tasks[i])
      if (!isSame || !isDeepStrictEqual(engine.waitingFor(tasks), waitingFor)) recent.requests.changed(key)
    }
    for (const key of this.#open.keys()) if (!recent.requests.has(key)) this.#open.delete(key)
  }

  #nodesNow(): Overview["nodes"] {
    const look = this.#parts.engine.look()
    const { nodeIds, tokens } = this.#slow
    const known = nodeIds.slice(0, MOST_NODES)
    const nodes = known.map((id) => nodeDocument(id, [...(this.#names.get(id) ?? [])], tokens.get(id), look))
    const states = nodes.map(({ node_id, state, blocked }) => ({ node_id, state, blocked }))
    if (!isDeepStrictEqual(states, this.#nodeStates)) this.#parts.recent.nodesChanged()
    this.#nodeStates = states
    return nodes
  }
}

/** The next portion of a list. A document that cannot be made is tried again at the next look, and does not hold back the others. */
async function portionOf(feed: Feed, one: (key: string) => Promise<Listed | undefined>) {
  const made = new Map<string, Listed | undefined>()
  const failed: string[] = []
  let failure: unknown
  for (const key of feed.take()) {
    try {
      made.set(key, await one(key))
    } catch (error) {
      failure ??= error
      failed.push(key)
    }
  }
  const change = feed.give(made)
  for (const key of failed) feed.changed(key)
  return { change, failure }
}

interface Watched {
  readonly tasks: readonly WaasTask[]
  readonly waitingFor: readonly string[]
  readonly awaitsPeople: boolean
}

/** Records whose commits make `Slow` out of date at once. Deliveries, and commits of other processes, show after SLOW_LOOKS. */
const SLOW_RECORDS: ReadonlySet<StoreWrite["put"]> = new Set(["group", "fencingToken", "webhookEndpoint"])

interface Slow {
  readonly nodeIds: readonly string[]
  readonly tokens: ReadonlyMap<string, NodeFencingToken>
  readonly endpoints: readonly ConsoleEndpoint[]
  readonly replicas: readonly ReplicaSeen[]
}

async function slowOf({ store, replicas }: LookerState): Promise<Slow> {
  return {
    nodeIds: await store.nodeIds(),
    tokens: await store.fencingTokens(),
    endpoints: await endpointDocuments(store),
    replicas: await replicas(),
  }
}

async function kindedOf(store: WaasStore, key: string): Promise<KindedRequest | undefined> {
  const id = key.slice(key.indexOf(":") + 1)
  switch (key) {
    case requestKey("sign", id): {
      const request = await store.signRequest(id)
      return request && { kind: "sign", request }
    }
    case requestKey("tss", id): {
      const request = await store.tssRequest(id)
      return request && { kind: "tss", request }
    }
    case requestKey("shareSign", id): {
      const request = await store.shareSignRequest(id)
      return request && { kind: "shareSign", request }
    }
    default:
      throw new CosignerError("E-CLI-001", { what: "the console was told of a request of no kind" })
  }
}

/** An open signing request with the status of memory, because what nodes say before the end is not stored (api/signRequests.ts). */
function asNow(kinded: KindedRequest, tasks: readonly WaasTask[]): KindedRequest {
  if (kinded.kind !== "sign" || !isOpen(kinded.request.status)) return kinded
  const now = signRequestNow(kinded.request, tasks, kinded.request.updatedMs)
  return isOpen(now.status) ? { kind: "sign", request: now } : kinded
}

const documentText = ({ document }: WaasTask): string =>
  document.length > MOST_DOCUMENT ? "" : Buffer.from(document).toString("base64")
