/** Histories of tasks with payloads: the rules agree with the slow judge of intentReference.ts, and no limit is undercounted. */
import { expect, test } from "bun:test"
import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"
import type { Reading } from "../../src/intent/reading.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { intentSchema } from "../../src/policy/intentTable.ts"
import { namesIn } from "../../src/policy/names.ts"
import { RollingUsage } from "../../src/policy/rollingUsage.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"
import { spending } from "../../src/policy/spending.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { Reference } from "./intentReference.ts"
import { BTC, INTENT, intentRequest, section } from "./intentSamples.ts"
import { NOW } from "./samples.ts"

const HISTORIES = process.env["COSIGNER_LONG"] === "1" ? 100_000 : 2_000
const NAMES = namesIn(Value.Decode(intentSchema, withDefaults(intentSchema, INTENT)))

const parsed = (keySign: object): Rules => {
  const checked = checkRules({ enable: true, key_sign: keySign }, NAMES)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}

const step = fc.record({
  request: intentRequest,
  /** Mostly forward, at the edges of windows too; sometimes the clock is set back. */
  minutes: fc.constantFrom(0, 1, 30, 59, 60, 61, 600, 1440, 1441, -30),
})

test(`agrees with the slow judge on ${HISTORIES} histories`, () => {
  const seen = { approve: 0, reject: 0 }
  const refused = new Map<string, number>()
  fc.assert(
    fc.property(section, fc.array(step, { minLength: 1, maxLength: 10 }), (keySign, steps) => {
      const rules = parsed(keySign)
      const reference = new Reference(keySign, INTENT)
      const usage = new RollingUsage()
      let nowMs = NOW
      for (const [i, { request, minutes }] of steps.entries()) {
        nowMs += minutes * 60_000
        const { verdict, debits } = evaluate(rules, { ...request, taskId: `t${i}` }, usage, nowMs)
        const refusing = verdict.rules.filter(({ outcome }) => outcome !== "allow")
        const names = refusing.map(({ rule }) => rule.replace("key_sign.", ""))
        expect(names.toSorted()).toEqual(reference.judge(request, nowMs))
        expect(verdict.action).toBe(names.length === 0 ? "approve" : "reject")
        seen[verdict.action]++
        for (const { rule, outcome } of refusing) {
          const key = `${rule.replace(/\d$/, "")} ${outcome}`
          refused.set(key, (refused.get(key) ?? 0) + 1)
        }
        if (verdict.action !== "approve") continue
        usage.debit(`t${i}`, nowMs, debits)
        reference.approved.push({ request, atMs: nowMs })
      }
    }),
    { numRuns: HISTORIES },
  )
  // The cases are of all kinds.
  expect(Math.min(seen.approve, seen.reject)).toBeGreaterThan(HISTORIES)
  expect([...refused.keys()].toSorted()).toEqual([
    "key_sign.allow deny",
    "key_sign.blind_paths deny",
    "key_sign.deny deny",
    "key_sign.limits.limit deny",
    "key_sign.limits.limit error",
  ])
}, 3_600_000)

test("of transactions that spend the same coins, no limit counts less than what can happen of them", () => {
  const outpoints = ["a:0", "b:0", "c:0", "d:0"]
  const spend = fc.record({ coins: fc.subarray(outpoints, { minLength: 1 }), amount: fc.bigInt({ min: 1n, max: 9n }) })
  const limit = { per: "all", assets: new Set([BTC]), approvals: true } as const
  fc.assert(
    fc.property(fc.array(spend, { minLength: 1, maxLength: 8 }), (spends) => {
      const usage = new RollingUsage()
      for (const [i, { coins, amount }] of spends.entries()) {
        const reading: Reading = {
          format: "bitcoin/psbt",
          chain: "bip122:000000000019d6689c085ae165831e93",
          from: ["bc1qfrom"],
          effects: [{ kind: "transfer", from: "bc1qfrom", to: "bc1qto", asset: BTC, amount }],
          fee: { max: 0n, asset: BTC, unbounded: false },
          nonce: coins.join(" "),
          signs: [],
        }
        const { debits } = spending(limit, [{ reading, accounts: new Map() }], "key", usage, 0)
        usage.debit(`t${i}`, i, debits)
      }
      // Every subset in which no coin is spent twice can happen as a whole.
      let worst = 0n
      for (let set = 0; set < 1 << spends.length; set++) {
        const chosen = spends.filter((_, i) => (set & (1 << i)) !== 0)
        const coins = chosen.flatMap((one) => one.coins)
        if (new Set(coins).size < coins.length) continue
        const sum = chosen.reduce((total, one) => total + one.amount, 0n)
        worst = sum > worst ? sum : worst
      }
      expect(usage.sum(`amount/all/${BTC}`, 0)).toBeGreaterThanOrEqual(worst)
    }),
    { numRuns: 2_000 },
  )
})
