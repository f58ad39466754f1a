/**
 * Which nodes a task asks, and which of them sign in an attempt. Pure. A task of version 3 may be signed by any `threshold` of its nodes:
 * WaaS asks that many, asks another one for each that is unable, silent, slow or said "later", and begins with nodes that approved and
 * are able. Every other task needs all its nodes.
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
  /** Whether a node that has owed an answer since `sinceMs` is silent (Pace.silentMs). */
  isSilent(nodeId: string, sinceMs: number): boolean
  /** Whether the node may be asked for one more task. */
  hasRoom(nodeId: string): boolean
  /** Whether one more session may begin on the node. */
  mayRun(nodeId: string): boolean
  /** How many tasks the node has in work. */
  load(nodeId: string): number
}

const MAX_LATER_MS = 15_000

export const hasEnded = (report: Pick<NodeReport, "status"> | undefined): boolean =>
  report !== undefined && report.status >= 160

/** Whether more nodes may sign than do: any `threshold` of them. */
export const hasChoice = ({ threshold }: WaasTask): boolean => threshold !== undefined

/** The nodes that take part in the attempt that was started last. */
export const signersOf = ({ signers, nodeIds }: WaasTask): readonly string[] => signers ?? nodeIds

export const wasAsked = ({ asked, reports }: WaasTask, nodeId: string): boolean =>
  asked === undefined || asked[nodeId] !== undefined || reports[nodeId] !== undefined

/**
 * Whether the task waits in the queue, because no node was asked for it yet. A task that its nodes put off has left the queue: it is asked
 * for again when their pauses end, and no task waits behind it meanwhile.
 */
export const isQueued = ({ asked, reports, putOff = {}, state }: WaasTask): boolean =>
  state === "approving" &&
  asked !== undefined &&
  Object.keys(asked).length + Object.keys(reports).length + Object.keys(putOff).length === 0

/** Nodes that may still sign: their part of the task has not ended. */
export const remaining = ({ nodeIds, reports }: WaasTask): readonly string[] =>
  nodeIds.filter((id) => !hasEnded(reports[id]))

/** The node said "later": it is asked again after a pause that doubles each time, up to 15 s, and others may be asked in its place. */
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

/** The nodes to ask now: none where the task has all it needs, or no node has room. Not for tasks that are final or running. */
export function toAsk(record: WaasTask, at: Situation): readonly string[] {
  const { asked, nodeIds, reports } = record
  if (asked === undefined) return dueAgain(record, at)
  if (hasChoice(record)) return toAskOfChoice(record, at)
  const unasked = nodeIds.filter((id) => asked[id] === undefined && !hasEnded(reports[id]))
  if (unasked.length < nodeIds.length) return unasked.filter((id) => isDue(record, id, at) && at.online(id))
  return unasked.every((id) => at.online(id) && isDue(record, id, at) && at.hasRoom(id)) ? unasked : []
}

/** A set-up or check-up was sent to all its nodes when it was made: only nodes that said "later" are asked again. */
const dueAgain = (record: WaasTask, at: Situation): readonly string[] =>
  Object.keys(record.putOff ?? {}).filter((id) => isDue(record, id, at) && !hasEnded(record.reports[id]))

/** Whether the node's pause is over. More left of it than the longest pause means that the clock was set back: it is over then, too. */
const isDue = (record: WaasTask, nodeId: string, at: Situation): boolean => {
  const untilMs = record.putOff?.[nodeId]?.untilMs ?? 0
  return at.nowMs >= untilMs || at.nowMs < untilMs - MAX_LATER_MS
}

function toAskOfChoice(record: WaasTask, at: Situation): readonly string[] {
  const { asked = {}, nodeIds, reports, threshold = nodeIds.length } = record
  // A node that made an attempt fail is not counted: another one is asked, and the one with fewer failures signs.
  const counted = usable(record, at).filter((id) => (record.faults?.[id] ?? 0) === 0)
  const approved = alike(counted, reports)
  const deciding = remaining(record).filter((id) => {
    const sinceMs = asked[id]
    if (sinceMs === undefined || reports[id]?.approved === true) return false
    // A node that waits for approvers is not slow.
    const isInTime = record.awaits?.[id] !== undefined || at.nowMs < sinceMs + at.pace.slowMs
    return isInTime && at.whyUnable(id, record.key) === undefined && !at.isSilent(id, sinceMs)
  })
  const lacking = threshold - approved.length - deciding.length
  if (lacking <= 0) return []
  const fresh = ranked(record, at, remaining(record)).filter(
    (id) =>
      asked[id] === undefined && isDue(record, id, at) && at.whyUnable(id, record.key) === undefined && at.hasRoom(id),
  )
  // A task that holds no room yet waits until enough nodes have room: it would hold up others with room that it cannot use.
  const isFirst = Object.keys(asked).length === 0
  return isFirst && fresh.length < lacking ? [] : fresh.slice(0, lacking)
}

/** The nodes that sign in the next attempt, in the task's order; undefined while it cannot begin. */
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

/** Whether enough nodes approved, whether or not they are able to sign just now. */
export function isApproved({ nodeIds, reports, threshold }: WaasTask): boolean {
  if (threshold === undefined) return nodeIds.every((id) => reports[id]?.approved === true)
  const approved = nodeIds.filter((id) => reports[id]?.approved === true && !hasEnded(reports[id]))
  return alike(approved, reports).length >= threshold
}

/** Whether enough nodes approved, but read the payloads so differently that no `threshold` nodes can have one reading any more. */
export function isReadApart(record: WaasTask): boolean {
  const { reports, nodeIds, threshold = nodeIds.length } = record
  const left = remaining(record)
  const approved = left.filter((id) => reports[id]?.approved === true)
  return approved.length >= threshold && alike(approved, reports).length + left.length - approved.length < threshold
}

/** The reading of a node that approved and names none: its task has no payloads. */
const NOTHING = "nothing"

/** The digest of what the node read in the payloads, which its approval names; undefined where it has not told this WaaS. */
export function readingOf(report: NodeReport | undefined): string | undefined {
  if (report?.reason.startsWith(READ)) return report.reason.slice(READ.length)
  // A report of an attempt has its cause in `reason`, so the reading is kept from a report before it (withReading).
  return report?.read ?? (report?.status === 130 && report.approved ? NOTHING : undefined)
}

/** The report, with the reading of the report before it where it names none: a node never reads anew what it has approved. */
export function withReading(report: NodeReport, before: NodeReport | undefined): NodeReport {
  const read = readingOf(report) === undefined ? readingOf(before) : undefined
  return read === undefined || hasEnded(report) ? report : { ...report, read }
}

/** The nodes that an open task waits for, each with its reason; for people. */
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

/** The nodes that approved and are able to sign just now. */
const usable = (record: WaasTask, at: Situation): readonly string[] =>
  remaining(record).filter((id) => record.reports[id]?.approved === true && at.whyUnable(id, record.key) === undefined)

/**
 * The largest set of these nodes with one reading of the payloads: the session id contains the reading, so nodes with different ones
 * would wait for each other in vain (threshold.md 2.1). Nodes that have not told their reading count as part of the set: otherwise a task
 * would not begin again after WaaS or its nodes were restarted.
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

/** Nodes that made the fewest attempts fail come first, then those with the least load; ties in an order that differs from task to task. */
function ranked(record: WaasTask, at: Situation, nodeIds: readonly string[]): readonly string[] {
  return nodeIds
    .map((id) => ({ id, faults: record.faults?.[id] ?? 0, load: at.load(id), draw: drawOf(record.taskId, id) }))
    .sort((a, b) => a.faults - b.faults || a.load - b.load || a.draw - b.draw)
    .map(({ id }) => id)
}

/** FNV-1a, 32 bits: cheap, and the same each time that a task is looked at. */
function drawOf(taskId: string, nodeId: string): number {
  let hash = 0x811c9dc5
  for (const text of [taskId, nodeId]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0
  }
  return hash
}
