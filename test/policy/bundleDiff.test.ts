/** What a bundle changes: no change that lets a request pass is ever called tighter. The judge is the evaluation itself. */
import { expect, test } from "bun:test"
import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"
import { policyChanges } from "../../src/policy/bundleDiff.ts"
import { entriesOf, isSame } from "../../src/policy/bundleEntries.ts"
import type { Usage } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { intentSchema } from "../../src/policy/intentTable.ts"
import { namesIn } from "../../src/policy/names.ts"
import type { PolicyRequest, Section } from "../../src/policy/request.ts"
import { SECTIONS } from "../../src/policy/request.ts"
import { checkRules, type Rules, rulesOf as rulesIn } from "../../src/policy/schema.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { SeededRandom } from "../support/seededRandom.ts"
import { INTENT, intentRequest, section } from "./intentSamples.ts"
import { NOW, randomRequest } from "./samples.ts"

const RUNS = process.env["COSIGNER_LONG"] === "1" ? 20_000 : 150
const NAMES = namesIn(Value.Decode(intentSchema, withDefaults(intentSchema, INTENT)))
type Table = Readonly<Record<string, unknown>>

const rulesOf = (table: Table) => {
  const checked = checkRules(table, NAMES)
  return checked.ok ? checked.rules : undefined
}
const used = (count: number, sum: bigint): Usage => ({ count: () => count, sum: () => sum, replaced: () => undefined })
const USAGES = [used(0, 0n), used(1, 100_000n), used(7, 400_000n)]

/** Undefined, or a request that passes after and did not before although nothing is said to loosen. */
function loosened(before: Table, after: Table, requests: readonly PolicyRequest[]): unknown {
  const [old, young] = [rulesOf(before), rulesOf(after)]
  if (old === undefined || young === undefined) return undefined
  const changes = policyChanges({ embedded_risk_control_rules: before }, { embedded_risk_control_rules: after })
  if (changes.some(({ tendency }) => tendency === "loosens")) return undefined
  for (const request of requests) {
    for (const usage of USAGES) {
      const passes = (rules: Rules): boolean => evaluate(rules, request, usage, NOW).verdict.action === "approve"
      if (passes(young) && !passes(old)) return { changes, request }
    }
  }
  return undefined
}

// ---- mutations ---------------------------------------------------------------------------------------------------------

type Pick = (below: number) => number

/** Takes something away, doubles, swaps or replaces a part, anywhere. */
function mutated(value: unknown, donor: unknown, pick: Pick): unknown {
  if (pick(4) === 0 && donor !== undefined) return donor
  if (Array.isArray(value)) {
    const at = pick(Math.max(1, value.length))
    const others: readonly unknown[] = Array.isArray(donor) ? donor : []
    const choice = pick(4)
    if (choice === 0) return value.filter((_, i) => i !== at)
    if (choice === 1) return [...value, ...others.slice(0, 1)]
    return value.map((item, i) => (i === at ? mutated(item, others[pick(Math.max(1, others.length))], pick) : item))
  }
  if (typeof value === "object" && value !== null) {
    const keys = [...new Set([...Object.keys(value), ...Object.keys(Object(donor))])].sort()
    const key = keys[pick(Math.max(1, keys.length))] ?? ""
    const { [key]: inner, ...rest } = { ...value } as Record<string, unknown>
    const other = Reflect.get(Object(donor), key)
    if (inner === undefined) return other === undefined ? value : { ...rest, [key]: other }
    return pick(3) === 0 ? rest : { ...rest, [key]: mutated(inner, other, pick) }
  }
  if (typeof value === "number") return Math.max(0, value + [-1, 1, 10, -10][pick(4)]!)
  if (typeof value === "boolean") return !value
  if (typeof value === "string")
    return value.replace(/\d+/, (digits) => `${Math.max(0, Number(digits) + [-1, 1][pick(2)]!)}`)
  return value
}

/** One key of one entry of one list, taken from an entry of the donor, or away. */
function oneKey(table: Table, donor: Table, pick: Pick): Table {
  const list = ["allow", "deny", "limits"].filter((key) => Array.isArray(table[key]) && Array.isArray(donor[key]))
  const name = list[pick(Math.max(1, list.length))]
  if (name === undefined) return table
  const [own, others] = [entriesOf(table[name]), entriesOf(donor[name])]
  const [at, from] = [pick(Math.max(1, own.length)), others[pick(Math.max(1, others.length))] ?? {}]
  const keys = [...new Set([...Object.keys(own[at] ?? {}), ...Object.keys(from)])]
    .filter((key) => key !== "name")
    .sort()
  const key = keys[pick(Math.max(1, keys.length))] ?? ""
  const changed = own.map((entry, i) => {
    const { [key]: _, ...rest } = entry
    return i !== at ? entry : from[key] === undefined || pick(5) === 0 ? rest : { ...rest, [key]: from[key] }
  })
  return { ...table, [name]: changed }
}

test("over payloads: allow, deny, limits", () => {
  let judged = 0
  fc.assert(
    fc.property(
      section,
      section,
      fc.array(fc.nat(1_000_000), { minLength: 24, maxLength: 24 }),
      fc.array(intentRequest, { minLength: 3, maxLength: 6 }),
      (one, donor, choices, requests) => {
        let at = 0
        const pick = (below: number) => (choices[at++ % choices.length] ?? 0) % below
        let after: unknown = { reject_all: false, ...one }
        after = pick(4) > 0 ? oneKey({ reject_all: false, ...one }, donor, pick) : mutated(after, donor, pick)
        const before = { enable: true, key_sign: { reject_all: false, ...one } }
        const young = { enable: true, key_sign: after } as Table
        const found = loosened(before, young, requests)
        if (
          policyChanges({ embedded_risk_control_rules: before }, { embedded_risk_control_rules: young }).every(
            ({ tendency }) => tendency === "tightens",
          )
        )
          judged++
        expect(found).toBeUndefined()
      },
    ),
    { numRuns: RUNS, seed: 15 },
  )
  expect(judged).toBeGreaterThan(RUNS / 10)
}, 600_000)

test("over every rule in every section", () => {
  const random = new SeededRandom(15)
  const pick = (below: number) => random.below(below)
  const tableFor = (name: Section, request: PolicyRequest): Table =>
    Object.fromEntries(
      rulesIn(name).flatMap((rule) => {
        if (rule.key !== "reject_all" && pick(3) === 0) return []
        if (pick(4) === 0) return [[rule.key, rule.refuses(request, NOW, pick).setting]]
        return [[rule.key, rule.allows(request, NOW, pick)]]
      }),
    )
  const seen = { tightens: 0, loosens: 0 }
  for (let n = 0; n < RUNS * 3; n++) {
    const name = SECTIONS[n % SECTIONS.length]!
    const requests = Array.from({ length: 3 }, () => randomRequest(name, random))
    const one = tableFor(name, requests[0]!)
    const before = { enable: true, [name]: one }
    const after = { enable: pick(20) > 0, [name]: mutated(one, tableFor(name, requests[1]!), pick) }
    expect(loosened(before, after, requests)).toBeUndefined()
    for (const { tendency } of policyChanges(
      { embedded_risk_control_rules: before },
      { embedded_risk_control_rules: after },
    ))
      seen[tendency]++
  }
  expect(Math.min(seen.tightens, seen.loosens)).toBeGreaterThan(RUNS / 10)
}, 600_000)

test("of every rule, where all others let both requests pass", () => {
  const random = new SeededRandom(16)
  const pick = (below: number) => random.below(below)
  /** What lets either pass. */
  const both = (a: unknown, b: unknown): unknown =>
    Array.isArray(a) && Array.isArray(b)
      ? [...a, ...b.filter((item) => !a.some((one) => isSame(one, item)))]
      : typeof a === "number"
        ? Math.max(a, Number(b))
        : a
  for (const name of SECTIONS) {
    for (const rule of rulesIn(name)) {
      for (let n = 0; n < RUNS / 10; n++) {
        const [one, other] = [randomRequest(name, random), randomRequest(name, random)]
        const others = Object.fromEntries(
          rulesIn(name).flatMap(({ key, allows }) => {
            // a list that both must be wholly in, and entries with the same name, say something else together
            if (["required_node_ids", "allow", "limits", "require"].includes(key)) return []
            return [[key, both(allows(one, NOW, pick), allows(other, NOW, pick))]]
          }),
        )
        const settings = [
          undefined,
          [],
          rule.allows(one, NOW, pick),
          rule.allows(other, NOW, pick),
          both(rule.allows(one, NOW, pick), rule.allows(other, NOW, pick)),
          rule.refuses(one, NOW, pick).setting,
          rule.refuses(other, NOW, pick).setting,
        ]
        const tableWith = (setting: unknown) => {
          const { [rule.key]: _, ...rest } = others
          return { enable: true, [name]: setting === undefined ? rest : { ...rest, [rule.key]: setting } }
        }
        const [before, after] = [tableWith(settings[pick(settings.length)]), tableWith(settings[pick(settings.length)])]
        expect(loosened(before, after, [one, other])).toBeUndefined()
      }
    }
  }
}, 600_000)

test("a limit that counts approvals by now counts on another counter, which may be empty", () => {
  const limit = (approvals?: boolean) =>
    sign({ limits: [{ name: "daily", per: "all", window: "1d", asset: "ETH", max_amount: "1 ETH", approvals }] })
  for (const [before, after] of [
    [false, true],
    [false, undefined],
    [true, false],
  ] as const) {
    expect(of(limit(before), limit(after))).toEqual(["embedded_risk_control_rules.key_sign.limits[daily] loosens"])
  }
  expect(of(limit(true), limit(undefined))).toEqual([])
})

// ---- what is said of it ------------------------------------------------------------------------------------------------

const of = (before: object, after: object) =>
  policyChanges({ ...before }, { ...after }).map(({ where, tendency }) => `${where} ${tendency}`)
const sign = (over: object, enable = true) => ({
  embedded_risk_control_rules: { enable, key_sign: { reject_all: false, ...over } },
})

test("each part is named with what it does", () => {
  const payout = { name: "payout", effects: ["transfer"], to: ["@exchange"], max_amount: ["2 ETH"] }
  expect(of(sign({ allow: [payout] }), sign({ allow: [{ ...payout, max_amount: ["1.5 ETH"] }] }))).toEqual([
    "embedded_risk_control_rules.key_sign.allow[payout] tightens",
  ])
  expect(of(sign({ allow: [payout] }), sign({ allow: [{ ...payout, to: ["@exchange", "@other"] }] }))).toEqual([
    "embedded_risk_control_rules.key_sign.allow[payout] loosens",
  ])
  expect(of(sign({ allow: [payout] }), sign({ allow: [payout, { ...payout, name: "more" }] }))).toEqual([
    "embedded_risk_control_rules.key_sign.allow[more] loosens",
  ])
  const fees = (over: object) =>
    of(sign({ allow: [{ ...payout, max_fee: ["2 ETH", "1 BTC"] }] }), sign({ allow: [{ ...payout, ...over }] }))
  expect(
    [fees({}), fees({ max_fee: ["1 ETH"] }), fees({ max_fee: ["3 ETH", "1 BTC"] }), fees({ max_fee: ["any"] })].flat(),
  ).toEqual([
    "embedded_risk_control_rules.key_sign.allow[payout] tightens",
    "embedded_risk_control_rules.key_sign.allow[payout] tightens",
    "embedded_risk_control_rules.key_sign.allow[payout] loosens",
    "embedded_risk_control_rules.key_sign.allow[payout] loosens",
  ])
  for (const more of [{ unbounded_fee: true }, { memo: "any" }, { of_tomorrow: 1 }]) {
    expect(of(sign({ allow: [payout] }), sign({ allow: [{ ...payout, ...more }] }))).toEqual([
      "embedded_risk_control_rules.key_sign.allow[payout] loosens",
    ])
  }
  expect(of(sign({}), sign({}, false))).toEqual(["embedded_risk_control_rules.enable loosens"])
  expect(of({}, { embedded_risk_control_rules: { enable: true } })).toEqual([
    "embedded_risk_control_rules.enable tightens",
  ])
  const people = { group: "treasury", min: 2, above: "50000 USDC" }
  expect(of(sign({ require: [people] }), sign({ require: [{ ...people, min: 3, above: "1 USDC" }] }))).toEqual([
    "embedded_risk_control_rules.key_sign.require[of treasury] tightens",
  ])
  expect(of(sign({ require: [people] }), sign({ require: [{ ...people, min: 1 }] }))).toEqual([
    "embedded_risk_control_rules.key_sign.require[of treasury] loosens",
  ])
})

test("what stands beside the rules", () => {
  const servers = (...addresses: readonly string[]) => ({
    callback: { cb_server_v2: addresses.map((service_address) => ({ service_address, pubkey_path: "k" })) },
  })
  expect(of(servers("a"), servers("a", "b"))).toEqual(["callback.cb_server_v2[b] tightens"])
  expect(of(servers("a", "b"), servers("a"))).toEqual(["callback.cb_server_v2[b] loosens"])
  expect(of({ files: { k: "one" } }, { files: { k: "two" } })).toEqual(['files."k" loosens'])
  expect(of({ danger_allow_unguarded_signing: true }, {})).toEqual(["danger_allow_unguarded_signing tightens"])
  expect(of({}, { db: { danger_allow_readable_key_file: true } })).toEqual([
    "db.danger_allow_readable_key_file loosens",
  ])
  expect(of({ websocket: { waas_public_key: "aa" } }, { websocket: { waas_public_key: "bb" } })).toEqual([
    "websocket.waas_public_key loosens",
  ])
  expect(of({ intent: {} }, { intent: { addresses: [] } })).toEqual(["intent loosens"])
  expect(
    of({ approver_groups: [{ name: "g", members: ["a", "b"] }] }, { approver_groups: [{ name: "g", members: ["a"] }] }),
  ).toEqual(["approver_groups loosens"])
  const header = { owners: "o", min: 2, unfreeze_min: 2, delay_ms: 10 }
  expect(of({ bundle: header }, { bundle: { ...header, min: 3, delay_ms: 20 } })).toEqual([
    "bundle.min tightens",
    "bundle.delay_ms tightens",
  ])
  expect(of({ bundle: header }, { bundle: { ...header, min: 1, leave: true } })).toEqual([
    "bundle.min loosens",
    "bundle.leave loosens",
  ])
})
