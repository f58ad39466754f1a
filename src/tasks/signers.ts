/**
 * Signers of a task of version 3 (formats.md 12): the document names all who may sign, and what was approved is a signature by
 * any of them; the start of each attempt says which. Plan and rules of the attempt see those alone.
 */
import type { StartTerms } from "../wire/signed.ts"
import type { Task } from "../wire/task.ts"
import { VERSIONS } from "../wire/versions.ts"
import { holdRefusal } from "./hold.ts"
import { hasStatedPayloads } from "./intents.ts"
import { planOf } from "./kinds.ts"
import { isRefusal, type LonePlan, type Plan, type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** The task as this attempt carries it out. */
export const amongSigners = (task: Task, terms: StartTerms | undefined): Task =>
  task.type === "KeySign" && terms?.signers !== undefined ? { ...task, used_node_ids: terms.signers } : task

/** The plan of an attempt; refused where it names more signers than the threshold. */
export function planOfSigners(task: Task, ports: TaskPorts): Plan | LonePlan | Refusal {
  const plan = planOf(task, ports)
  if (isRefusal(plan) || plan.kind === "alone" || plan.areCandidates !== true) return plan
  return refuse("E-TSK-049", { problem: `it names ${plan.participants.length} signers, more than the threshold` })
}

/** Whether a reshare left the task behind: this node has no share of the group any more, or more must sign than WaaS names. */
export function isLeftBehind(task: Task, ports: Pick<TaskPorts, "groups">): boolean {
  if (task.type !== "KeySign") return false
  const group = ports.groups.active(task.group_id)
  return group === undefined || task.used_node_ids.length < group.threshold
}

/** What is wrong with the signers of a start; whether they are as many as the threshold, their plan says. */
function problemOfSigners(task: Task, terms: StartTerms | undefined): string | undefined {
  const signers = terms?.signers
  if (task.version !== 3) return signers === undefined ? undefined : "it names signers, and the task has its own"
  if (signers === undefined) return "it names no signers"
  const mayNot = task.type === "KeySign" ? signers.find((id) => !task.used_node_ids.includes(id)) : signers[0]
  return mayNot === undefined ? undefined : `${mayNot} is none of those who may sign`
}

/** Why this node does not begin by such a start. Nobody is blamed, for a clock or for a release, and another start may come. */
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
