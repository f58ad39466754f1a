/** The documents of the status port, made field by field from what the node knows. No record is passed through whole. */

import { build } from "../build.ts"
import { toHex } from "../bytes.ts"
import type { CosignerError } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { ReplicaState } from "../link/link.ts"
import { type Delay, delayDocument } from "../panel/loopDelay.ts"
import { cut } from "../panel/schemas.ts"
import type { Store } from "../store/store.ts"
import { recordedIntents } from "../tasks/intents.ts"
import type { TaskRecord } from "../tasks/ports.ts"
import { activeSignable, refreshDue, signableBy } from "../tasks/signable.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { decodeRecordedTask, type Task } from "../wire/task.ts"
import { importStateOf } from "./inventory/imported.ts"
import { sizeOf } from "./measure.ts"
import type { GroupDocument, StatusDocument, TaskDocument } from "./port/documents.ts"
import type { ReadinessItem } from "./readiness/watch.ts"
import type { NodeView } from "./view.ts"

/** Since the start of the process. */
export interface EndedCounts {
  completed: number
  rejected: number
  failed: number
  cancelled: number
}

interface Present {
  readonly nowMs: number
  readonly startedMs: number
  readonly items: readonly ReadinessItem[]
  readonly isReady: boolean
  readonly ended: Readonly<EndedCounts>
  readonly delay: Delay
  readonly pingMs: number | undefined
}

export function statusDocument(view: NodeView, present: Present): StatusDocument {
  const { store, pool } = view
  const groups = store.groups.list()
  const active = activeSignable(store)
  return {
    node_id: view.nodeId,
    version: build.version,
    commit: build.commit,
    environment: view.environment,
    started_ms: present.startedMs,
    now_ms: present.nowMs,
    ready: present.isReady,
    items: present.items.map(({ name, state, reason, code, next, sinceMs, checkedMs }) => ({
      name,
      state,
      reason: cut(reason),
      code,
      next,
      since_ms: sinceMs,
      checked_ms: checkedMs,
    })),
    link: linkOf(view),
    store: { bytes: sizeOf(store.path), commits: store.generation, last_backup_ms: view.backupMs() ?? null },
    workers: { alive: pool.alive(), size: view.poolSize, ping_ms: present.pingMs ?? null },
    sessions_open: pool.open(),
    tasks: { open: view.tasksOpen(), ...present.ended },
    groups: {
      active: active.length,
      blocked: active.filter(({ signable }) => signable.some(({ ready }) => !ready)).length,
      epochs: groups.length,
      bans: store.bans.list().length,
    },
    risk: { rules_enabled: view.rulesEnabled(), callback_servers: callbacksOf(view) },
    event_servers: eventsOf(view),
    event_loop: delayDocument(present.delay),
    memory_bytes: process.memoryUsage.rss(),
  }
}

function linkOf(view: NodeView): StatusDocument["link"] {
  const { phase, sinceMs, silentMs, measured, failures, lastError, queue, replicas } = view.link()
  return {
    phase,
    since_ms: sinceMs,
    silent_ms: silentMs ?? null,
    rtt_ms: measured?.rttMs ?? null,
    clock_offset_ms: measured?.clockOffsetMs ?? null,
    failures,
    queued_frames: queue.frames,
    last_error: errorOf(lastError),
    replicas: replicas.map(replicaOf),
  }
}

const replicaOf = (replica: ReplicaState): StatusDocument["link"]["replicas"][number] => ({
  url: replica.url,
  phase: replica.phase,
  since_ms: replica.sinceMs,
  silent_ms: replica.silentMs ?? null,
  rtt_ms: replica.rttMs ?? null,
  failures: replica.failures,
  queued_frames: replica.queuedFrames,
  last_error: errorOf(replica.lastError),
})

const errorOf = (error: CosignerError | undefined): StatusDocument["link"]["last_error"] =>
  error === undefined ? null : { code: error.code, message: cut(error.message), next: cut(error.next) }

const callbacksOf = (view: NodeView): StatusDocument["risk"]["callback_servers"] =>
  view.callbackServers().map((serverState) => ({
    server: serverState.server,
    healthy: serverState.healthy ?? null,
    last_answer_ms: serverState.lastAnswerMs ?? null,
    took_ms: serverState.lastTookMs ?? null,
    skew_ms: serverState.skewMs ?? null,
    failures: serverState.failures,
    failure: cut(serverState.failure),
  }))

function eventsOf({ store, eventServers }: NodeView): StatusDocument["event_servers"] {
  const backlog = new Map(store.outbox.backlog().map((backlog) => [backlog.server, backlog]))
  return eventServers().map(({ server, healthy, lastTakenMs, failure }) => ({
    server,
    healthy: healthy ?? null,
    last_taken_ms: lastTakenMs ?? null,
    failure: cut(failure),
    pending: backlog.get(server)?.pending ?? 0,
    failed: backlog.get(server)?.failed ?? 0,
  }))
}

// ---- groups ----------------------------------------------------------------------------------------------------------

/** The sources of an epoch's document; the strikes are read once for many documents. */
interface GroupSources {
  readonly bans: Store["bans"]
  readonly strikes: { readonly refused: Store["strikes"]["refused"] }
  readonly freezes: Store["freezes"]
  readonly self: PartyId
  /** All epochs that are on record. */
  readonly epochs: () => readonly GroupPublic[]
}

export function groupDocument(group: GroupPublic, sources: GroupSources): GroupDocument {
  const { bans, self } = sources
  const banned = bans.unusable(group.groupId, group.epochId)
  return {
    group_id: group.groupId,
    epoch_id: toHex(group.epochId),
    status: group.status,
    mode: group.mode,
    curve: group.curve,
    threshold: group.threshold,
    created_ms: group.createdMs,
    algorithms: signableBy(group, sources).map(({ algorithm, ready, problem }) => ({
      algorithm,
      ready,
      code: problem?.code ?? "",
      reason: cut(problem?.message ?? ""),
      next: problem?.next ?? "",
    })),
    imported: importStateOf(sources.epochs(), group.groupId),
    refresh_due: cut((group.status === "ACTIVE" ? refreshDue(group, bans) : undefined)?.message ?? ""),
    participants: group.members.map(({ party }) => ({
      node_id: nodeIdOf(party),
      is_self: party === self,
      is_banned: banned.includes(party),
    })),
  }
}

// ---- tasks -----------------------------------------------------------------------------------------------------------

const PATHS = 3

/** `waitsFor`: which statements of people an undecided task still needs. */
export function taskDocument(record: TaskRecord, waitsFor = ""): TaskDocument {
  const { verdict } = record
  const decoded = decodeRecordedTask(record.document)
  const task = "problem" in decoded ? undefined : decoded
  const messages = task?.type === "KeySign" ? task.messages : []
  return {
    task_id: record.taskId,
    biz_task_id: task?.biz_task_id ?? "",
    type: record.type,
    state: record.state,
    attempt: record.attempt,
    claimed_ms: record.claimedMs,
    updated_ms: record.updatedMs,
    deadline_ms: record.deadlineMs,
    group_id: task === undefined ? "" : groupIdOf(task),
    node_ids: task === undefined ? [] : [...nodesOf(task)],
    signature_type: task?.type === "KeySign" ? task.signature_type : null,
    messages: messages.length,
    paths: messages.slice(0, PATHS).map(({ bip32_path }) => bip32_path),
    verdict:
      verdict === undefined
        ? null
        : {
            action: verdict.action,
            code: verdict.code,
            reason: cut(verdict.reason),
            rules: verdict.rules.map(({ rule, outcome, reason }) => ({
              rule: cut(rule),
              outcome,
              reason: cut(reason),
            })),
          },
    intents: recordedIntents(verdict).map(({ hash, text }) => ({ hash, text: cut(text) })),
    code: record.code,
    reason: cut(record.reason === "" && waitsFor !== "" ? `waits for ${waitsFor}` : record.reason),
    delivered: record.delivered,
  }
}

function groupIdOf(task: Task): string {
  switch (task.type) {
    case "KeyGen":
    case "KeySign":
      return task.group_id
    case "KeyReshare":
      return task.new_group_id
    case "KeyShareSign":
      return task.details[0]?.group_id ?? ""
  }
}

function nodesOf(task: Task): readonly string[] {
  switch (task.type) {
    case "KeyGen":
      return task.node_ids
    case "KeySign":
      return task.used_node_ids
    case "KeyReshare":
      return task.new_node_ids
    case "KeyShareSign":
      return [task.node_id]
  }
}
