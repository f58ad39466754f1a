/** Decides a task before it is claimed: it enters the journal only if it is approved (admission.ts). */
import type { Verdict } from "../policy/verdict.ts"
import type { Task } from "../wire/task.ts"
import { askEverybody } from "./decision.ts"
import { holdRefusal } from "./hold.ts"
import { isUnread, unreadDecision } from "./intents.ts"
import { intentsFor, planOf } from "./kinds.ts"
import { isRefusal, type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** Asks the node's own records, the rules and every callback server, in this order. `stop` fires on a cancel, with its reason. */
export async function decideFirst(task: Task, ports: TaskPorts, stop: AbortSignal): Promise<Verdict | Refusal> {
  const plan = planOf(task, ports)
  if (isRefusal(plan)) return plan
  const held = holdRefusal(task, ports)
  if (held !== undefined) return held
  const { deadline_ms: deadlineMs } = task
  const late = (): boolean => ports.now() >= deadlineMs
  if (late()) return refuse("E-TSK-004", { deadlineMs })
  using alarm = ports.alarm(deadlineMs)
  const reading = intentsFor(task, plan, ports)
  const intents = reading instanceof Promise ? await reading : reading
  if (isUnread(intents)) return unreadDecision(intents).verdict
  const verdict = await askEverybody(task, plan, intents, ports, AbortSignal.any([alarm.signal, stop]))
  if (stop.aborted) return refuse("E-TSK-005", { reason: String(stop.reason) })
  return late() ? refuse("E-TSK-004", { deadlineMs }) : verdict
}
