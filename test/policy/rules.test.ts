/**
 * Of every rule of the list, in every section that it claims: a setting of it refuses a request that all other rules let
 * pass, so no key can be accepted that is not asked. The rules make their own cases (rule.ts, `allows` and `refuses`).
 */
import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { Type } from "@sinclair/typebox"
import { evaluate } from "../../src/policy/evaluate.ts"
import { NO_NAMES } from "../../src/policy/names.ts"
import { type PolicyRequest, SECTIONS, type Section } from "../../src/policy/request.ts"
import { type AnyRule, allow, type Draw, defineRule, deny, type RuleAnswer } from "../../src/policy/rule.ts"
import { checkRules, RULES, RULES_OFF, type Rules, rulesOf } from "../../src/policy/schema.ts"
import { SeededRandom } from "../support/seededRandom.ts"
import { NOW, noUsage, randomRequest } from "./samples.ts"

const CASES = 60

/** A section with the settings of `table`, read by the rules of `list`. Of the real list, the table must be a correct file. */
function rulesWith(list: readonly AnyRule[], section: Section, table: Readonly<Record<string, unknown>>): Rules {
  const checked = checkRules({ enable: true, [section]: table })
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  const rules = list.flatMap((rule) => rule.bind(section, table, NO_NAMES) ?? [])
  return {
    enable: true,
    sections: { ...RULES_OFF.sections, [section]: { section, written: table, rules } },
    names: NO_NAMES,
  }
}

/** Every rule of the list, set so that the request passes. */
const allowing = (list: readonly AnyRule[], request: PolicyRequest, nowMs: number, draw: Draw) =>
  Object.fromEntries(list.map((rule) => [rule.key, rule.allows(request, nowMs, draw)]))

/** Undefined, or what is wrong with the rule: the test itself, so that it can be shown to fail. */
function faultOf(rule: AnyRule, list: readonly AnyRule[], section: Section, random: SeededRandom): string | undefined {
  const draw: Draw = (below) => random.below(below)
  const nowMs = NOW + random.below(86_400_000 * 400)
  const { setting, request, usage = noUsage } = rule.refuses(randomRequest(section, random), nowMs, draw)
  const others = allowing(list, request, nowMs, draw)
  const passed = evaluate(rulesWith(list, section, others), request, noUsage, nowMs).verdict
  if (passed.action !== "approve") return `a request that all rules allow is refused: ${passed.reason}`
  const rules = rulesWith(list, section, { ...others, [rule.key]: setting })
  const { verdict, debits } = evaluate(rules, request, usage, nowMs)
  const refusing = verdict.rules.filter(({ outcome }) => outcome !== "allow").map((one) => one.rule)
  if (refusing.length === 0) return "it is not asked"
  const name = `${section}.${rule.key}`
  if (!refusing.every((one) => one === name || one.startsWith(`${name}.`)))
    return `others refuse too: ${refusing.join(", ")}`
  if (verdict.action !== "reject" || verdict.code !== rule.code)
    return `the verdict is ${verdict.action} ${verdict.code}`
  return debits.length === 0 ? undefined : "a refusal debits"
}

for (const section of SECTIONS) {
  for (const rule of rulesOf(section)) {
    test(`${section}.${rule.key} alone refuses`, () => {
      const random = new SeededRandom(20_261_130)
      for (let i = 0; i < CASES; i++) expect(faultOf(rule, rulesOf(section), section, random)).toBeUndefined()
    })
  }
}

test("a rule without a check that answers is found, and one that always allows, and one that nobody asks", () => {
  const spec = {
    key: "curves",
    sections: ["key_gen"],
    code: "E-RSK-008",
    doc: "For this test.",
    schema: Type.Array(Type.String(), { expected: "a list" }),
    absent: "not asked",
    allows: () => ["ed25519"],
  } as const
  const faultWith = (check: () => readonly RuleAnswer[], listed = true) => {
    const rule = defineRule({ ...spec, refuses: (request) => ({ setting: [], request }), check })
    const others = rulesOf("key_gen").filter(({ key }) => key !== rule.key)
    return faultOf(rule, listed ? [...others, rule] : others, "key_gen", new SeededRandom(1))
  }
  expect(faultWith(() => [])).toContain("the rule gave no answer")
  expect(faultWith(() => [allow("")])).toBe("it is not asked")
  expect(faultWith(() => [deny("")], false)).toBe("it is not asked")
  expect(faultWith(() => [deny("")])).toContain("a request that all rules allow is refused")
})

test("every file of rules/ is in the list, and no key stands twice in a section", () => {
  const files = readdirSync(join(import.meta.dir, "..", "..", "src", "policy", "rules"))
  expect(RULES.length).toBe(files.length)
  for (const section of SECTIONS) {
    const keys = rulesOf(section).map(({ key }) => key)
    expect(new Set(keys).size).toBe(keys.length)
  }
})

test("a rule is asked in the sections that it claims and is an unknown key in the others", () => {
  for (const rule of RULES) {
    for (const section of SECTIONS) {
      const random = new SeededRandom(7)
      const request = randomRequest(section, random)
      const isClaimed = rule.sections.includes(section)
      const table = allowing(rulesOf(section), request, NOW, (below) => random.below(below))
      if (!isClaimed && !rulesOf(section).some(({ key }) => key === rule.key)) {
        expect(checkRules({ enable: true, [section]: { ...table, [rule.key]: [] } }).ok).toBe(false)
      }
      if (!isClaimed) continue
      const rules = evaluate(rulesWith(rulesOf(section), section, table), request, noUsage, NOW).verdict.rules.map(
        (one) => one.rule,
      )
      expect(rules.some((name) => name.startsWith(`${section}.${rule.key}`))).toBe(true)
    }
  }
})
