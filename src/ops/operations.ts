/**
 * How a node is watched: measurements, readiness, the status port, InfluxDB. It reads the node through functions and is
 * told what happens. Nothing in the node waits for it, and without it the node would sign in the same way.
 */
import type { Config } from "../config/config.ts"
import type { Startable } from "../config/startup.ts"
import { CosignerError, describe, errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { type Delay, delayMeter } from "../panel/loopDelay.ts"
import type { Store } from "../store/store.ts"
import { activeSignable } from "../tasks/signable.ts"
import type { Readiness } from "../wire/frames.ts"
import { statusDocument } from "./documents.ts"
import { createLists, type Lists } from "./lists.ts"
import { collect, measureReadiness, measureStart } from "./measure.ts"
import { createMetrics, type Metrics } from "./metrics/catalogue.ts"
import { type InfluxExporter, startInflux } from "./metrics/influx.ts"
import { prometheusText } from "./metrics/prometheus.ts"
import type { Family } from "./metrics/registry.ts"
import { createObservers, type Observed, type Observers } from "./observers.ts"
import { createHistory, type History } from "./port/history.ts"
import type { StallOptions } from "./port/messages.ts"
import { spawnPortThread } from "./port/spawn.ts"
import { type StatusThread, startStatus } from "./port/thread.ts"
import { auditProbe } from "./readiness/auditProbe.ts"
import {
  clockProbe,
  configProbe,
  freezeProbe,
  groupsProbe,
  linkProbe,
  loopProbe,
  policyProbe,
  proofProbe,
  sessionsProbe,
  storeProbe,
  type WatchLimits,
  waasProbe,
  workersProbe,
} from "./readiness/probes.ts"
import { tellReadiness } from "./readiness/told.ts"
import { createWatch, isReady, type Probe, type ReadinessItem } from "./readiness/watch.ts"
import type { NodeView } from "./view.ts"

interface WaasTold {
  readonly tell: (readiness: Readiness) => void
  /** The most tasks that may be in progress at once. */
  readonly mostTasks: number
}

type GivenView = Omit<NodeView, "self" | "store" | "environment" | "provenMs">

export interface Operations {
  readonly observers: Observers
  /** The address of the status port, as `status.listen` writes it; undefined if it is off. */
  readonly address: string | undefined
  /** Begins to watch once the node can be read; WaaS is told the resulting readiness. */
  begin(view: GivenView, waas: WaasTold): void
  /** Never rejects; takes at most a few seconds, whatever InfluxDB does. */
  stop(): Promise<void>
}

interface OperationsOptions extends Pick<Startable, "port" | "influx"> {
  readonly config: Pick<Config, "metrics" | "checkup" | "env" | "log">
  readonly store: Store
  readonly self: PartyId
  readonly log: Log
  readonly limits: WatchLimits
  /** Between two looks at everything, ms. */
  readonly tickMs: number
}

/** Time for a last round of measurements at the end. */
const INFLUX_END_MS = 2_000
const INFLUX_TIMEOUT_MS = 5_000
const INFLUX_INTERVAL_MS = 10_000
const BACKUP_LOOK_MS = 30_000
/** Several check-ups may be missing before this is an alarm. */
const MISSED_CHECKUPS = 3

/** Opens the port first, so that an occupied address stops the start. Throws E-STA-001. */
export async function openOperations(options: OperationsOptions): Promise<Operations> {
  const { config, port, influx: target, store, self, log, limits } = options
  const startedMs = Date.now()
  const clock = () => performance.now()
  const metrics = createMetrics()
  const history = createHistory()
  const lists = createLists(store, self, log)
  const { observers, seen } = createObservers({ store, metrics, history, lists, clock, log })
  measureStart(metrics, startedMs)
  let looking: Looking | undefined
  const families = (): readonly Family[] => {
    looking?.collect()
    return metrics.families()
  }
  const thread = await startStatus({
    port,
    stall: { limitMs: limits.stallMs, format: stallFormat(config.log) },
    feeds: lists.feeds,
    log,
    spawn: spawnPortThread,
  })
  if (thread.address !== undefined) log.info("status port open", { address: thread.address })
  const { job, instance, name_prefix: prefix } = config.metrics
  const influx: InfluxExporter | undefined =
    target &&
    startInflux({
      target,
      prefix,
      tags: { job, instance: String(instance) },
      intervalMs: config.metrics.influxdb.interval ?? INFLUX_INTERVAL_MS,
      timeoutMs: INFLUX_TIMEOUT_MS,
      families,
      onSkipped: () => metrics.add("cosigner_influx_skipped_total", {}),
      now: Date.now,
      log,
    })
  return {
    observers,
    address: thread.address,
    begin(given, waas) {
      const backupMs = remembered(given.backupMs, BACKUP_LOOK_MS, clock)
      const view: NodeView = { ...given, self, backupMs, store, environment: config.env, provenMs: seen.provenMs }
      looking = look({ ...options, waas, view, metrics, history, lists, seen, clock, startedMs, thread })
    },
    async stop() {
      looking?.stop()
      const gone = thread.stop()
      await influx?.stop(INFLUX_END_MS)
      await gone
    },
  }
}

/** Remembers a value read from a disk, and reads it again only when it is older than `forMs`. */
function remembered<T>(ask: () => T, forMs: number, clock: () => number): () => T {
  let last: { readonly value: T; readonly at: number } | undefined
  return () => {
    if (last === undefined || clock() - last.at >= forMs) last = { value: ask(), at: clock() }
    return last.value
  }
}

function stallFormat({ std }: Config["log"]): StallOptions["format"] {
  if (!std.enable) return undefined
  return std.format === "auto" ? (process.stderr.isTTY ? "terminal" : "logfmt") : std.format
}

// ---- looking ---------------------------------------------------------------------------------------------------------

interface Looking {
  /** Present states into the measurements. */
  collect(): void
  stop(): void
}

interface OperationsParts extends OperationsOptions {
  readonly waas: WaasTold
  readonly view: NodeView
  readonly metrics: Metrics
  readonly history: History
  readonly lists: Lists
  readonly seen: Observed
  readonly clock: () => number
  readonly startedMs: number
  readonly thread: StatusThread
}

function look(parts: OperationsParts): Looking {
  const { view, metrics, log, seen, thread } = parts
  let pingMs: number | undefined
  const probes = probesOf(parts, (tookMs) => {
    pingMs = tookMs
    metrics.set("cosigner_worker_ping_seconds", {}, tookMs / 1000)
  })
  const watch = createWatch({
    probes,
    now: Date.now,
    log,
    onAlarm: (item) => metrics.add("cosigner_alarms_total", { item }),
  })
  const told = tellReadiness({
    link: view.link,
    open: view.tasksOpen,
    most: parts.waas.mostTasks,
    groups: () => activeSignable(parts.store),
    tell: parts.waas.tell,
  })
  const delays = delayMeter()
  let isBroken = false

  function tick(): void {
    const items = watch.look()
    const ready = isReady(items)
    const delay = delays.read()
    measureReadiness(metrics, items, ready)
    told.look(items)
    parts.lists.look()
    thread.beat(() => ({
      status: documentOf(items, ready, delay),
      history: parts.history.document(Date.now()),
      metrics: metricsText(),
    }))
  }

  const collected = (): void => collect(metrics, view, delays.last(), Date.now())

  function metricsText(): string {
    collected()
    return prometheusText(metrics.families(), parts.config.metrics.name_prefix)
  }

  /** A bug in watching must not end the node: the port then says that nothing is known. */
  function guardedTick(): void {
    try {
      tick()
    } catch (error) {
      thread.beat(undefined)
      const bug = new CosignerError("E-CLI-001", { what: `the node could not be looked at: ${errorText(error)}` })
      if (!isBroken) log.error(describe(bug), { code: bug.code })
      isBroken = true
    }
  }

  const documentOf = (items: readonly ReadinessItem[], ready: boolean, delay: Delay) =>
    statusDocument(view, {
      nowMs: Date.now(),
      startedMs: parts.startedMs,
      items,
      isReady: ready,
      ended: seen.ended,
      delay,
      pingMs,
    })

  guardedTick()
  const timer = setInterval(guardedTick, parts.tickMs)
  return {
    collect: collected,
    stop() {
      clearInterval(timer)
      delays.stop()
    },
  }
}

function probesOf(parts: OperationsParts, onPing: (tookMs: number) => void): readonly Probe[] {
  const { view, limits, clock, seen, log, metrics } = parts
  const { store, pool, poolSize: size } = view
  const { interval } = parts.config.checkup
  return [
    storeProbe({ limits, clock, writtenAt: seen.writtenAt, write: () => store.probe(Date.now()) }),
    linkProbe(limits, view.link),
    waasProbe(view.link),
    clockProbe(limits, view.link),
    workersProbe({ limits, clock, pool, size, onAnswer: onPing }),
    sessionsProbe(limits, clock, seen.openSessions),
    groupsProbe(() => activeSignable(store)),
    freezeProbe(() => store.freezes.list()),
    auditProbe({ now: Date.now, state: view.witnesses, doubt: () => store.witnessing.doubt }),
    policyProbe(() => store.policies.followed),
    configProbe(view.waitingKeys),
    loopProbe(limits, clock, (ms) => {
      metrics.add("cosigner_alarms_total", { item: "loop" })
      log.warn("the main thread recovered from a stall", { code: "E-STA-015", stalledMs: Math.round(ms) })
    }),
    proofProbe({
      now: Date.now,
      provenMs: seen.provenMs,
      heldMs: () => heldMs(store),
      limitMs: interval === undefined ? undefined : MISSED_CHECKUPS * interval,
    }),
  ]
}

/** Since when the node has held a share that could sign. */
function heldMs(store: Store): number | undefined {
  const active = store.groups.list().filter(({ status }) => status === "ACTIVE")
  return active.length === 0 ? undefined : Math.min(...active.map(({ createdMs }) => createdMs))
}
