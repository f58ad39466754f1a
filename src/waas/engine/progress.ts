/**
 * How a task goes on: pure functions from its record and an event to its next record and the frames to send. The engine makes the record
 * durable before it sends.
 *
 * approving -> ready -> running -> completed; back to ready when an attempt ends without a result; rejected, failed and cancelled from
 * any state before the end. A final state never changes, with one exception: a certificate that comes late completes a reshare that was
 * given up (afterReshare).
 */
import { isDeepStrictEqual } from "node:util"
import type { Bytes } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { PeerMemory } from "../../wire/channel.ts"
import { MAX_ATTEMPTS } from "../../wire/signed.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import { withoutAwaits } from "./awaited.ts"
import { causeOf, isRefusal, pauseMs, withCause } from "./causes.ts"
import type { Judgement } from "./outcome.ts"
import { type EndReason, endedBy } from "./ports.ts"
import {
  hasChoice,
  hasEnded,
  isApproved,
  isQueued,
  isReadApart,
  missing,
  putOff,
  readingOf,
  remaining,
  type Situation,
  signersFor,
  signersOf,
  toAsk,
  wasAsked,
  withReading,
} from "./quorum.ts"
import { hasSession, termsOf } from "./terms.ts"
import { agreed } from "./versions.ts"

export type OutgoingFrame =
  | { readonly kind: "task" | "start" | "outcomeStored" | "certificate"; readonly to: string }
  | { readonly kind: "cancel"; readonly to: string; readonly reason: string }
  | { readonly kind: "approval"; readonly to: string; readonly signed: Bytes }

export interface ProgressStep {
  readonly record: WaasTask
  readonly send: readonly OutgoingFrame[]
}

interface ReportArrival {
  readonly nodeId: string
  readonly report: NodeReport
  /** What WaaS made of the report's outcome; undefined for a report that is not one of success. */
  readonly judgement: Judgement | undefined
}

export const isFinal = ({ state }: WaasTask): boolean =>
  state === "completed" || state === "rejected" || state === "failed" || state === "cancelled"

/** Whether WaaS has nothing left to do for the task: it is final, and all nodes that have it ended their part or its deadline is past. */
export const isSettled = (record: WaasTask, nowMs: number): boolean =>
  isFinal(record) &&
  (nowMs >= record.deadlineMs || record.nodeIds.every((id) => !wasAsked(record, id) || hasEnded(record.reports[id])))

/** The step for a report of a node. */
export function reported(before: WaasTask, { nodeId, report, judgement }: ReportArrival, at: Situation): ProgressStep {
  const ack: readonly OutgoingFrame[] = hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : []
  // The first ending that a node reports stands: a repetition of it, or another ending, is acknowledged and changes nothing.
  if (hasEnded(before.reports[nodeId])) return { record: before, send: ack }
  // A node repeats its report when it is asked again: the record must stay the same object then, so that nothing is written.
  const said = withReading(report, before.reports[nodeId])
  const same = isDeepStrictEqual(before.reports[nodeId], said)
  const record = same ? before : heard(before, nodeId, said)
  if (isFinal(before)) return afterTheEnd(record, nodeId, report, judgement, ack)
  const step = whileOpen(record, nodeId, report, judgement, at)
  return { record: step.record, send: [...ack, ...step.send] }
}

/** The record with the report. A node that reports has taken the task up, so a "later" that it said before is forgotten. */
function heard(before: WaasTask, nodeId: string, report: NodeReport): WaasTask {
  const { putOff: waiting, ...rest } = before
  const { [nodeId]: _, ...others } = waiting ?? {}
  const stillWaiting = Object.keys(others).length === 0 ? {} : { putOff: others }
  const record = withoutAwaits({ ...rest, ...stillWaiting }, nodeId, report)
  return { ...record, reports: { ...before.reports, [nodeId]: report } }
}

/** The node said "later": it is asked again after a pause, and others in its place. An approval or ending that it gave before stands. */
export function saidLater(before: WaasTask, nodeId: string, code: string, at: Situation): ProgressStep {
  const { [nodeId]: said, ...reports } = before.reports
  if (isFinal(before) || said?.approved === true || hasEnded(said)) return { record: before, send: [] }
  return advanced(putOff({ ...before, reports }, nodeId, code, at), at)
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
  // A node that is still in its session may complete the task by itself, as others did: it is not told to cancel.
  const atWork = record.state === "completed" && report.status === 140 && report.code === ""
  const send = hasEnded(report) ? ack : atWork ? [] : [cancelTo(nodeId, record)]
  return { record: "outcome" in late ? { ...record, ...late } : record, send }
}

/**
 * A certificate decides a reshare whenever it comes: it completes a task that was given up, and of two certificates the one with the
 * higher epoch id counts. The other nodes are sent it: they hold the new epoch prepared, and keep to the old one until they have it.
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
      if (record.state !== "running") return report.approved ? approvals(record, at) : { record, send: [] }
      return signersOf(record).includes(nodeId) ? strayed(record, nodeId, report, at) : { record, send: [] }
    case 140:
      if (report.code === "" || record.state !== "running") return { record, send: [] }
      return strayed(record, nodeId, report, at)
    case 160:
      if (isRefusal(report.code)) return ended(record, "rejected", { code: report.code, reason: report.reason })
      return nodeGaveUp(record, nodeId, report, at)
    case 170:
    case 180:
      return nodeGaveUp(record, nodeId, report, at)
    case 190:
      return succeeded(record, nodeId, judgement, at)
  }
}

/** The approval that completes a quorum makes the task ready. */
function approvals(record: WaasTask, at: Situation): ProgressStep {
  if (record.state !== "approving") return advanced(record, at)
  const apart = readApart(record, at)
  if (apart !== undefined) return ended(record, "failed", endedBy(apart))
  if (!isApproved(record)) return advanced(record, at)
  return advanced({ ...record, state: "ready", attemptMs: at.nowMs }, at)
}

/**
 * E-WAA-029 where the nodes read the payloads so differently that no quorum with one reading is left. From suite 2 on, the reading is
 * part of the session id: signers with different ones would wait for each other in vain, and each would take the others for offline.
 */
function readApart(record: WaasTask, at: Situation): CosignerError | undefined {
  const { type, nodeIds, reports } = record
  const suite = type !== "KeySign" ? 1 : hasChoice(record) ? 2 : agreed("suites", nodeIds, at.versions)
  if (typeof suite !== "number" || suite < 2 || !isReadApart(record)) return undefined
  const approved = nodeIds.filter((id) => reports[id]?.approved === true)
  return new CosignerError("E-WAA-029", {
    readings: approved.map((id) => `${id} ${readingOf(reports[id]) ?? "(not said)"}`),
  })
}

/** Begins the next attempt if it can; otherwise asks the nodes that the task still needs. */
function advanced(record: WaasTask, at: Situation): ProgressStep {
  const step = begun(record, at)
  return step.record === record && step.send.length === 0 ? asking(record, at) : step
}

/** Asks the nodes that the task still needs, as far as there is room. */
export function asking(record: WaasTask, at: Situation): ProgressStep {
  if (isFinal(record) || record.state === "running" || hasResult(record)) return { record, send: [] }
  const nodeIds = toAsk(record, at)
  if (nodeIds.length === 0) return { record, send: [] }
  const send = nodeIds.map((to): OutgoingFrame => ({ kind: "task", to }))
  if (record.asked === undefined) return { record: nodeIds.reduce((now, id) => putOff(now, id, "", at), record), send }
  const asked = { ...record.asked, ...Object.fromEntries(nodeIds.map((id) => [id, at.nowMs])) }
  return { record: { ...record, asked }, send }
}

/** Begins the next attempt if the task is ready, the pause before it is over, and enough nodes can take part in it. */
export function begun(record: WaasTask, at: Situation): ProgressStep {
  const waits = record.state === "ready" && at.nowMs >= record.attemptMs && !hasResult(record)
  const signers = waits ? signersFor(record, at) : undefined
  if (signers === undefined) return { record, send: [] }
  const terms = hasSession(record) ? termsOf(record, signers, at) : undefined
  if (terms instanceof CosignerError) return ended(record, "failed", endedBy(terms))
  const { terms: _, ...before } = record
  const attempt = { state: "running", attempt: record.attempt + 1, attemptMs: at.nowMs } as const
  const chosen = hasChoice(record) ? { signers } : {}
  const next: WaasTask = { ...before, ...attempt, ...chosen, ...(terms && { terms }) }
  return { record: next, send: signers.map((to) => ({ kind: "start", to })) }
}

/** A participant of the running attempt reports that it is in no session: it never began this attempt, or it lost its session. */
function strayed(record: WaasTask, nodeId: string, report: NodeReport, at: Situation): ProgressStep {
  // Another node has finished the set-up: this one lacks its certificate, and needs no other attempt.
  if (hasResult(record)) return { record, send: [{ kind: "certificate", to: nodeId }] }
  // The node reported before our start reached it. A node that was offline then gets the start again when it comes online.
  if (report.attempt < record.attempt) return { record, send: [] }
  // The node knows a later attempt than this WaaS, which was restored from an older copy: the next attempt must be above both.
  const known: WaasTask = { ...record, attempt: Math.min(report.attempt, MAX_ATTEMPTS) }
  return attemptEnded(known, causeOf(record, nodeId, report), at)
}

/** The attempt ended without a result. `blamed`: the nodes that the next attempt should do without, if it can. */
function attemptEnded(
  record: WaasTask,
  { why, blamed }: { readonly why: string; readonly blamed: readonly string[] },
  at: Situation,
): ProgressStep {
  const after = withCause(record, why, blamed)
  // A node that has given its result, though a bad one, takes part in no other attempt.
  const left = remaining(after).length
  if (left < (after.threshold ?? after.nodeIds.length) || after.attempt >= Math.min(at.pace.attempts, MAX_ATTEMPTS)) {
    const error = new CosignerError("E-WAA-024", { attempts: after.attempt, last: why })
    return ended(after, "failed", endedBy(error))
  }
  return advanced({ ...after, state: "ready", attemptMs: at.nowMs + pauseMs(after, at) }, at)
}

/** The node ended its part of the task without a result: the others go on if they are enough. */
function nodeGaveUp(record: WaasTask, nodeId: string, report: NodeReport, at: Situation): ProgressStep {
  const { code, reason } = report
  if (remaining(record).length < (record.threshold ?? record.nodeIds.length)) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-027", { node: nodeId, code, reason })))
  }
  const isSigner = record.state === "running" && signersOf(record).includes(nodeId)
  if (isSigner) return attemptEnded(record, causeOf(record, nodeId, report), at)
  return advanced(withCause(record, `${nodeId}: ${code} ${reason}`, [nodeId]), at)
}

/** Whether its result is a key that all participants must agree on. */
const isSetUp = ({ type }: WaasTask): boolean => type === "KeyGen" || type === "KeyReshare"

/** Whether a node has reported a result of the set-up that WaaS accepted. */
const hasResult = (record: WaasTask): boolean =>
  isSetUp(record) && Object.values(record.reports).some((report) => report.status === 190 && !report.refused)

function succeeded(record: WaasTask, nodeId: string, judgement: Judgement | undefined, at: Situation): ProgressStep {
  if (judgement === undefined || judgement.kind === "refused") return resultRefused(record, nodeId, judgement, at)
  if (judgement.kind !== "group") {
    // WaaS has verified the signatures, so one report is enough. The other signers complete by themselves; nodes that do not sign are told.
    const completed: WaasTask = { ...record, state: "completed", outcome: judgement.outcome }
    const spare = hasChoice(record) ? remaining(record).filter((id) => wasAsked(record, id)) : []
    const idle = spare.filter((id) => !signersOf(record).includes(id))
    return { record: completed, send: idle.map((to) => cancelTo(to, completed)) }
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

/** Whether the node has reported that it took part in this attempt and is in no session of it any more. */
const lostSession = (report: NodeReport | undefined, attempt: number): boolean =>
  report !== undefined &&
  report.attempt >= attempt &&
  (report.status === 130 || (report.status === 140 && report.code !== ""))

/** A result that WaaS does not accept. A signature may still come from other nodes; a set-up fails, because all nodes must agree on it. */
function resultRefused(
  record: WaasTask,
  nodeId: string,
  judgement: Judgement | undefined,
  at: Situation,
): ProgressStep {
  const problem = judgement?.kind === "refused" ? judgement.problem : "it has no outcome"
  const reports = record.reports
  if (isSetUp(record)) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-025", { node: nodeId, problem })))
  }
  const signers = signersOf(record)
  if (!signers.every((id) => hasEnded(reports[id]))) return { record, send: [] }
  if (remaining(record).length < (record.threshold ?? record.nodeIds.length)) {
    return ended(record, "failed", endedBy(new CosignerError("E-WAA-023", { nodes: signers })))
  }
  const why = `no signature of ${signers.join(", ")} verifies, in attempt ${record.attempt}`
  return attemptEnded(record, { why, blamed: signers }, at)
}

/** The node is online, and may have missed any frame: everything that still matters is sent to it again. */
export function cameOnline(record: WaasTask, nodeId: string, at: Situation): ProgressStep {
  const isTold = record.nodeIds.includes(nodeId) && wasAsked(record, nodeId)
  if (!isTold || hasEnded(record.reports[nodeId])) return { record, send: [] }
  const task: OutgoingFrame = { kind: "task", to: nodeId }
  if (record.type === "KeyReshare" && record.state === "completed") {
    return { record, send: [task, { kind: "certificate", to: nodeId }] }
  }
  // The node may be about to complete a completed task too: sending it the task again makes it report how far it is.
  if (isFinal(record)) return { record, send: [record.state === "completed" ? task : cancelTo(nodeId, record)] }
  const { record: after, send } = begun(record, at)
  if (hasResult(record)) return { record: after, send: [task, { kind: "certificate", to: nodeId }] }
  // An attempt that begins just now is among `send` already.
  const isSigner = record.state === "running" && signersOf(record).includes(nodeId)
  const again: readonly OutgoingFrame[] = isSigner ? [{ kind: "start", to: nodeId }] : []
  return { record: after, send: [task, ...again, ...send] }
}

/**
 * The node has connected. If the link lost nothing ("same"), frames that waited for the node reach it now, and the attempt goes on.
 * Otherwise a signer that has not reported the running attempt missed its start, and the envelopes that were sent to it are lost: a new
 * attempt ends sooner than this one would.
 */
export function connected(record: WaasTask, nodeId: string, peer: PeerMemory, at: Situation): ProgressStep {
  const step = cameOnline(record, nodeId, at)
  if (peer === "same") return step
  const report = record.reports[nodeId]
  const missed =
    record.state === "running" && signersOf(record).includes(nodeId) && (report?.attempt ?? 0) < record.attempt
  if (!missed || hasResult(record) || hasEnded(report) || record.attempt >= at.pace.attempts) return step
  const why = `${nodeId} was away as attempt ${record.attempt} began`
  const next = attemptEnded(record, { why, blamed: [nodeId] }, at)
  return { record: next.record, send: [{ kind: "task", to: nodeId }, ...next.send] }
}

/** The step for time that has passed: the deadline, silent signers, an attempt that takes too long, or what may begin or be asked now. */
export function ticked(record: WaasTask, at: Situation): ProgressStep {
  if (isFinal(record)) return { record, send: [] }
  if (at.nowMs >= record.deadlineMs) {
    const error = new CosignerError("E-WAA-020", { missing: missing(record, at), causes: record.causes ?? [] })
    return ended(record, "failed", endedBy(error))
  }
  if (record.state !== "running") {
    return isQueued(record) ? { record, send: [] } : advanced(record, at)
  }
  if (hasResult(record)) return { record, send: [] }
  const ranMs = at.nowMs - record.attemptMs
  if (hasChoice(record)) {
    const silent = signersOf(record).filter((id) => !hasEnded(record.reports[id]) && at.isSilent(id, record.attemptMs))
    if (silent.length > 0) {
      const why = `${silent.join(", ")} fell silent in attempt ${record.attempt}`
      return attemptEnded(record, { why, blamed: silent }, at)
    }
  }
  const limitMs = hasChoice(record)
    ? Math.min(at.pace.slowMs * 2 ** (record.attempt - 1), at.pace.attemptMs)
    : at.pace.attemptMs
  if (ranMs < limitMs) return { record, send: [] }
  const why = `attempt ${record.attempt} had no ending within ${limitMs} ms`
  return attemptEnded(record, { why, blamed: signersOf(record) }, at)
}

/** Cancels the task: a caller asked for that, or another task of its request ended without completing. */
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
  const others = remaining(record).filter((id) => wasAsked(record, id))
  return { record, send: others.map((to) => cancelTo(to, record)) }
}

const cancelTo = (to: string, { state, code, reason }: WaasTask): OutgoingFrame => ({
  kind: "cancel",
  to,
  reason: state === "completed" ? "the task is completed without this node" : `${code} ${reason}`.trim().slice(0, 1000),
})
