/**
 * One WaaS process: starts keys, store, webhooks, broadcasting, engine, the relay and the REST API on one port, and the console; and stops
 * them so that answers under way are still sent.
 */
import { readFileSync } from "node:fs"
import { toHex } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import type { Log } from "../log.ts"
import { encodeCancel, encodeStart, type RemoteSigner, type Signer, signDocument } from "../wire/signed.ts"
import { encodeTask } from "../wire/task.ts"
import { authenticator } from "./api/auth.ts"
import type { ApiContext } from "./api/context.ts"
import { createApi } from "./api/server.ts"
import type { WaasConfig } from "./config.ts"
import { attachedConsole, storeNowOf } from "./console/attached.ts"
import { Engine } from "./engine/engine.ts"
import type { EngineOptions } from "./engine/options.ts"
import type { Documents, RelayPort } from "./engine/ports.ts"
import { errorWord, type WaasFiles } from "./files.ts"
import { waasKeys } from "./keyCommand.ts"
import { type ServedStore, serveStore } from "./opening.ts"
import { engineFailed, lateRelay, relayFor } from "./relayOfEngine.ts"
import { RELAY_LIMITS, type Relay } from "./relayOptions.ts"
import { StandingKeeper } from "./standing.ts"
import type { SharedStore } from "./store/shared.ts"
import type { WaasStore } from "./store/store.ts"
import { keepBroadcasting } from "./wallets/broadcast.ts"
import { updatingTransactions } from "./wallets/progress.ts"
import { startWebhookDelivery, type WebhookDelivery } from "./webhooks/delivery.ts"
import { announcing } from "./webhooks/news.ts"

/** How often the engine looks at deadlines and retries. */
const TICK_MS = 250
/** How often nodes that owe an answer are sent the same frames again, because frames may be lost. */
const NUDGE_MS = 30_000
/** How often the token rises, which proves that the store takes writes. An older copy younger than this may pass for the newest. */
const STANDING_MS = 10_000
/** So many ended requests are forgotten at a time, about a million a day; such a commit takes milliseconds. */
const FORGET_MS = 5_000
const FORGOTTEN_AT_ONCE = 64
/** A node that owes an answer and is silent for so long is hung: it sends a ping every 500 ms (link/connection.ts). */
const SILENT_MS = 2_000
/** A node that is undecided for so long is slow, and another one is asked beside it (formats.md 12). */
const SLOW_MS = 10_000
/** How long a node that said later is asked nothing new. */
const LATER_MS = 1_000
/**
 * Tasks of one node at one time. `asked` is half of what a node takes, to leave room for other deployments and for what was there before
 * a restart of WaaS; `running` is what its cores can do at one time.
 */
const WINDOWS = { asked: 128, running: 16 }
/** How long a stop waits for answers that are being sent. */
const DRAIN_MS = 5_000
const DRAIN_LOOK_MS = 10
/** How long a stopping process keeps its requests while answers are sent; then other replicas go on with them. */
const RESIGN_MS = 1_000
/** With replicas a silent node counts as gone sooner, since it may be connected to another one; it sends a heartbeat every 15 s. */
const SHARED_SILENT_MS = 20_000

export interface RunningWaas {
  /** `http://127.0.0.1:11050`, with the actual port. The API is below /v2, the relay at /ws. */
  readonly url: string
  /** Hex; nodes pin it. */
  readonly publicKey: string
  readonly responseKey: string
  /** The address of the console; undefined if it is off. */
  readonly console: string | undefined
  /** Resolves when another WaaS has taken over the shared store; the caller must stop this one. */
  readonly lost: Promise<CosignerError>
  stop(): Promise<void>
}

/**
 * Starts to serve the folder; other processes may serve a shared store at the same time. While `waas adopt` works on that store, it
 * waits, and resolves with undefined if the signal fires meanwhile. Throws E-WAA-002 to -006, -011, -015, -070 to -073, -075, -080
 * and -081.
 */
export async function startWaas(
  config: WaasConfig,
  files: WaasFiles,
  log: Log,
  signal: AbortSignal,
): Promise<RunningWaas | undefined> {
  await using opened = new AsyncDisposableStack()
  const keys = await waasKeys(config, files)
  const late = lateRelay()
  // Nodes dial again, and get in as soon as the store answers.
  const onUnheard = () => late.refuseAll("busy")
  const served = await serveStore(config, files, { log, signal, onUnheard, isAlone: false })
  if (served === undefined) return undefined
  const bareStore = opened.use(served).store
  const { shared } = served
  const webhooks = opened.adopt(webhooksOf(config, served, keys.responses, log), (webhooks) => webhooks.stop())
  opened.use(shared.subscribe(({ kind }) => kind === "webhooks" && webhooks.poke()))
  const page = attachedConsole()
  const onNews = () => shared.tell({ kind: "webhooks" })
  const announced = announcing(bareStore, Date.now, onNews, () => shared.living() === 1)
  const store = page.observing(updatingTransactions(announced))
  opened.defer(startBroadcasting({ store, shared, chains: config.chains, fetch, now: Date.now, log }))
  const engine = await Engine.open({ ...engineOptions(config, late.port, keys.tasks, log), store, shared })
  const standing = await StandingKeeper.open({
    store: bareStore,
    signer: keys.tasks,
    log,
    tell: (frame) => late.tell(frame, (nodeId) => engine.versions(nodeId).link),
    problem: served.problem,
    onFenced: () => late.refuseAll("fenced"),
  })
  const limits = config.store === undefined ? RELAY_LIMITS : { ...RELAY_LIMITS, silentMs: SHARED_SILENT_MS }
  const relay = opened.adopt(relayFor({ engine, standing, signer: keys.challenges, limits, log }), (made) =>
    made.close(),
  )
  late.connect(relay)
  const parts = { store, shared, engine, online: late.port.online, standing, responseKey: keys.responses, log }
  const api = apiOf(config, parts)
  const among = config.store === undefined ? undefined : shared
  const readiness = (request: Request) => readinessAnswer(request, standing, among)
  const server = serve(config, relay, async (request, from) => readiness(request) ?? api(request, from))
  opened.defer(() => server.stop(true))
  const publicKey = toHex(keys.tasks.publicKey)
  opened.defer(page.stop)
  await page.open(config, {
    store,
    engine,
    url: server.url.origin,
    publicKey,
    storeNow: storeNowOf(config, files),
    replicas: served.replicas,
    shared,
    items: () => standing.readiness(),
    log,
  })
  const running = opened.move()
  const ticking = keepTicking(engine, log)
  const marking = setInterval(() => void standing.step(), STANDING_MS)
  const forgetting = keepForgetting(store, shared, config.retentionMs, log)
  return {
    url: server.url.origin,
    publicKey,
    responseKey: toHex(keys.responses.publicKey),
    lost: served.lost,
    console: page.address(),
    stop: () => stopped({ engine, relay, server, served, running, timers: [ticking, marking, forgetting] }),
  }
}

interface ApiParts extends Pick<ApiContext, "store" | "shared" | "engine" | "online"> {
  readonly standing: StandingKeeper
  readonly responseKey: Signer
  readonly log: Log
}

const apiOf = (config: WaasConfig, { store, shared, engine, online, standing, responseKey, log }: ApiParts) =>
  createApi({
    context: {
      store,
      shared,
      engine,
      now: Date.now,
      online,
      organisationName: config.organisation,
      chains: config.chains,
      tokens: config.tokens,
      fetch,
      webhookHosts: config.webhooks.hosts,
      keyGenDeadlineMs: config.deadlines.keyGenMs,
      signDeadlineMs: config.deadlines.signMs,
    },
    authenticate: authenticator(store, Date.now, config.limits),
    responseKey,
    bodyBytes: config.limits.bodyBytes,
    closed: () => standing.fenced?.message,
    log,
  })

/** Begins to broadcast; the returned function ends it. */
function startBroadcasting(parts: Parameters<typeof keepBroadcasting>[0]): () => Promise<void> {
  const stopping = new AbortController()
  const ended = keepBroadcasting(parts, stopping.signal)
  return async () => {
    stopping.abort()
    await ended
  }
}

interface RunningParts {
  readonly engine: Engine
  readonly relay: Relay
  readonly server: Bun.Server<unknown>
  readonly served: ServedStore
  readonly running: AsyncDisposableStack
  readonly timers: readonly (ReturnType<typeof setInterval> | undefined)[]
}

async function stopped({ engine, relay, server, served, running, timers }: RunningParts): Promise<void> {
  for (const timer of timers) clearInterval(timer)
  engine.close()
  relay.close()
  const drained = Promise.race([server.stop(false), allAnswered(server)])
  await Promise.race([drained, Bun.sleep(RESIGN_MS)])
  // Without this an unreachable database would keep the engine's last commit waiting for ever.
  const givingUp = setTimeout(() => served.giveUp(), DRAIN_MS)
  await engine.idle()
  // Callers that still wait are told to ask again; other replicas take the requests over at once.
  await served.shared.resign()
  clearTimeout(givingUp)
  await drained
  await server.stop(true)
  await running.disposeAsync()
}

const webhooksOf = (
  config: WaasConfig,
  { store, shared }: ServedStore,
  responseKey: Signer,
  log: Log,
): WebhookDelivery =>
  startWebhookDelivery({
    store,
    isLeader: () => shared.isLeader(),
    responseKey,
    ...config.webhooks,
    now: Date.now,
    fetch,
    log,
  })

const engineOptions = (
  config: WaasConfig,
  relay: RelayPort,
  signer: RemoteSigner,
  log: Log,
): Omit<EngineOptions, "store" | "shared"> => ({
  relay,
  documents: documentsBy(signer),
  now: Date.now,
  pace: {
    attempts: config.attempts.most,
    attemptMs: config.attempts.ms,
    retryMs: config.attempts.retryMs,
    nudgeMs: NUDGE_MS,
    silentMs: SILENT_MS,
    slowMs: SLOW_MS,
    laterMs: LATER_MS,
  },
  windows: WINDOWS,
  curves: config.curves,
  organisationName: config.organisation,
  openTasks: config.limits.openTasks,
  refresh: config.refresh && { ...config.refresh, deadlineMs: config.deadlines.keyGenMs },
  log,
})

/** Runs one tick at a time, so that a slow disk does not pile them up. */
function keepTicking(engine: Engine, log: Log): ReturnType<typeof setInterval> {
  let busy = false
  return setInterval(() => {
    if (busy) return
    busy = true
    engine
      .tick()
      .catch((error: unknown) => engineFailed(log, error))
      .finally(() => {
        busy = false
      })
  }, TICK_MS)
}

/** Deletes ended signing requests after the configured time, a few at a time, so that no commit is long. Only the leader does. */
function keepForgetting(
  store: WaasStore,
  shared: SharedStore,
  retentionMs: number,
  log: Log,
): ReturnType<typeof setInterval> | undefined {
  if (retentionMs === 0) return undefined
  const forget = async (): Promise<void> => {
    if (!shared.isLeader()) return
    const count = await store.forgetEnded(Date.now() - retentionMs, FORGOTTEN_AT_ONCE)
    if (count > 0) log.debug("ended signing requests were forgotten", { count })
  }
  return setInterval(() => void forget().catch((error: unknown) => engineFailed(log, error)), FORGET_MS)
}

/** Encodes and signs documents with the key of WaaS. */
export const documentsBy = (signer: RemoteSigner): Documents => ({
  task: (task) => signDocument(signer, "waas/task", encodeTask(task)),
  start: (startDocument) => signDocument(signer, "waas/start", encodeStart(startDocument)),
  cancel: (cancelDocument) => signDocument(signer, "waas/cancel", encodeCancel(cancelDocument)),
})

/** Answers GET /readyz, for monitoring and load balancers (formats.md 14.1). It needs no key and shows nothing about callers. */
function readinessAnswer(
  request: Request,
  standing: StandingKeeper,
  among: SharedStore | undefined,
): Response | undefined {
  if (request.method !== "GET" || new URL(request.url).pathname !== "/readyz") return undefined
  const items = standing.readiness()
  const ready = items.every(({ state }) => state === "ok")
  const replica = among && { id: among.replicaId, leads: among.isLeader(), living: among.living() }
  const body = { ready, items, ...(replica && { replica }) }
  return Response.json(body, { status: ready ? 200 : 503, headers: { "cache-control": "no-store" } })
}

/** Serves the relay without an API; used by `waas adopt`. */
export const serveRelay = (config: WaasConfig, relay: Relay) =>
  serve(config, relay, async () => new Response("adopting", { status: 503 }))

/**
 * Resolves when every answer was sent and every node has disconnected, or after DRAIN_MS. The runtime's own stop would also wait for
 * uploads that were refused and that nobody reads.
 */
export async function allAnswered(
  server: Pick<Bun.Server<unknown>, "pendingRequests" | "pendingWebSockets">,
): Promise<void> {
  const untilMs = performance.now() + DRAIN_MS
  const isBusy = (): boolean => server.pendingRequests + server.pendingWebSockets > 0
  while (isBusy() && performance.now() < untilMs) await Bun.sleep(DRAIN_LOOK_MS)
}

function serve(config: WaasConfig, relay: Relay, api: ReturnType<typeof createApi>) {
  const address = `${config.hostname}:${config.port}`
  try {
    return Bun.serve({
      hostname: config.hostname,
      port: config.port,
      ...(config.tls === undefined
        ? {}
        : { tls: { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) } }),
      // The runtime would answer a large body itself, with an empty and unsigned answer. api/body.ts enforces the limit instead.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      // Longer than the longest wait of a caller (50 s, api/wait.ts).
      idleTimeout: 60,
      websocket: relay.websocket,
      fetch(request, server) {
        const upgraded = relay.upgrade(request, server)
        if (upgraded === "upgraded") return undefined
        return upgraded === "other" ? api(request, server.requestIP(request)?.address) : upgraded
      },
    })
  } catch (cause) {
    throw new CosignerError("E-WAA-011", { address, problem: errorWord(cause) }, { cause })
  }
}
