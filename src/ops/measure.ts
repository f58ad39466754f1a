/** Turns what happens in a node into measurements: code that sees an event calls a function here, and present states are collected. */
import { readdirSync, statSync } from "node:fs"
import { build } from "../build.ts"
import type { Tried } from "../callback/ask.ts"
import type { Sent } from "../events/sender.ts"
import type { Delay } from "../panel/loopDelay.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { TaskRecord } from "../tasks/ports.ts"
import { activeSignable } from "../tasks/signable.ts"
import type { Metrics } from "./metrics/catalogue.ts"
import type { ReadinessItem } from "./readiness/watch.ts"
import type { NodeView } from "./view.ts"

const seconds = (ms: number): number => ms / 1000

export function measureStart(metrics: Metrics, startedMs: number): void {
  const { version, commit, mode } = build
  metrics.set("cosigner_build_info", { version, commit, mode }, 1)
  metrics.set("cosigner_start_time_seconds", {}, seconds(startedMs))
}

export function measureVerdict(metrics: Metrics, { action, code, rules }: Verdict): void {
  metrics.add("cosigner_verdicts_total", { action, code })
  for (const { rule, outcome } of rules) metrics.add("cosigner_rules_total", { rule, outcome })
}

export function measureEnd(metrics: Metrics, record: TaskRecord, signatureType: number | undefined): void {
  const { type, state, code, outcome } = record
  metrics.add("cosigner_tasks_total", { type, outcome: state, code })
  const tookMs = record.updatedMs - record.claimedMs
  metrics.observe("cosigner_task_duration_seconds", { type, outcome: state }, seconds(tookMs))
  if (outcome?.type === "signatures") {
    metrics.add("cosigner_signatures_total", { signature_type: String(signatureType ?? "") }, outcome.signatures.length)
  }
}

export function measureCallback(metrics: Metrics, { server, answer, tookMs }: Tried): void {
  const outcome = answer.kind === "failed" ? answer.code : answer.kind
  metrics.observe("cosigner_callback_duration_seconds", { server, outcome }, seconds(tookMs))
  if (answer.skewMs !== undefined) {
    metrics.set("cosigner_callback_clock_offset_seconds", { server }, seconds(answer.skewMs))
  }
}

export function measureEvent(metrics: Metrics, { server, failure, givenUp, tookMs }: Sent): void {
  const outcome = failure === "" ? "taken" : givenUp ? "given up" : "failed"
  metrics.observe("cosigner_event_duration_seconds", { server, outcome }, seconds(tookMs))
}

export function measureReadiness(metrics: Metrics, items: readonly ReadinessItem[], isReady: boolean): void {
  metrics.set("cosigner_ready", {}, isReady ? 1 : 0)
  for (const { name, state } of items) metrics.set("cosigner_ready_item", { item: name }, state === "ok" ? 1 : 0)
}

/** Present states, read when somebody asks for them. */
export function collect(metrics: Metrics, view: NodeView, delay: Delay, nowMs: number): void {
  collectLink(metrics, view)
  collectStore(metrics, view, nowMs)
  metrics.set("cosigner_tasks_open", {}, view.tasksOpen())
  metrics.set("cosigner_sessions_open", {}, view.pool.open())
  metrics.set("cosigner_workers", {}, view.pool.alive())
  for (const [stat, ms] of Object.entries({ p50: delay.p50Ms, p99: delay.p99Ms, max: delay.maxMs })) {
    metrics.set("cosigner_event_loop_delay_seconds", { stat }, seconds(ms))
  }
  metrics.set("cosigner_resident_memory_bytes", {}, process.memoryUsage.rss())
  const files = openFiles()
  if (files !== undefined) metrics.set("cosigner_open_files", {}, files)
}

function collectLink(metrics: Metrics, view: NodeView): void {
  const { phase, measured, failures, dropped, queue, replicas } = view.link()
  metrics.set("cosigner_link_up", {}, phase === "online" ? 1 : 0)
  metrics.set("cosigner_link_failures", {}, failures)
  metrics.set("cosigner_link_queued_frames", {}, queue.frames)
  for (const [reason, count] of Object.entries(dropped)) {
    metrics.total("cosigner_link_dropped_frames_total", { reason }, count)
  }
  for (const { url, phase, rttMs, failures, queuedFrames } of replicas) {
    metrics.set("cosigner_replica_up", { url }, phase === "online" ? 1 : 0)
    metrics.set("cosigner_replica_failures", { url }, failures)
    metrics.set("cosigner_replica_queued_frames", { url }, queuedFrames)
    if (rttMs !== undefined) metrics.set("cosigner_replica_rtt_seconds", { url }, seconds(rttMs))
  }
  if (measured === undefined) return
  metrics.set("cosigner_link_rtt_seconds", {}, seconds(measured.rttMs))
  metrics.set("cosigner_clock_offset_seconds", {}, seconds(measured.clockOffsetMs))
}

function collectStore(metrics: Metrics, { store, witnesses, backupMs, provenMs }: NodeView, nowMs: number): void {
  metrics.set("cosigner_store_bytes", {}, sizeOf(store.path))
  metrics.total("cosigner_store_commits_total", {}, store.generation)
  metrics.total("cosigner_store_records_opened_total", {}, store.recordsOpened)
  metrics.set("cosigner_bans", {}, store.bans.list().length)
  const { unseen, cosignedMs } = witnesses()
  metrics.total("cosigner_log_leaves_total", {}, store.audit.size)
  metrics.set("cosigner_log_unseen_leaves", {}, unseen)
  if (cosignedMs !== undefined) metrics.set("cosigner_log_cosigned_age_seconds", {}, seconds(nowMs - cosignedMs))
  const frozen = store.freezes.list()
  const wholes = frozen.filter(({ groupId }) => groupId === "").length
  metrics.set("cosigner_frozen", { scope: "node" }, wholes)
  metrics.set("cosigner_frozen", { scope: "group" }, frozen.length - wholes)
  metrics.clear("cosigner_groups")
  for (const [key, count] of countedBy(store.groups.list(), ({ curve, status }) => `${curve} ${status}`)) {
    const [curve = "", status = ""] = key.split(" ")
    metrics.set("cosigner_groups", { curve, status }, count)
  }
  metrics.clear("cosigner_groups_signing")
  const active = activeSignable(store)
  metrics.set("cosigner_groups_refresh_due", {}, active.filter(({ refresh }) => refresh !== undefined).length)
  const signing = active.flatMap(({ signable }) => signable)
  const states = countedBy(signing, ({ algorithm, ready, problem }) => `${algorithm} ${ready ? "" : problem?.code}`)
  for (const [key, count] of states) {
    const [algorithm = "", code = ""] = key.split(" ")
    metrics.set("cosigner_groups_signing", { algorithm, code }, count)
  }
  metrics.clear("cosigner_events_waiting")
  for (const { server, pending, failed } of store.outbox.backlog()) {
    metrics.set("cosigner_events_waiting", { server, state: "pending" }, pending)
    metrics.set("cosigner_events_waiting", { server, state: "failed" }, failed)
  }
  const backup = backupMs()
  if (backup !== undefined) metrics.set("cosigner_backup_age_seconds", {}, seconds(nowMs - backup))
  const proven = provenMs()
  if (proven !== undefined) metrics.set("cosigner_proof_age_seconds", {}, seconds(nowMs - proven))
}

function countedBy<T>(list: readonly T[], keyOf: (t: T) => string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const of of list) counts.set(keyOf(of), (counts.get(keyOf(of)) ?? 0) + 1)
  return counts
}

/** 0 if the file cannot be read; the store probe reports whether it exists. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

function openFiles(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length
  } catch {
    return undefined
  }
}
