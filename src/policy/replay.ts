/**
 * Evaluates journalled tasks under a draft of the rules, to show what would have changed. The counters are those that the draft itself
 * would have led to: every task that it approves is debited, also a task that later failed, so the result is never too lenient.
 * Tasks before `sinceMs` fill the counters and are not reported.
 */
import { evaluate } from "./evaluate.ts"
import type { Presented } from "./people.ts"
import type { PolicyRequest, UnreadableRequest } from "./request.ts"
import { RollingUsage } from "./rollingUsage.ts"
import type { Rules } from "./schema.ts"
import type { Verdict } from "./verdict.ts"

export interface Past {
  readonly request: PolicyRequest | UnreadableRequest
  readonly atMs: number
  /** As journalled; undefined if no verdict was reached. */
  readonly verdict: Verdict | undefined
  /** The statements of people that the verdict consumed. */
  readonly presented?: Presented
}

export interface Replayed {
  readonly taskId: string
  readonly atMs: number
  /** The answer of the embedded rules at that time; callback servers are left out. */
  readonly was: "approve" | "reject" | "undecided"
  readonly now: Verdict
  readonly changed: boolean
}

export function replay(draft: Rules, tasks: readonly Past[], sinceMs: number): readonly Replayed[] {
  const usage = new RollingUsage()
  const out: Replayed[] = []
  for (const past of tasks.toSorted((a, b) => a.atMs - b.atMs)) {
    const { verdict, debits } = evaluate(draft, past.request, usage, past.atMs, past.presented)
    usage.debit(past.request.taskId, past.atMs, debits)
    if (past.atMs < sinceMs) continue
    const was = embedded(past.verdict)
    const changed = was !== "undecided" && was !== verdict.action
    out.push({ taskId: past.request.taskId, atMs: past.atMs, was, now: verdict, changed })
  }
  return out
}

function embedded(verdict: Verdict | undefined): Replayed["was"] {
  const rules = verdict?.rules.filter(({ rule }) => !rule.startsWith("callback:")) ?? []
  if (verdict === undefined || rules.length === 0) return "undecided"
  return rules.every(({ outcome }) => outcome === "allow") ? "approve" : "reject"
}
