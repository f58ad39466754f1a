/** What risk control is asked with and what it answers: the counters, what an approval takes from them, the decision. */
import type { Verdict } from "./verdict.ts"

/** Rolling counters for rules such as "signatures per hour". */
export interface Usage {
  /** Sum of the amounts debited to `counter` at or after `sinceMs` (ms since 1970) and not released. */
  count(counter: string, sinceMs: number): number
}

export interface Debit {
  readonly counter: string
  readonly amount: number
}

export interface Decision {
  readonly verdict: Verdict
  /** Applied only when the verdict approves; each counter at most once. */
  readonly debits: readonly Debit[]
}
