/** Why attempts ended, for people and for the choice of the next signers; and how long the next attempt waits. Pure. */
import { RESTARTED } from "../../tasks/report.ts"
import { MAX_ATTEMPTS } from "../../wire/signed.ts"
import type { NodeReport, WaasTask } from "../store/model.ts"
import { type Situation, signersOf } from "./quorum.ts"

/** Whether a rule, a payload check or a callback server said no. Whatever else keeps a node from a task is no refusal (formats.md 12). */
export const isRefusal = (code: string): boolean => /^E-(?:RSK|INT)-/.test(code)

/** Whether the code means "later". Nodes of link version 1 and 2 report such a code with status 160 (formats.md 12). */
export const isLater = (code: string): boolean => LATER.includes(code)
const LATER: readonly string[] = ["E-TSK-017", "E-TSK-035", "E-TSK-036", "E-TSK-048"]

/** With these codes a node ends an attempt for a reason of its own: the others should go on without it. */
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

/** How many causes a task keeps, and how many characters of each. */
const MOST_CAUSES = 8
const MOST_LETTERS = 240

/** Why an attempt ended, as a node's report says, and which nodes are to blame: the node, or all signers if nobody can tell. */
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
/** From this attempt on the remaining time is divided among the remaining attempts, because nodes accept no more than MAX_ATTEMPTS. */
const MANY = 100

/** The pause before the next attempt, ms. It doubles up to half a minute: each attempt is a new session, which costs every signer. */
export function pauseMs({ attempt, deadlineMs }: WaasTask, { nowMs, pace }: Situation): number {
  const doubled = Math.min(pace.retryMs * 2 ** Math.min(attempt - 1, 30), MOST_PAUSE_MS)
  if (attempt < MANY) return doubled
  return Math.max(doubled, Math.ceil((deadlineMs - nowMs) / Math.max(1, MAX_ATTEMPTS - attempt)))
}
