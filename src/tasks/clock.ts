/**
 * Windows, limits and deadlines of the rules mean nothing by a clock that is wrong: then nothing is approved, and nothing that
 * was approved begins. What has begun goes on; its deadline is the earlier of two.
 */
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** E-TSK-045 while the clocks disagree. */
export function clockRefusal({ clockOff }: Pick<TaskPorts, "clockOff">): Refusal | undefined {
  const off = clockOff()
  return off === undefined ? undefined : refuse("E-TSK-045", off)
}
