/** A decision as text for people: every rule, its answer and why. */
import type { Awaited, Decision } from "./decision.ts"

/** Which statements of people are missing, as a text for people. */
export const awaitedWords = (one: Awaited): string =>
  one.kind === "request"
    ? "the signed word of whoever asks for it"
    : `${one.min - one.by.length} more of ${one.group}${one.by.length === 0 ? "" : ` (${one.by.join(", ")} approved)`}`

const MARKS = { allow: "allow", deny: "DENY ", error: "ERROR" } as const

export function explain(decision: Decision): readonly string[] {
  const { verdict, debits, awaits = [] } = decision
  return [
    ...verdict.rules.map(({ rule, outcome, reason }) => `${MARKS[outcome]}  ${rule}: ${reason}`),
    ...debits.map(({ counter, amount }) => `debit  ${counter}: ${amount}`),
    ...awaits.map((one) => `waits  ${awaitedWords(one)}`),
    verdict.action === "approve" ? "=> approve" : `=> reject ${verdict.code}: ${verdict.reason}`,
  ]
}
