/**
 * How one task goes on: pure steps from (record, what happened) to (record, what to send). The engine makes the new
 * record durable before anything of `send` leaves; the same step on the same record always says the same.
 *
 * approving -> ready -> running -> completed | failed, back to ready when an attempt ends without a result; rejected and
 * cancelled from anywhere before the end. A final state never changes.
 */
import { isDeepStrictEqual } from "node:util"
import { CosignerError } from "../../errors.ts"
import { READ } from "../../tasks/report.ts"
import type { StartTerms } from "../../wire/signed.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import type { Judgement } from "./outcome.ts"
import { type EndReason, endedBy, type Pace } from "./ports.ts"
import { agreed, type VersionsOf } from "./versions.ts"

export type OutgoingFrame =
  | { readonly kind: "task" | "start" | "outcomeStored" | "certificate"; readonly to: string }
  | { readonly kind: "cancel"; readonly to: string; readonly reason: string }

export interface ProgressStep {
  readonly record: WaasTask
  readonly send: readonly OutgoingFrame[]
}

export interface Situation {
  readonly nowMs: number
  readonly pace: Pace
  online(nodeId: string): boolean
  readonly versions: VersionsOf
  /** 16 random bytes, hex; fresh each time. */
  readonly newNonce: () => string
}

/** A report that belongs to this task, and what its outcome is worth; undefined when it brought none. */
interface ReportArrival {
  readonly nodeId: string
  readonly report: NodeReport
  readonly judgement: Judgement | undefined
}

export const isFinal = ({ state }: WaasTask): boolean =>
  state === "completed" || state === "rejected" || state === "failed" || state === "cancelled"

export const hasEnded = (report: Pick<NodeReport, "status"> | undefined): boolean =>
  report !== undefined && report.status >= 160

/** Whether the engine has nothing more to do for the task: it is over, and every node knows or has been given its time. */
export const isSettled = (record: WaasTask, nowMs: number): boolean =>
  isFinal(record) && (nowMs >= record.deadlineMs || record.nodeIds.every((id) => hasEnded(record.reports[id])))

/** A node reported. */
export function reported(before: WaasTask, { nodeId, report, judgement }: ReportArrival, at: Situation): ProgressStep {
  const ack: readonly OutgoingFrame[] = hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : []
  // The first ending of a node stands: a repetition is acknowledged, a change of mind is not heard.
  if (hasEnded(before.reports[nodeId])) return { record: before, send: ack }
  // A node repeats itself when it is asked again: that is nothing to write down.
  const same = isDeepStrictEqual(before.reports[nodeId], report)
  const record = same ? before : { ...before, reports: { ...before.reports, [nodeId]: report } }
  if (isFinal(before)) return afterTheEnd(record, nodeId, report, judgement, ack)
  const step = whileOpen(record, nodeId, report, judgement, at)
  return { record: step.record, send: [...ack, ...step.send] }
}

function afterTheEnd(
  record: WaasTask,
  nodeId: string,
  report: NodeReport,
  judgement: Judgement | undefined,
  ack: readonly OutgoingFrame[],
): ProgressStep {
  if (record.type === "KeyReshare") return afterReshare(record, nodeId, report, judgement, ack)
  // A signature that came too late exists all the same, and whoever asked for it must be able to see that.
  const late = judgement?.kind === "signatures" && record.outcome === undefined ? { outcome: judgement.outcome } : {}
  // One that is still at it may bring a completed task to the same end by itself.
  const atWork = record.state === "completed" && report.status === 140 && report.code === ""
  const send = hasEnded(report) ? ack : atWork ? [] : [cancelTo(nodeId, record)]
  return { record: "outcome" in late ? { ...record, ...late } : record, send }
}

/**
 * A certificate is the truth of a reshare, whenever it comes: it completes a task that was given up, and of two the one of
 * higher rank counts. All the others are told, for they hold the epoch prepared and stay in the old one until they know.
 */
function afterReshare(
  record: WaasTask,
  nodeId: string,
  report: NodeReport,
  judgement: Judgement | undefined,
  ack: readonly OutgoingFrame[],
): ProgressStep {
  const others = record.nodeIds.filter((id) => id !== nodeId)
  const tell = (to: string): OutgoingFrame => ({ kind: "certificate", to })
  if (judgement?.kind !== "group") {
    if (record.state !== "completed") return { record, send: hasEnded(report) ? ack : [cancelTo(nodeId, record)] }
    const atWork = report.status === 140 && report.code === ""
    return { record, send: atWork ? [] : [...ack, tell(nodeId)] }
  }
  const { outcome } = judgement
  const known = record.outcome?.type === "group" && record.state === "completed" ? record.outcome.epoch_id : ""
  if (outcome.epoch_id < known) return { record, send: [...ack, tell(nodeId)] }
  if (outcome.epoch_id === known) return { record, send: ack }
  const completed: WaasTask = { ...record, state: "completed", code: "", reason: "", outcome }
  return { record: completed, send: [...ack, ...others.map(tell)] }
}

function whileOpen(
  record: WaasTask,
  nodeId: string,
  report: NodeReport,
  judgement: Judgement | undefined,
  at: Situation,
): ProgressStep {
  switch (report.status) {
    case 130:
      if (record.state === "running") return strayed(record, nodeId, report, at)
      return report.approved ? approvals(record, at) : { record, send: [] }
    case 140:
      if (report.code === "" || record.state !== "running") return { record, send: [] }
      return strayed(record, nodeId, report, at)
    case 160:
      return ended(record, "rejected", { code: report.code, reason: report.reason })
    case 170:
    case 180:
      return nodeGaveUp(record, nodeId, report)
    case 190:
      return succeeded(record, nodeId, judgement)
  }
}

/** The last yes makes the task ready. */
function approvals(record: WaasTask, at: Situation): ProgressStep {
  const everybody = record.nodeIds.every((id) => record.reports[id]?.approved === true)
  if (record.state !== "approving" || !everybody) return { record, send: [] }
  const apart = readApart(record, at)
  if (apart !== undefined) return ended(record, "failed", endedBy(apart))
  return begun({ ...record, state: "ready", attemptMs: at.nowMs }, at)
}

/**
 * In suite 2 the readings of payloads are part of the session's id: signers who read differently would never understand each other,
 * and each would think the others away. What each read is in its approval.
 */
function readApart({ type, nodeIds, reports }: WaasTask, at: Situation): CosignerError | undefined {
  const suite = type === "KeySign" ? agreed("suites", nodeIds, at.versions) : 1
  if (typeof suite !== "number" || suite < 2) return undefined
  const readings = nodeIds.map((id) => {
    const reason = reports[id]?.reason ?? ""
    return { id, read: reason.startsWith(READ) ? reason.slice(READ.length) : "nothing" }
  })
  if (new Set(readings.map(({ read }) => read)).size === 1) return undefined
  return new CosignerError("E-WAA-029", { readings: readings.map(({ id, read }) => `${id} ${read}`) })
}

/** Begins the next attempt if the task waits for one, its pause is over and every participant is online. */
function begun(record: WaasTask, at: Situation): ProgressStep {
  const waits = record.state === "ready" && at.nowMs >= record.attemptMs && !hasResult(record)
  if (!waits || !record.nodeIds.every((id) => at.online(id))) return { record, send: [] }
  const terms = hasSession(record) ? termsOf(record, at) : undefined
  if (terms instanceof CosignerError) return ended(record, "failed", endedBy(terms))
  const { terms: _, ...before } = record
  const attempt = { state: "running", attempt: record.attempt + 1, attemptMs: at.nowMs } as const
  const next: WaasTask = { ...before, ...attempt, ...(terms && { terms }) }
  return { record: next, send: next.nodeIds.map((to) => ({ kind: "start", to })) }
}

/**
 * What the next start says beside its number; asked anew for each attempt, because a node may have been replaced by another release
 * since the signers were chosen. Undefined in suite 1.
 */
function termsOf({ type, nodeIds, taskVersion }: WaasTask, at: Situation): StartTerms | undefined | CosignerError {
  const suite = agreed("suites", nodeIds, at.versions, taskVersion ?? 1)
  if (typeof suite !== "number") return suite
  if (suite < 2) return undefined
  if (type !== "KeySign") return { suite: suite === 2 ? 2 : 3, nonce: at.newNonce() }
  const reader = agreed("readers", nodeIds, at.versions)
  return typeof reader === "number" ? { suite: 2, nonce: at.newNonce(), reader } : reader
}

const hasSession = ({ type }: WaasTask): boolean => type !== "KeyShareSign"

/** A participant of a running attempt has no session: it never began this one, or it lost it. */
function strayed(record: WaasTask, nodeId: string, report: NodeReport, at: Situation): ProgressStep {
  // Somebody has the certificate of a finished set-up: that, not another attempt, is what this node lacks.
  if (hasResult(record)) return { record, send: [{ kind: "certificate", to: nodeId }] }
  // It spoke before our start reached it; one that was away when we sent it is told again as it comes online.
  if (report.attempt < record.attempt) return { record, send: [] }
  return attemptEnded(record, report.code === "" ? `${nodeId} lost its session` : `${report.code} ${report.reason}`, at)
}

function attemptEnded(record: WaasTask, why: string, at: Situation): ProgressStep {
  // A node that has given its result, though a bad one, takes part in no other attempt.
  const gone = record.nodeIds.find((id) => hasEnded(record.reports[id]))
  if (gone !== undefined || record.attempt >= at.pace.attempts) {
    const error = new CosignerError("E-WAA-024", { attempts: record.attempt, last: why })
    return ended(record, "failed", endedBy(error))
  }
  const pause = at.pace.retryMs * 2 ** (record.attempt - 1)
  return begun({ ...record, state: "ready", attemptMs: at.nowMs + pause }, at)
}

function nodeGaveUp(record: WaasTask, nodeId: string, { code, reason }: NodeReport): ProgressStep {
  return ended(record, "failed", endedBy(new CosignerError("E-WAA-027", { node: nodeId, code, reason })))
}

/** Whether its result is a key that all participants must agree on. */
const isSetUp = ({ type }: WaasTask): boolean => type === "KeyGen" || type === "KeyReshare"

const hasResult = (record: WaasTask): boolean =>
  isSetUp(record) && Object.values(record.reports).some((report) => report.status === 190 && !report.refused)

function succeeded(record: WaasTask, nodeId: string, judgement: Judgement | undefined): ProgressStep {
  if (judgement === undefined || judgement.kind === "refused") return resultRefused(record, nodeId, judgement)
  if (judgement.kind !== "group") {
    // Verified here, so one node's word is enough; the others find their own way to the same end.
    return { record: { ...record, state: "completed", outcome: judgement.outcome }, send: [] }
  }
  if (record.type === "KeyReshare") {
    const without = record.nodeIds.filter((id) => lostSession(record.reports[id], record.attempt))
    const completed: WaasTask = { ...record, state: "completed", outcome: judgement.outcome }
    return { record: completed, send: without.map((to) => ({ kind: "certificate", to })) }
  }
  const results = record.nodeIds.flatMap((id) => record.reports[id]?.outcomeDigest || [])
  if (new Set(results).size > 1) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-022", { nodes: record.nodeIds })))
  }
  const withOutcome: WaasTask = { ...record, outcome: judgement.outcome }
  if (results.length === record.nodeIds.length) return { record: { ...withOutcome, state: "completed" }, send: [] }
  const without = record.nodeIds.filter((id) => lostSession(record.reports[id], record.attempt))
  return { record: withOutcome, send: without.map((to) => ({ kind: "certificate", to })) }
}

/** Whether the node has said that it is in no session of this attempt, though it was. */
const lostSession = (report: NodeReport | undefined, attempt: number): boolean =>
  report !== undefined &&
  report.attempt >= attempt &&
  (report.status === 130 || (report.status === 140 && report.code !== ""))

/** One bad signature leaves the task to the other nodes; a bad result of a set-up ends it, for all must agree. */
function resultRefused(record: WaasTask, nodeId: string, judgement: Judgement | undefined): ProgressStep {
  const problem = judgement?.kind === "refused" ? judgement.problem : "it has no outcome"
  const reports = record.reports
  if (isSetUp(record)) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-025", { node: nodeId, problem })))
  }
  if (!record.nodeIds.every((id) => hasEnded(reports[id]))) return { record, send: [] }
  return ended(record, "failed", endedBy(new CosignerError("E-WAA-023", { nodes: record.nodeIds })))
}

/** A node is there again: it may have missed anything, so it is told all that still matters. */
export function cameOnline(record: WaasTask, nodeId: string, at: Situation): ProgressStep {
  if (!record.nodeIds.includes(nodeId) || hasEnded(record.reports[nodeId])) return { record, send: [] }
  const task: OutgoingFrame = { kind: "task", to: nodeId }
  if (record.type === "KeyReshare" && record.state === "completed") {
    return { record, send: [task, { kind: "certificate", to: nodeId }] }
  }
  // Of a completed task it is asked how far it is: it may be about to complete it too.
  if (isFinal(record)) return { record, send: [record.state === "completed" ? task : cancelTo(nodeId, record)] }
  const { record: after, send } = begun(record, at)
  if (hasResult(record)) return { record: after, send: [task, { kind: "certificate", to: nodeId }] }
  // An attempt that begins just now is among `send` already.
  const again: readonly OutgoingFrame[] = record.state === "running" ? [{ kind: "start", to: nodeId }] : []
  return { record: after, send: [task, ...again, ...send] }
}

/**
 * A node has connected anew. One that has not said that it is in the running attempt missed its beginning, and what the
 * others sent it then is gone: another attempt comes to an end sooner than this one.
 */
export function connected(record: WaasTask, nodeId: string, at: Situation): ProgressStep {
  const step = cameOnline(record, nodeId, at)
  const report = record.reports[nodeId]
  const missed =
    record.state === "running" && record.nodeIds.includes(nodeId) && (report?.attempt ?? 0) < record.attempt
  if (!missed || hasResult(record) || hasEnded(report) || record.attempt >= at.pace.attempts) return step
  const next = attemptEnded(record, `${nodeId} was away as it began`, at)
  return { record: next.record, send: [{ kind: "task", to: nodeId }, ...next.send] }
}

/** Time has passed. */
export function ticked(record: WaasTask, at: Situation): ProgressStep {
  if (isFinal(record)) return { record, send: [] }
  if (at.nowMs >= record.deadlineMs) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-020", { missing: missing(record, at) })))
  }
  const stuck = record.state === "running" && at.nowMs >= record.attemptMs + at.pace.attemptMs && !hasResult(record)
  if (stuck) return attemptEnded(record, `no ending within ${at.pace.attemptMs} ms`, at)
  return begun(record, at)
}

function missing(record: WaasTask, at: Situation): readonly string[] {
  return record.nodeIds.flatMap((id) => {
    const report = record.reports[id]
    if (hasEnded(report)) return []
    if (!at.online(id)) return [`${id} (offline)`]
    if (report?.approved !== true) return [`${id} (no approval)`]
    return record.attempt === 0 ? [] : [`${id} (no result)`]
  })
}

/** The API, or another task of the same request, ends it. */
export function cancelled(record: WaasTask, why: EndReason): ProgressStep {
  return isFinal(record) ? { record, send: [] } : ended(record, "cancelled", why)
}

function ended(
  before: WaasTask,
  state: "rejected" | "failed" | "cancelled",
  { code, reason }: EndReason,
): ProgressStep {
  // A set-up that did not complete has no result, whatever some of its nodes hold.
  const record: WaasTask = { ...before, state, code, reason, outcome: undefined }
  const others = record.nodeIds.filter((id) => !hasEnded(record.reports[id]))
  return { record, send: others.map((to) => cancelTo(to, record)) }
}

const cancelTo = (to: string, { state, code, reason }: WaasTask): OutgoingFrame => ({
  kind: "cancel",
  to,
  reason: state === "completed" ? "the task is completed without this node" : `${code} ${reason}`.trim().slice(0, 1000),
})
