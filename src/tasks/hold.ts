/**
 * What keeps a node from approving and beginning a task for now, for reasons outside the task: a freeze, evidence that the audit log went
 * back, or a wrong clock.
 */
import { CosignerError } from "../errors.ts"
import type { Decision } from "../policy/decision.ts"
import type { Task } from "../wire/task.ts"
import { clockRefusal } from "./clock.ts"
import { frozenError, groupsOf } from "./freeze.ts"
import { type Refusal, refusalOf } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

type HoldPorts = Pick<TaskPorts, "freezes" | "logDoubt" | "clockOff">

/** Why nothing may be approved or begun now; undefined if nothing holds it. */
export const holdRefusal = (task: Task, ports: HoldPorts): Refusal | undefined =>
  releaseRefusal(task, ports) ?? clockRefusal(ports)

/** The part of it that also keeps a finished message from leaving: a freeze or a log in doubt, but not a wrong clock. */
export function releaseRefusal(task: Task, ports: Omit<HoldPorts, "clockOff">): Refusal | undefined {
  const held = releaseError(task, ports)
  return held && refusalOf(held)
}

/**
 * The same as an error: E-FRZ-001, or E-AUD-008 while a peer holds a checkpoint that contradicts this node's log, because this node may be
 * an older copy of itself.
 */
export function releaseError(
  task: Task,
  { freezes, logDoubt }: Omit<HoldPorts, "clockOff">,
): CosignerError | undefined {
  const freeze = freezes.over(groupsOf(task))
  if (freeze !== undefined) return frozenError(freeze)
  const doubt = logDoubt()
  return doubt && new CosignerError("E-AUD-008", { from: doubt.from })
}

/** The rejection by a freeze or a log in doubt, as a decision. Throws E-TSK-045 while the clock is wrong, which puts the task off. */
export function holdDecision(task: Task, ports: HoldPorts): Decision | undefined {
  const refusal = releaseRefusal(task, ports)
  if (refusal !== undefined) return { verdict: { action: "reject", ...refusal, rules: [] }, debits: [] }
  const off = ports.clockOff()
  if (off !== undefined) throw new CosignerError("E-TSK-045", off)
  return undefined
}
