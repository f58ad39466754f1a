/** What keeps a node from approving and beginning a task just now, without a word against it: a freeze, a log that went back, or a clock that is wrong. */
import { CosignerError } from "../errors.ts"
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

/** What speaks against the task, as a decision. Throws E-TSK-045 while the clock is wrong, which is no word against it. */
export function holdDecision(task: Task, ports: HoldPorts): Decision | undefined {
  const refusal = releaseRefusal(task, ports)
  if (refusal !== undefined) return { verdict: { action: "reject", ...refusal, rules: [] }, debits: [] }
  const off = ports.clockOff()
  if (off !== undefined) throw new CosignerError("E-TSK-045", off)
  return undefined
}
