/**
 * The signers of a task of version 3 (formats.md 12). Its document names all candidates, and the approval covers a signature by any
 * `threshold` of them. The start of an attempt names the signers; plan and rules of the attempt see only those.
 */
import type { StartTerms } from "../wire/signed.ts"
import type { Task } from "../wire/task.ts"
import { VERSIONS } from "../wire/versions.ts"
import { holdRefusal } from "./hold.ts"
import { hasStatedPayloads } from "./intents.ts"
import { planOf } from "./kinds.ts"
import { isRefusal, type LonePlan, type Plan, type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** The task with the signers of this attempt. */
export const amongSigners = (task: Task, terms: StartTerms | undefined): Task =>
  task.type === "KeySign" && terms?.signers !== undefined ? { ...task, used_node_ids: terms.signers } : task

/** The plan of an attempt. E-TSK-049 if it has more signers than the threshold. */
export function planOfSigners(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  const plan = planOf(task, ports)
  if (isRefusal(plan) || plan.kind === "alone" || plan.areCandidates !== true) return plan
  return refuse("E-TSK-049", { problem: `it names ${plan.participants.length} signers, more than the threshold` })
}

/**
 * True if a reshare made the task impossible: this node has no share of the group any more, or the threshold is above the number of
 * signers.
 */
export function isLeftBehind(task: Task, ports: Pick<TaskPorts, "groups">): boolean {
  if (task.type !== "KeySign") return false
  const group = ports.groups.active(task.group_id)
  return group === undefined || task.used_node_ids.length < group.threshold
}

/** What is wrong with the signers of a start; undefined if nothing. Their plan checks that their number is the threshold. */
function problemOfSigners(task: Task, terms: StartTerms | undefined): string | undefined {
  const signers = terms?.signers
  if (task.version !== 3) return signers === undefined ? undefined : "it names signers, and the task has its own"
  if (signers === undefined) return "it names no signers"
  const mayNot = task.type === "KeySign" ? signers.find((id) => !task.used_node_ids.includes(id)) : signers[0]
  return mayNot === undefined ? undefined : `${mayNot} is none of those who may sign`
}

/** Why this node cannot begin with such a start (a clock, a freeze, another release). No peer is blamed, and another start may follow. */
export function unableFor(task: Task, terms: StartTerms | undefined, ports: TaskPorts): Refusal | undefined {
  const { readers } = VERSIONS
  const held = holdRefusal(task, ports)
  if (held !== undefined) return held
  const unfit = problemOfSigners(task, terms)
  if (unfit !== undefined) return refuse("E-TSK-049", { problem: unfit })
  if (terms === undefined) return hasStatedPayloads(task) ? refuse("E-TSK-038", {}) : undefined
  if (task.type !== "KeySign") return undefined
  const { reader: asked = 0 } = terms
  return readers.includes(asked) ? undefined : refuse("E-TSK-037", { asked, own: readers })
}
