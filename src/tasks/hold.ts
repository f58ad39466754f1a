/** What keeps a node from approving and beginning a task just now, without a word against it: a freeze, a log that went back, or a clock that is wrong. */
import type { Decision } from "../policy/decision.ts"
import type { Task } from "../wire/task.ts"
import { clockRefusal } from "./clock.ts"
import { freezeRefusal } from "./freeze.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

type HoldPorts = Pick<TaskPorts, "freezes" | "logDoubt" | "clockOff">

export const holdRefusal = (task: Task, ports: HoldPorts): Refusal | undefined =>
  releaseRefusal(task, ports) ?? clockRefusal(ports)

/** What also keeps a message that is made already from leaving. */
export const releaseRefusal = (task: Task, ports: Omit<HoldPorts, "clockOff">): Refusal | undefined =>
  freezeRefusal(task, ports) ?? doubtRefusal(ports)

/** E-AUD-008 while a peer has a checkpoint of this node's log that contradicts it: the node may be an older copy of itself. */
function doubtRefusal({ logDoubt }: Pick<TaskPorts, "logDoubt">): Refusal | undefined {
  const doubt = logDoubt()
  return doubt && refuse("E-AUD-008", { from: doubt.from })
}

/** The same as a decision on the task. */
export function holdDecision(task: Task, ports: HoldPorts): Decision | undefined {
  const refusal = holdRefusal(task, ports)
  return refusal && { verdict: { action: "reject", ...refusal, rules: [] }, debits: [] }
}
