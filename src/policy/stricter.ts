/** Combines two rule sets that must both approve: the one in force, and the one that waits, whose tighter parts count already (bundle.md 2.4). */
import { type Debit, type Decision, isAmount } from "./decision.ts"

/** The first decision that does not approve; otherwise both, with everything that either takes from the counters. */
export function stricter(first: Decision, second: () => Decision): Decision {
  if (first.verdict.action !== "approve") return first
  const other = second()
  if (other.verdict.action !== "approve") return other
  return {
    ...first,
    verdict: { ...first.verdict, rules: [...first.verdict.rules, ...other.verdict.rules] },
    debits: larger([...first.debits, ...other.debits]),
  }
}

/** Each counter once. Names may stand for different things in the two sets; then the larger debit counts. */
function larger(debits: readonly Debit[]): readonly Debit[] {
  const byName = new Map<string, Debit>()
  for (const debit of debits) {
    const name = isAmount(debit) ? `${debit.counter} ${debit.replaces}` : debit.counter
    const known = byName.get(name)
    if (known === undefined || known.amount < debit.amount) byName.set(name, debit)
  }
  return [...byName.values()]
}
