/** A decision as text for people: every rule, its answer and why. */
import type { Decision } from "./decision.ts"

const MARKS = { allow: "allow", deny: "DENY ", error: "ERROR" } as const

export function explain(decision: Decision): readonly string[] {
  const { verdict, debits } = decision
  return [
    ...verdict.rules.map(({ rule, outcome, reason }) => `${MARKS[outcome]}  ${rule}: ${reason}`),
    ...debits.map(({ counter, amount }) => `debit  ${counter}: ${amount}`),
    verdict.action === "approve" ? "=> approve" : `=> reject ${verdict.code}: ${verdict.reason}`,
  ]
}
