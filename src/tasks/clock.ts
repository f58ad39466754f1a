/**
 * While the clock is wrong, time windows, limits and deadlines mean nothing. So nothing is approved then, and no approved task begins. An
 * attempt that has begun goes on; it has its own time limit besides the deadline.
 */
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** E-TSK-045 while this clock and that of WaaS disagree; otherwise undefined. */
export function clockRefusal({ clockOff }: Pick<TaskPorts, "clockOff">): Refusal | undefined {
  const off = clockOff()
  return off === undefined ? undefined : refuse("E-TSK-045", off)
}
