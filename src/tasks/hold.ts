/** What keeps a node from approving and beginning a task just now, without a word against it: a freeze, or a clock that is wrong. */
import type { Decision } from "../policy/decision.ts"
import type { Task } from "../wire/task.ts"
import { clockRefusal } from "./clock.ts"
import { freezeRefusal } from "./freeze.ts"
import type { Refusal } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

type HoldPorts = Pick<TaskPorts, "freezes" | "clockOff">

export const holdRefusal = (task: Task, ports: HoldPorts): Refusal | undefined =>
  freezeRefusal(task, ports) ?? clockRefusal(ports)

/** The same as a decision on the task. */
export function holdDecision(task: Task, ports: HoldPorts): Decision | undefined {
  const refusal = holdRefusal(task, ports)
  return refusal && { verdict: { action: "reject", ...refusal, rules: [] }, debits: [] }
}
