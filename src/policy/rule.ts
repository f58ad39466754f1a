/** What a rule is: a name, a code for its denial, and a function from facts to an answer. Each rule has a file in rules/. */
import type { Code } from "../errors.ts"

/** Rolling counters, as tasks/ports.ts has them. */
export interface Usage {
  /** Sum of the amounts debited to `counter` at or after `sinceMs` and not released. */
  count(counter: string, sinceMs: number): number
}

/** Everything that a rule may know beside the request: no rule reads a clock or a store of its own. */
export interface Facts {
  readonly usage: Usage
  readonly nowMs: number
}

export interface Answer {
  readonly allow: boolean
  /** Why, for people; in either case. */
  readonly reason: string
}

export interface Check {
  /** As the TOML names it: `key_sign.allowed_paths`, `key_sign.limits.hourly`. */
  readonly rule: string
  readonly code: Code
  readonly ask: (facts: Facts) => Answer
}

export const allow = (reason: string): Answer => ({ allow: true, reason })
export const deny = (reason: string): Answer => ({ allow: false, reason })

/** `a, b, c and 4 more`: reasons stay readable whatever a task contains. */
export function some(words: Iterable<string>, most = 4): string {
  const all = [...words].map((word) => (word.length > 140 ? `${word.slice(0, 140)}...` : word))
  const more = all.length - most
  return more > 0 ? `${all.slice(0, most).join(", ")} and ${more} more` : all.join(", ")
}
