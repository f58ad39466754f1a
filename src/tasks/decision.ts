/** Combines the two mechanisms of risk control: first the embedded rules, then every callback server. Both must approve. */
import type { Problem as IntentProblem } from "../intent/reading.ts"
import type { Decision, IsSpent, Usage } from "../policy/decision.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { Task } from "../wire/task.ts"
import type { Consent } from "./consent.ts"
import { holdDecision } from "./hold.ts"
import { type Intents, isUnread, unreadDecision, withIntents } from "./intents.ts"
import { type LonePlan, type Plan, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"
import { presentedBy } from "./words.ts"

/**
 * Asks the embedded rules, then people if the rules wait for their words, then the callback servers if the rules approve. Returns the first
 * refusal. Without `consent` it does not wait for people: E-APR-004.
 */
export async function askEverybody(
  task: Task,
  plan: Plan | LonePlan,
  intents: Intents,
  { risk, journal, now }: TaskPorts,
  stop: AbortSignal,
  consent?: Consent,
): Promise<Verdict> {
  for (;;) {
    const words = consent?.standing() ?? []
    const { verdict, awaits = [] } = risk.evaluate(task, plan.group, journal.usage, now(), intents, presentedBy(words))
    if (awaits.length === 0) consent?.settled()
    if (verdict.action === "approve") return risk.ask(task, plan.group, stop, intents, words)
    if (consent === undefined && awaits.length > 0) return { ...verdict, ...refuse("E-APR-004", {}) }
    if (consent === undefined || awaits.length === 0 || stop.aborted) return verdict
    await consent.more(awaits, stop)
  }
}

interface AskedTask {
  readonly task: Task
  readonly plan: Plan | LonePlan
  readonly read: Intents | IntentProblem
  /** The answer of askEverybody. */
  readonly asked: Verdict
  readonly consent: Consent
}

/** The decision to record. Asks the rules again, because callback servers and people may have taken minutes. Throws E-TSK-045. */
export function decideAnew(
  { task, plan, read, asked, consent }: AskedTask,
  ports: TaskPorts,
  usage: Usage,
  isSpent: IsSpent,
): Decision {
  if (isUnread(read)) return unreadDecision(read)
  const held = holdDecision(task, ports)
  if (held !== undefined) return held
  const decision = consent.decide(isSpent, (presented) =>
    ports.risk.evaluate(task, plan.group, usage, ports.now(), read, presented),
  )
  return withIntents(both(decision, asked), read)
}

/** Approves only if both mechanisms approve; keeps the outcome of every rule. */
function both(embedded: Decision, callbacks: Verdict): Decision {
  if (embedded.verdict.action !== "approve") return embedded
  const rules = callbacks === embedded.verdict ? callbacks.rules : [...embedded.verdict.rules, ...callbacks.rules]
  return { ...embedded, verdict: { ...callbacks, rules } }
}
