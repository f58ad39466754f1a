/**
 * Whom a task asks, and who signs in an attempt. Pure. A task of version 3 may be signed by any `threshold` of its nodes: it asks as
 * many as it takes, another one for each that is sick, silent, slow or put it off, and begins with those that approved and are well.
 * Every other task needs all its nodes.
 */
import { READ } from "../../tasks/report.ts"
import type { NodeReport, TaskKey, WaasTask } from "../store/model.ts"
import { awaitedText } from "./awaited.ts"
import type { Pace } from "./ports.ts"
import type { VersionsOf } from "./versions.ts"

export interface Situation {
  readonly nowMs: number
  readonly pace: Pace
  online(nodeId: string): boolean
  readonly versions: VersionsOf
  /** 16 random bytes, hex; fresh each time. */
  readonly newNonce: () => string
  /** Why the node cannot sign with the key just now, for people; undefined where it can. */
  whyUnable(nodeId: string, key: TaskKey | undefined): string | undefined
  /** Whether a node that has owed a word since that moment is silent. */
  isSilent(nodeId: string, sinceMs: number): boolean
  /** Whether the node may be asked for one more task; whether one more of its sessions may begin. */
  hasRoom(nodeId: string): boolean
  mayRun(nodeId: string): boolean
  /** Tasks that it has in work. */
  load(nodeId: string): number
}

const MAX_LATER_MS = 15_000

export const hasEnded = (report: Pick<NodeReport, "status"> | undefined): boolean =>
  report !== undefined && report.status >= 160

/** Whether more may sign than do. */
export const hasChoice = ({ threshold }: WaasTask): boolean => threshold !== undefined

/** Who takes part in the attempt that was started last. */
export const signersOf = ({ signers, nodeIds }: WaasTask): readonly string[] => signers ?? nodeIds

export const wasAsked = ({ asked, reports }: WaasTask, nodeId: string): boolean =>
  asked === undefined || asked[nodeId] !== undefined || reports[nodeId] !== undefined

/**
 * Whether it waits for its turn to be asked for. One that all its nodes put off has had its turn: it is asked for when its time has come,
 * and keeps nobody waiting behind it.
 */
export const isQueued = ({ asked, reports, putOff = {}, state }: WaasTask): boolean =>
  state === "approving" &&
  asked !== undefined &&
  Object.keys(asked).length + Object.keys(reports).length + Object.keys(putOff).length === 0

/** Nodes that may still sign: their part of the task has not ended. */
export const remaining = ({ nodeIds, reports }: WaasTask): readonly string[] =>
  nodeIds.filter((id) => !hasEnded(reports[id]))

/** The node said later: it is asked again after a pause that grows, and others in its place. */
export function putOff(record: WaasTask, nodeId: string, code: string, at: Situation): WaasTask {
  const times = (record.putOff?.[nodeId]?.times ?? 0) + 1
  const untilMs = at.nowMs + Math.min(at.pace.laterMs * 2 ** (times - 1), MAX_LATER_MS)
  const { [nodeId]: _, ...others } = record.asked ?? {}
  return {
    ...record,
    ...(record.asked && { asked: others }),
    putOff: { ...record.putOff, [nodeId]: { untilMs, times, code } },
  }
}

/** Whom to ask now; nobody where the task has all it needs, or none has room. Not for tasks that are over or running. */
export function toAsk(record: WaasTask, at: Situation): readonly string[] {
  const { asked, nodeIds, reports } = record
  if (asked === undefined) return dueAgain(record, at)
  if (hasChoice(record)) return toAskOfChoice(record, at)
  const unasked = nodeIds.filter((id) => asked[id] === undefined && !hasEnded(reports[id]))
  if (unasked.length < nodeIds.length) return unasked.filter((id) => isDue(record, id, at) && at.online(id))
  return unasked.every((id) => at.online(id) && isDue(record, id, at) && at.hasRoom(id)) ? unasked : []
}

/** A set-up asks everybody at once, and those that put it off again. */
const dueAgain = (record: WaasTask, at: Situation): readonly string[] =>
  Object.keys(record.putOff ?? {}).filter((id) => isDue(record, id, at) && !hasEnded(record.reports[id]))

/** Nothing is put off for longer than the longest pause: then the clock went back meanwhile. */
const isDue = (record: WaasTask, nodeId: string, at: Situation): boolean => {
  const untilMs = record.putOff?.[nodeId]?.untilMs ?? 0
  return at.nowMs >= untilMs || at.nowMs < untilMs - MAX_LATER_MS
}

function toAskOfChoice(record: WaasTask, at: Situation): readonly string[] {
  const { asked = {}, nodeIds, reports, threshold = nodeIds.length } = record
  // Whoever ended an attempt is not counted on: another is asked, and the better one of them signs.
  const counted = usable(record, at).filter((id) => (record.faults?.[id] ?? 0) === 0)
  const approved = alike(counted, reports)
  const deciding = remaining(record).filter((id) => {
    const sinceMs = asked[id]
    if (sinceMs === undefined || reports[id]?.approved === true) return false
    // Whoever waits for people is not slow.
    const isInTime = record.awaits?.[id] !== undefined || at.nowMs < sinceMs + at.pace.slowMs
    const isHoped = isInTime && at.whyUnable(id, record.key) === undefined
    return isHoped && !at.isSilent(id, sinceMs)
  })
  const lacking = threshold - approved.length - deciding.length
  if (lacking <= 0) return []
  const fresh = ranked(record, at, remaining(record)).filter(
    (id) =>
      asked[id] === undefined && isDue(record, id, at) && at.whyUnable(id, record.key) === undefined && at.hasRoom(id),
  )
  // Before it holds any node's room, a task waits for room at as many as it takes.
  const isFirst = Object.keys(asked).length === 0
  return isFirst && fresh.length < lacking ? [] : fresh.slice(0, lacking)
}

/** Who signs in the next attempt; undefined while it cannot begin. */
export function signersFor(record: WaasTask, at: Situation): readonly string[] | undefined {
  const { nodeIds, reports, threshold, state } = record
  if (threshold === undefined) {
    const canBegin = state === "ready" && nodeIds.every((id) => at.online(id) && at.mayRun(id))
    return canBegin ? nodeIds : undefined
  }
  const able = usable(record, at).filter((id) => at.mayRun(id))
  const chosen = ranked(record, at, alike(able, reports)).slice(0, threshold)
  return chosen.length < threshold ? undefined : nodeIds.filter((id) => chosen.includes(id))
}

/** Whether those that approved are enough, well or not. */
export function isApproved({ nodeIds, reports, threshold }: WaasTask): boolean {
  if (threshold === undefined) return nodeIds.every((id) => reports[id]?.approved === true)
  const approved = nodeIds.filter((id) => reports[id]?.approved === true && !hasEnded(reports[id]))
  return alike(approved, reports).length >= threshold
}

/** Whether so many read the payload differently that no quorum reads it alike any more. */
export function isReadApart(record: WaasTask): boolean {
  const { reports, nodeIds, threshold = nodeIds.length } = record
  const left = remaining(record)
  const approved = left.filter((id) => reports[id]?.approved === true)
  return approved.length >= threshold && alike(approved, reports).length + left.length - approved.length < threshold
}

const NOTHING = "nothing"

/** What the node read in the payloads, as its approval says; undefined where it has not said so to this WaaS. */
export function readingOf(report: NodeReport | undefined): string | undefined {
  if (report?.reason.startsWith(READ)) return report.reason.slice(READ.length)
  // A report of an attempt has no room for it beside the cause, and nodes of before say it in none.
  return report?.read ?? (report?.status === 130 && report.approved ? NOTHING : undefined)
}

/** The report, with what the node read if only an earlier one of its says that: what was approved is never read again. */
export function withReading(report: NodeReport, before: NodeReport | undefined): NodeReport {
  const read = readingOf(report) === undefined ? readingOf(before) : undefined
  return read === undefined || hasEnded(report) ? report : { ...report, read }
}

/** Who keeps an open task from going on, and why; for people. */
export function missing(record: WaasTask, at: Pick<Situation, "whyUnable" | "online">): readonly string[] {
  return record.nodeIds.flatMap((id) => {
    const report = record.reports[id]
    if (hasEnded(report)) return hasChoice(record) ? [`${id} (${report?.code || "its part is over"})`] : []
    if (!at.online(id)) return [`${id} (offline)`]
    const why = at.whyUnable(id, record.key)
    if (why !== undefined) return [`${id} (${why})`]
    if (report?.approved === true) return record.attempt === 0 || hasChoice(record) ? [] : [`${id} (no result)`]
    const waits = record.awaits?.[id]
    if (waits !== undefined) return [`${id} (waits for ${awaitedText(waits.words)})`]
    const later = record.putOff?.[id]?.code ?? ""
    if (later !== "") return [`${id} (later: ${later})`]
    return [wasAsked(record, id) ? `${id} (no approval)` : `${id} (not asked yet)`]
  })
}

/** Those that approved and can begin. */
const usable = (record: WaasTask, at: Situation): readonly string[] =>
  remaining(record).filter((id) => record.reports[id]?.approved === true && at.whyUnable(id, record.key) === undefined)

/**
 * The most of them that read the payloads alike: others would never understand each other (threshold.md 2.1). Whoever has not said is
 * taken to have read what most did: otherwise a task whose WaaS or nodes started anew would never begin again.
 */
function alike(nodeIds: readonly string[], reports: WaasTask["reports"]): readonly string[] {
  const { [UNSAID]: unsaid = [], ...byReading } = Object.groupBy(nodeIds, (id) => readingOf(reports[id]) ?? UNSAID)
  const most = Object.values(byReading).reduce<readonly string[]>(
    (most, group = []) => (group.length > most.length ? group : most),
    [],
  )
  return nodeIds.filter((id) => most.includes(id) || unsaid.includes(id))
}

const UNSAID = ""

/** Those that ended the fewest attempts first, then those with the least to do; equals in an order that differs by task. */
function ranked(record: WaasTask, at: Situation, nodeIds: readonly string[]): readonly string[] {
  return nodeIds
    .map((id) => ({ id, faults: record.faults?.[id] ?? 0, load: at.load(id), draw: drawOf(record.taskId, id) }))
    .sort((a, b) => a.faults - b.faults || a.load - b.load || a.draw - b.draw)
    .map(({ id }) => id)
}

/** FNV-1a: cheap, and the same at every look. */
function drawOf(taskId: string, nodeId: string): number {
  let hash = 0x811c9dc5
  for (const text of [taskId, nodeId]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  }
  return hash
}
