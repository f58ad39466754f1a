/**
 * What keeps a node from approving and beginning a task for now, for reasons outside the task: a freeze, evidence that the audit log went
 * back, or a wrong clock.
 */
import { CosignerError } from "../errors.ts"
import type { Decision } from "../policy/decision.ts"
import type { Task } from "../wire/task.ts"
import { clockRefusal } from "./clock.ts"
import { freezeRefusal } from "./freeze.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

type HoldPorts = Pick<TaskPorts, "freezes" | "logDoubt" | "clockOff">

/** Why nothing may be approved or begun now; undefined if nothing holds it. */
export const holdRefusal = (task: Task, ports: HoldPorts): Refusal | undefined =>
  releaseRefusal(task, ports) ?? clockRefusal(ports)

/** The part of it that also keeps a finished message from leaving: a freeze or a log in doubt, but not a wrong clock. */
export const releaseRefusal = (task: Task, ports: Omit<HoldPorts, "clockOff">): Refusal | undefined =>
  freezeRefusal(task, ports) ?? doubtRefusal(ports)

/** E-AUD-008 while a peer holds a checkpoint that contradicts this node's log: this node may be an older copy of itself. */
function doubtRefusal({ logDoubt }: Pick<TaskPorts, "logDoubt">): Refusal | undefined {
  const doubt = logDoubt()
  return doubt && refuse("E-AUD-008", { from: doubt.from })
}

/** The rejection by a freeze or a log in doubt, as a decision. Throws E-TSK-045 while the clock is wrong, which puts the task off. */
export function holdDecision(task: Task, ports: HoldPorts): Decision | undefined {
  const refusal = releaseRefusal(task, ports)
  if (refusal !== undefined) return { verdict: { action: "reject", ...refusal, rules: [] }, debits: [] }
  const off = ports.clockOff()
  if (off !== undefined) throw new CosignerError("E-TSK-045", off)
  return undefined
}
