/** Two verdicts on one task into one: both must approve, and the first that does not gives the code and the reason. */
import type { Verdict } from "./verdict.ts"

export function combine(first: Verdict, second: Verdict): Verdict {
  const rules = [...first.rules, ...second.rules]
  const against = [first, second].find((verdict) => verdict.action !== "approve")
  if (against !== undefined) return { ...against, rules }
  return { action: "approve", code: "", reason: "", rules }
}
