/**
 * How one task goes on: pure steps from (record, what happened) to (record, what to send). The engine makes the new record durable first.
 *
 * approving -> ready -> running -> completed | failed, back to ready when an attempt ends without a result; rejected and
 * cancelled from anywhere before the end. A final state never changes.
 */
import { isDeepStrictEqual } from "node:util"
import type { Bytes } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import type { PeerMemory } from "../../wire/channel.ts"
import { MAX_ATTEMPTS } from "../../wire/signed.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import { settledPeople } from "./awaited.ts"
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

/** A report that belongs to this task, and what its outcome is worth; undefined when it brought none. */
interface ReportArrival {
  readonly nodeId: string
  readonly report: NodeReport
  readonly judgement: Judgement | undefined
}

export const isFinal = ({ state }: WaasTask): boolean =>
  state === "completed" || state === "rejected" || state === "failed" || state === "cancelled"

/** Whether nothing more is to be done for the task: it is over, and every node knows or has been given its time. */
export const isSettled = (record: WaasTask, nowMs: number): boolean =>
  isFinal(record) &&
  (nowMs >= record.deadlineMs || record.nodeIds.every((id) => !wasAsked(record, id) || hasEnded(record.reports[id])))

/** A node reported. */
export function reported(before: WaasTask, { nodeId, report, judgement }: ReportArrival, at: Situation): ProgressStep {
  const ack: readonly OutgoingFrame[] = hasEnded(report) ? [{ kind: "outcomeStored", to: nodeId }] : []
  // The first ending of a node stands: a repetition is acknowledged, a change of mind is not heard.
  if (hasEnded(before.reports[nodeId])) return { record: before, send: ack }
  // A node repeats itself when it is asked again: that is nothing to write down.
  const said = withReading(report, before.reports[nodeId])
  const same = isDeepStrictEqual(before.reports[nodeId], said)
  const record = same ? before : heard(before, nodeId, said)
  if (isFinal(before)) return afterTheEnd(record, nodeId, report, judgement, ack)
  const step = whileOpen(record, nodeId, report, judgement, at)
  return { record: step.record, send: [...ack, ...step.send] }
}

/** Whoever reports has taken the task up, whatever it said before. */
function heard(before: WaasTask, nodeId: string, report: NodeReport): WaasTask {
  const { putOff: waiting, ...rest } = before
  const { [nodeId]: _, ...others } = waiting ?? {}
  const stillWaiting = Object.keys(others).length === 0 ? {} : { putOff: others }
  const settled = settledPeople({ ...rest, ...stillWaiting }, nodeId, report)
  return { ...settled, reports: { ...before.reports, [nodeId]: report } }
}

/** The node takes the task up, or decides on it, at another time: others are asked in its place. What it decided stands. */
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

/** The last yes that it takes makes the task ready. */
function approvals(record: WaasTask, at: Situation): ProgressStep {
  if (record.state !== "approving") return advanced(record, at)
  const apart = readApart(record, at)
  if (apart !== undefined) return ended(record, "failed", endedBy(apart))
  if (!isApproved(record)) return advanced(record, at)
  return advanced({ ...record, state: "ready", attemptMs: at.nowMs }, at)
}

/**
 * In suite 2 the readings of payloads are part of the session's id: signers who read differently would never understand each other,
 * and each would think the others away. What each read is in its approval.
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

/** Begins the next attempt if it can, and otherwise asks whom it still needs. */
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

/** Begins the next attempt if the task waits for one, its pause is over and those that it takes are there. */
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

/** A participant of a running attempt has no session: it never began this one, or it lost it. */
function strayed(record: WaasTask, nodeId: string, report: NodeReport, at: Situation): ProgressStep {
  // Somebody has the certificate of a finished set-up: that, not another attempt, is what this node lacks.
  if (hasResult(record)) return { record, send: [{ kind: "certificate", to: nodeId }] }
  // It spoke before our start reached it; one that was away when we sent it is told again as it comes online.
  if (report.attempt < record.attempt) return { record, send: [] }
  // It knows a later attempt than this WaaS does, which was restored from an older copy: the next one is above both.
  const known: WaasTask = { ...record, attempt: Math.min(report.attempt, MAX_ATTEMPTS) }
  return attemptEnded(known, causeOf(record, nodeId, report), at)
}

/** `blamed`: the nodes that another attempt had better do without, where it can. */
function attemptEnded(
  record: WaasTask,
  { why, blamed }: { readonly why: string; readonly blamed: readonly string[] },
  at: Situation,
): ProgressStep {
  const told = withCause(record, why, blamed)
  // A node that has given its result, though a bad one, takes part in no other attempt.
  const left = remaining(told).length
  if (left < (told.threshold ?? told.nodeIds.length) || told.attempt >= Math.min(at.pace.attempts, MAX_ATTEMPTS)) {
    const error = new CosignerError("E-WAA-024", { attempts: told.attempt, last: why })
    return ended(told, "failed", endedBy(error))
  }
  return advanced({ ...told, state: "ready", attemptMs: at.nowMs + pauseMs(told, at) }, at)
}

/** Its part of the task is over: where others can sign, they do. */
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

const hasResult = (record: WaasTask): boolean =>
  isSetUp(record) && Object.values(record.reports).some((report) => report.status === 190 && !report.refused)

function succeeded(record: WaasTask, nodeId: string, judgement: Judgement | undefined, at: Situation): ProgressStep {
  if (judgement === undefined || judgement.kind === "refused") return resultRefused(record, nodeId, judgement, at)
  if (judgement.kind !== "group") {
    // Verified here, so one node's word is enough; the other signers find their own way to the same end.
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

/** Whether the node has said that it is in no session of this attempt, though it was. */
const lostSession = (report: NodeReport | undefined, attempt: number): boolean =>
  report !== undefined &&
  report.attempt >= attempt &&
  (report.status === 130 || (report.status === 140 && report.code !== ""))

/** One bad signature leaves the task to the other nodes; a bad result of a set-up ends it, for all must agree. */
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

/** A node is there again: it may have missed anything, so it is told all that still matters. */
export function cameOnline(record: WaasTask, nodeId: string, at: Situation): ProgressStep {
  const isTold = record.nodeIds.includes(nodeId) && wasAsked(record, nodeId)
  if (!isTold || hasEnded(record.reports[nodeId])) return { record, send: [] }
  const task: OutgoingFrame = { kind: "task", to: nodeId }
  if (record.type === "KeyReshare" && record.state === "completed") {
    return { record, send: [task, { kind: "certificate", to: nodeId }] }
  }
  // Of a completed task it is asked how far it is: it may be about to complete it too.
  if (isFinal(record)) return { record, send: [record.state === "completed" ? task : cancelTo(nodeId, record)] }
  const { record: after, send } = begun(record, at)
  if (hasResult(record)) return { record: after, send: [task, { kind: "certificate", to: nodeId }] }
  // An attempt that begins just now is among `send` already.
  const isSigner = record.state === "running" && signersOf(record).includes(nodeId)
  const again: readonly OutgoingFrame[] = isSigner ? [{ kind: "start", to: nodeId }] : []
  return { record: after, send: [task, ...again, ...send] }
}

/**
 * A node has connected anew. Where neither side of the link forgot anything ("same"), what waited for the node comes to it now, and the attempt
 * goes on. Otherwise a node that has not said that it is in the running attempt missed its beginning, and what the others sent it then is
 * gone: another attempt comes to an end sooner than this one.
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

/** Time has passed. */
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
  const others = remaining(record).filter((id) => wasAsked(record, id))
  return { record, send: others.map((to) => cancelTo(to, record)) }
}

const cancelTo = (to: string, { state, code, reason }: WaasTask): OutgoingFrame => ({
  kind: "cancel",
  to,
  reason: state === "completed" ? "the task is completed without this node" : `${code} ${reason}`.trim().slice(0, 1000),
})
