/** Two rule sets at once: neither alone approves, and what either counts is counted. */
import { expect, test } from "bun:test"
import type { Decision } from "../../src/policy/decision.ts"
import { stricter } from "../../src/policy/stricter.ts"

const rule = { rule: "a", outcome: "allow", reason: "" } as const
const yes = (over: Partial<Decision> = {}): Decision => ({
  verdict: { action: "approve", code: "", reason: "", rules: [rule] },
  debits: [],
  ...over,
})
const no = (code: string): Decision => ({ verdict: { action: "reject", code, reason: "", rules: [rule] }, debits: [] })

test("both must approve, and the first that does not is told", () => {
  expect(stricter(no("E-RSK-001"), () => no("E-RSK-002")).verdict.code).toBe("E-RSK-001")
  expect(stricter(yes(), () => no("E-RSK-002")).verdict.code).toBe("E-RSK-002")
  expect(stricter(no("E-RSK-001"), yes).verdict.action).toBe("reject")
  expect(stricter(yes(), yes).verdict).toMatchObject({ action: "approve", rules: [rule, rule] })
})

test("debits of both, of one counter the larger", () => {
  const one = [
    { counter: "c", amount: 1 },
    { counter: "x", amount: 5n, replaces: "" },
  ]
  const other = [
    { counter: "c", amount: 2 },
    { counter: "x", amount: 4n, replaces: "r" },
  ]
  const { debits } = stricter(yes({ debits: one }), () => yes({ debits: other }))
  expect(debits).toEqual([
    { counter: "c", amount: 2 },
    { counter: "x", amount: 5n, replaces: "" },
    { counter: "x", amount: 4n, replaces: "r" },
  ])
})
