import { expect, test } from "bun:test"
import { evaluate } from "../../src/policy/evaluate.ts"
import { explain } from "../../src/policy/explain.ts"
import { type Past, replay } from "../../src/policy/replay.ts"
import type { Verdict } from "../../src/policy/verdict.ts"
import { NOW, noUsage, rulesOf, signRequest } from "./samples.ts"

const HOUR = 3_600_000
const verdict = (action: Verdict["action"], ...rules: Verdict["rules"]): Verdict => ({
  action,
  code: "",
  reason: "",
  rules,
})
const embedded = { rule: "key_sign.reject_all", outcome: "allow", reason: "" } as const
const approved = verdict("approve", embedded)
const past = (taskId: string, atMs: number, of: Verdict | undefined, groupId = "g1"): Past => ({
  request: signRequest({ taskId, groupId }),
  atMs,
  verdict: of,
})
const draft = rulesOf({
  enable: true,
  key_sign: {
    reject_all: false,
    allowed_groups: ["g1"],
    limits: [{ name: "hour", per: "all", window: "1h", max: 2 }],
  },
})

test("says what would have changed, with the counters that the draft leads to", () => {
  const byCallback = verdict("reject", embedded, { rule: "callback:http://x/", outcome: "deny", reason: "" })
  const tasks = [
    past("t4", NOW + 20, approved),
    past("t1", NOW, approved),
    past("t2", NOW + 5, approved, "g2"),
    past("t3", NOW + 10, byCallback),
    past("t5", NOW + HOUR + 21, undefined),
  ]
  expect(replay(draft, tasks, NOW).map((r) => [r.taskId, r.was, r.now.action, r.now.code, r.changed])).toEqual([
    ["t1", "approve", "approve", "", false],
    ["t2", "approve", "reject", "E-RSK-005", true],
    ["t3", "approve", "approve", "", false],
    ["t4", "approve", "reject", "E-RSK-011", true],
    ["t5", "undecided", "approve", "", false],
  ])
})

test("older tasks count and are not reported", () => {
  const tasks = [past("a", NOW - 2, approved), past("b", NOW - 1, approved), past("c", NOW, approved)]
  expect(replay(draft, tasks, NOW).map((r) => [r.taskId, r.now.code])).toEqual([["c", "E-RSK-011"]])
})

test("explain lists every rule, the debits and the outcome", () => {
  const lines = explain(evaluate(draft, signRequest(), noUsage, NOW))
  expect(lines.map((line) => line.split(":")[0])).toEqual([
    "allow  key_sign.reject_all",
    "allow  key_sign.allowed_groups",
    "allow  key_sign.limits.hour",
    "debit  sign/all",
    "=> approve",
  ])
  expect(explain(evaluate(draft, signRequest({ groupId: "g2" }), noUsage, NOW)).at(-1)).toStartWith(
    "=> reject E-RSK-005",
  )
})
