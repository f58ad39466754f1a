/** The two mechanisms of risk control together: the embedded rules first, then every callback server, and both must approve. */
import type { Decision } from "../policy/decision.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { Task } from "../wire/task.ts"
import type { Intents } from "./intents.ts"
import type { LonePlan, Plan } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"

/** Asks the callback servers, if the embedded rules approve so far; their refusal otherwise. */
export async function askEverybody(
  task: Task,
  plan: Plan | LonePlan,
  intents: Intents,
  { risk, journal, now }: TaskPorts,
  stop: AbortSignal,
): Promise<Verdict> {
  const { verdict } = risk.evaluate(task, plan.group, journal.usage, now(), intents)
  return verdict.action === "approve" ? risk.ask(task, plan.group, stop, intents) : verdict
}

/** Approves only what both mechanisms approve; every rule's outcome is kept. */
export function both(embedded: Decision, callbacks: Verdict): Decision {
  if (embedded.verdict.action !== "approve") return embedded
  const rules = callbacks === embedded.verdict ? callbacks.rules : [...embedded.verdict.rules, ...callbacks.rules]
  return { verdict: { ...callbacks, rules }, debits: embedded.debits }
}
