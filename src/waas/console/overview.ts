/** Makes the overview of the console: nodes, webhook endpoints, the store, replicas; each field from the present state of WaaS. */
import { build } from "../../build.ts"
import { type Delay, delayDocument } from "../../panel/loopDelay.ts"
import { cut } from "../../panel/schemas.ts"
import type { EngineLook } from "../engine/looked.ts"
import type { WaasReadinessItem } from "../standing.ts"
import type { NodeFencingToken } from "../store/model.ts"
import type { ReplicaSeen } from "../store/replica.ts"
import type { WaasStore } from "../store/store.ts"
import type { WebhookEndpoint } from "../store/webhookModel.ts"
import type { ConsoleEndpoint, ConsoleNode, Overview } from "./documents.ts"

export interface StoreNow {
  readonly kind: "sqlite" | "postgres"
  /** The path of the file, or the URL of the database without its password. */
  readonly place: string
  readonly bytes: number | undefined
  /** When all records were verified against their checksums; undefined: not at this start. */
  readonly checkedMs: number | undefined
}

/** Facts about WaaS that never change while it runs. */
export interface FixedFacts {
  readonly organisation: string
  readonly url: string
  readonly publicKey: string
  readonly startedMs: number
  readonly webhookHosts: readonly string[]
}

interface OverviewParts {
  readonly fixed: FixedFacts
  readonly nodes: readonly ConsoleNode[]
  readonly nodesLeftOut: number
  readonly endpoints: readonly ConsoleEndpoint[]
  readonly store: StoreNow
  readonly replicas: readonly ReplicaSeen[]
  /** The number of this process. */
  readonly replicaId: string
  readonly items: readonly WaasReadinessItem[]
  readonly lastCommitMs: number | undefined
  readonly delay: Delay
  readonly openRequests: number
  readonly awaitingPeople: number
  readonly nowMs: number
}

const MOST_WORDS = 512

export function overviewOf(parts: OverviewParts): Overview {
  const { fixed, store } = parts
  return {
    version: build.version,
    organisation: cut(fixed.organisation, MOST_WORDS),
    url: fixed.url,
    public_key: fixed.publicKey,
    started_ms: fixed.startedMs,
    now_ms: parts.nowMs,
    items: parts.items.map(({ name, state, code, reason, next }) => ({
      name,
      state,
      code,
      reason: cut(reason, MOST_WORDS),
      next: cut(next, MOST_WORDS),
    })),
    open_requests: parts.openRequests,
    awaiting_people: parts.awaitingPeople,
    nodes: [...parts.nodes],
    nodes_left_out: parts.nodesLeftOut,
    webhooks: {
      hosts: fixed.webhookHosts.map((host) => cut(host, MOST_WORDS)),
      endpoints: [...parts.endpoints],
    },
    store: {
      kind: store.kind,
      place: cut(store.place, MOST_WORDS),
      bytes: store.bytes ?? null,
      last_commit_ms: parts.lastCommitMs ?? null,
      checked_ms: store.checkedMs ?? null,
    },
    event_loop: delayDocument(parts.delay),
    replicas: replicasShown(parts),
  }
}

/** The replicas as shown. The living one with the lowest number leads (formats.md 14.3). */
function replicasShown({ replicas, replicaId }: OverviewParts): Overview["replicas"] {
  const numbers = replicas.flatMap(({ id, isAlive }) => (isAlive ? [Number(id)] : []))
  return replicas.map(({ id, name, isAlive, seenMs }) => ({
    id,
    name: cut(name, MOST_WORDS),
    serves: isAlive,
    leads: isAlive && Number(id) === Math.min(...numbers),
    is_this: id === replicaId,
    seen_ms: seenMs,
  }))
}

// ---- nodes -----------------------------------------------------------------------------------------------------------

const MOST_BLOCKED = 100

export function nodeDocument(
  nodeId: string,
  names: readonly string[],
  token: NodeFencingToken | undefined,
  look: EngineLook,
): ConsoleNode {
  const { isOnline, silentMs, readiness, versions, asked, running } = look.node(nodeId)
  const isSilent = look.whyUnable(nodeId, undefined) === "silent"
  const state = isOnline ? (isSilent ? "silent" : readiness?.code ? "not ready" : "ready") : "away"
  return {
    node_id: nodeId,
    names: names.map((name) => cut(name, MOST_WORDS)),
    state,
    code: readiness?.code ?? "",
    reason: cut(readiness?.reason ?? "", MOST_WORDS),
    silent_ms: silentMs === undefined ? null : Math.round(silentMs),
    blocked: (readiness?.blocked ?? []).slice(0, MOST_BLOCKED).map(({ groupId, algorithm, code }) => ({
      group_id: groupId,
      algorithm,
      code,
    })),
    refresh: [...(readiness?.refresh ?? [])].slice(0, MOST_BLOCKED),
    asked,
    running,
    link: isOnline ? versions.link : 0,
    incarnation: token?.incarnation ?? 0,
    starts: token?.boot ?? 0,
    commits: token?.generation ?? 0,
  }
}

// ---- webhooks --------------------------------------------------------------------------------------------------------

const MOST_ENDPOINTS = 50
const ONE = { limit: 1, after: undefined, before: undefined }

export async function endpointDocuments(store: WaasStore): Promise<readonly ConsoleEndpoint[]> {
  const { items } = await store.webhookEndpoints({}, { ...ONE, limit: MOST_ENDPOINTS })
  return Promise.all(items.map((endpoint) => endpointDocument(endpoint, store)))
}

async function endpointDocument(endpoint: WebhookEndpoint, store: WaasStore): Promise<ConsoleEndpoint> {
  const { endpointId } = endpoint
  const [waiting, failed, latest] = await Promise.all([
    store.webhookEvents({ endpointId, status: "Retrying" }, ONE),
    store.webhookEvents({ endpointId, status: "Failed" }, ONE),
    store.webhookEvents({ endpointId }, ONE),
  ])
  const event = waiting.items[0] ?? latest.items[0]
  const log = event === undefined ? undefined : (await store.webhookLogs({ eventId: event.eventId }, ONE)).items[0]
  return {
    endpoint_id: endpointId,
    server: serverOf(endpoint.url),
    description: cut(endpoint.description, MOST_WORDS),
    active: endpoint.status === "STATUS_ACTIVE",
    event_types: endpoint.eventTypes.length,
    waiting: waiting.total,
    failed: failed.total,
    last_ms: log?.createdMs ?? null,
    failure: cut(log?.failure ?? "", MOST_WORDS),
  }
}

/** Scheme and host of the URL; path and query may hold a secret of the endpoint's owner. */
function serverOf(url: string): string {
  if (!URL.canParse(url)) return ""
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}
