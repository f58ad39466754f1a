/** Why attempts ended, for people and for the choice of the next signers; and how long the next attempt waits. Pure. */
import { RESTARTED } from "../../tasks/report.ts"
import { MAX_ATTEMPTS } from "../../wire/signed.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import { type Situation, signersOf } from "./quorum.ts"

/** A rule, a payload or a callback server said no. Whatever else keeps a node from a task is no refusal (formats.md 12). */
export const isRefusal = (code: string): boolean => /^E-(?:RSK|INT)-/.test(code)

/** What nodes of link versions before 3 report as refused, and nodes since then put off. */
export const isLater = (code: string): boolean => LATER.includes(code)
const LATER: readonly string[] = ["E-TSK-017", "E-TSK-035", "E-TSK-036", "E-TSK-048"]

/** Its session ended for reasons of its own: the others had better go on without it. */
const OWN_REASONS: readonly string[] = [
  "E-TSK-008",
  "E-TSK-009",
  "E-TSK-013",
  "E-TSK-023",
  "E-TSK-030",
  "E-TSK-031",
  "E-TSK-034",
  "E-TSK-037",
  "E-TSK-038",
  "E-TSK-040",
  "E-TSK-045",
  "E-TSK-048",
  "E-TSK-049",
  "E-FRZ-001",
]

/** Causes that are kept, and of each so much. */
const MOST_CAUSES = 8
const MOST_LETTERS = 240

/** What a node's report of an attempt that ended says, and of whom. */
export function causeOf(
  record: WaasTask,
  nodeId: string,
  report: NodeReport,
): { readonly why: string; readonly blamed: readonly string[] } {
  const { code, reason, attempt } = report
  const inAttempt = `in attempt ${attempt}`
  // E-TSK-019 answers a start that the node has seen before, as one does that lost the session of that start in a restart.
  if (reason.includes(RESTARTED) || code === "E-TSK-019")
    return { why: `${nodeId} restarted ${inAttempt}`, blamed: [nodeId] }
  if (code === "") return { why: `${nodeId} lost its session ${inAttempt}`, blamed: [nodeId] }
  const isOwn = OWN_REASONS.includes(code) || report.status >= 160
  return { why: `${nodeId} ${inAttempt}: ${code} ${reason}`, blamed: isOwn ? [nodeId] : signersOf(record) }
}

export function withCause(record: WaasTask, why: string, blamed: readonly string[]): WaasTask {
  const faults = { ...record.faults }
  for (const id of blamed) faults[id] = (faults[id] ?? 0) + 1
  return { ...record, faults, causes: [...(record.causes ?? []), why.slice(0, MOST_LETTERS)].slice(-MOST_CAUSES) }
}

const MOST_PAUSE_MS = 30_000
/** From this attempt on what is left of the time is shared out, so that the attempts that nodes allow last until the deadline. */
const MANY = 100

/** Before the next attempt: doubles up to half a minute; each attempt is a new session, and costs every signer. */
export function pauseMs({ attempt, deadlineMs }: WaasTask, { nowMs, pace }: Situation): number {
  const doubled = Math.min(pace.retryMs * 2 ** Math.min(attempt - 1, 30), MOST_PAUSE_MS)
  if (attempt < MANY) return doubled
  return Math.max(doubled, Math.ceil((deadlineMs - nowMs) / Math.max(1, MAX_ATTEMPTS - attempt)))
}
