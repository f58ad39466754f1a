import { expect, test } from "bun:test"
import { Type } from "@sinclair/typebox"
import { evaluate } from "../../src/policy/evaluate.ts"
import { NO_NAMES } from "../../src/policy/names.ts"
import { defineRule } from "../../src/policy/rule.ts"
import { RULES_OFF, type Rules } from "../../src/policy/schema.ts"
import { NOW, noUsage, rulesOf, signRequest } from "./samples.ts"

const open = { enable: true, key_sign: { reject_all: false } }

test("off approves, and says that it is off", () => {
  const { verdict } = evaluate(RULES_OFF, signRequest(), noUsage, NOW)
  expect(verdict).toMatchObject({ action: "approve", code: "" })
  expect(verdict.rules.map((r) => r.rule)).toEqual(["enable"])
})

test("an absent section rejects, with its own code", () => {
  expect(evaluate(rulesOf({ enable: true }), signRequest(), noUsage, NOW).verdict).toMatchObject({
    action: "reject",
    code: "E-RSK-002",
  })
})

test("an empty allow list rejects", () => {
  const rules = rulesOf({ enable: true, key_gen: { reject_all: false } })
  const request = {
    type: "key_gen",
    taskId: "t",
    extraInfo: {},
    groupId: "g",
    curve: "ed25519",
    threshold: 2,
    nodeIds: ["a", "b"],
  } as const
  expect(evaluate(rules, request, noUsage, NOW).verdict.code).toBe("E-RSK-004")
})

test("every rule is listed, also after the first denial", () => {
  const rules = rulesOf({
    enable: true,
    key_sign: { reject_all: true, curves: ["ed25519"], max_batch: 1, signature_types: ["ECDSA"] },
  })
  const { verdict } = evaluate(rules, signRequest(), noUsage, NOW)
  expect(verdict.code).toBe("E-RSK-003")
  expect(verdict.rules.map((r) => [r.rule, r.outcome])).toEqual([
    ["key_sign.reject_all", "deny"],
    ["key_sign.signature_types", "allow"],
    ["key_sign.curves", "deny"],
    ["key_sign.max_batch", "allow"],
  ])
})

const hourly = (max: number) =>
  rulesOf({
    enable: true,
    key_sign: { reject_all: false, limits: [{ name: "hourly", per: "all", window: "1h", max }] },
  })

test("a limit counts what was used and what is asked, and debits it", () => {
  const two = signRequest({ messages: [1, 2].map((i) => ({ path: [44, i], hash: "0x" })) })
  const usage = { ...noUsage, count: (_: string, since: number) => (since === NOW - 3_600_000 ? 3 : Number.NaN) }
  expect(evaluate(hourly(5), two, usage, NOW)).toMatchObject({
    verdict: { action: "approve" },
    debits: [{ counter: "sign/all", amount: 2 }],
  })
  expect(evaluate(hourly(4), two, usage, NOW)).toMatchObject({ verdict: { code: "E-RSK-011" }, debits: [] })
})

test.each([
  [
    "throws",
    () => {
      throw new Error("disk")
    },
  ],
  ["is not a number", () => Number.NaN],
  ["is negative", () => -1],
  ["is infinite", () => Number.NEGATIVE_INFINITY],
])("a counter that %s is an error, and an error rejects", (_, count) => {
  const { verdict, debits } = evaluate(hourly(5), signRequest(), { ...noUsage, count }, NOW)
  expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-001" })
  expect(verdict.rules.find((r) => r.rule === "key_sign.limits.hourly")?.outcome).toBe("error")
  expect(debits).toEqual([])
})

test.each([Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY])("the time %p is an error", (now) => {
  expect(evaluate(rulesOf(open), signRequest(), noUsage, now).verdict.code).toBe("E-RSK-001")
})

test("a kind of request that does not exist is an error", () => {
  const strange = { ...signRequest(), type: "key_burn" } as unknown as ReturnType<typeof signRequest>
  expect(evaluate(rulesOf(open), strange, noUsage, NOW).verdict).toMatchObject({ action: "reject", code: "E-RSK-001" })
})

test("what could not be read is rejected, with the rules on or off", () => {
  const unreadable = { type: "unreadable", taskId: "t", problem: "no group" } as const
  for (const rules of [rulesOf(open), RULES_OFF]) {
    expect(evaluate(rules, unreadable, noUsage, NOW).verdict).toMatchObject({ action: "reject", code: "E-RSK-016" })
  }
})

test("a rule that answers nothing, or nonsense, has not approved", () => {
  const key = "strange"
  const strange = (answers: readonly object[]): Rules => {
    const rule = defineRule({
      key,
      sections: ["key_sign"],
      doc: "For this test.",
      schema: Type.Boolean({ expected: "true or false" }),
      absent: "not asked",
      check: () => JSON.parse(JSON.stringify(answers)),
      allows: () => true,
      refuses: (request) => ({ setting: true, request }),
    }).bind("key_sign", { [key]: true }, NO_NAMES)
    const rules = rule === undefined ? [] : [rule]
    return {
      enable: true,
      sections: { ...RULES_OFF.sections, key_sign: { section: "key_sign", written: {}, rules, renamed: [] } },
      names: NO_NAMES,
    }
  }
  const ask = (answers: readonly object[]) => evaluate(strange(answers), signRequest(), noUsage, NOW).verdict
  expect(ask([{ outcome: "allow", reason: "", debits: [] }]).action).toBe("approve")
  expect(ask([])).toMatchObject({ action: "reject", code: "E-RSK-001" })
  for (const outcome of [true, "yes", "ALLOW", 1, undefined])
    expect(ask([{ outcome, reason: "", debits: [] }])).toMatchObject({ action: "reject", code: "E-RSK-001" })
  expect(
    evaluate(
      {
        ...strange([]),
        sections: { ...RULES_OFF.sections, key_sign: { section: "key_sign", written: {}, renamed: [], rules: [] } },
      },
      signRequest(),
      noUsage,
      NOW,
    ).verdict.code,
  ).toBe("E-RSK-001")
})

test("200 rules are all asked", () => {
  const limits = Array.from({ length: 200 }, (_, i) => ({
    name: `l${i}`,
    per: "group",
    window: "1h",
    max: i === 77 ? 0 : 9,
  }))
  const { verdict } = evaluate(
    rulesOf({ enable: true, key_sign: { reject_all: false, limits } }),
    signRequest(),
    noUsage,
    NOW,
  )
  expect(verdict.rules.length).toBe(201)
  expect(verdict.rules.filter((r) => r.outcome === "deny").map((r) => r.rule)).toEqual(["key_sign.limits.l77"])
})
