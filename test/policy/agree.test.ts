/** The evaluator agrees with the slow, obvious one of reference.ts; order of anything changes nothing. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import type { PolicyRequest } from "../../src/policy/request.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"
import { reference } from "./reference.ts"

const SEED = 20_261_122
// Each rule set is asked with several requests: 100 000 cases in all.
const SETS = 5_000
const REQUESTS = 20

const nodes = ["n1", "n2", "n3", "n4"]
const groups = ["g1", "g2", "g3"]
const roots = ["xpubA", "xpubB"]
const NOW = 1_795_340_699_000

const maybe = <T>(arb: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 1, arbitrary: arb }, { weight: 2, arbitrary: fc.constant(undefined) })
const subset = <T>(ts: readonly T[]) => fc.subarray([...ts], { minLength: 0 })
const shuffled = <T>(ts: readonly T[]) => fc.shuffledSubarray([...ts], { minLength: 1 })
const pattern = fc.constantFrom(
  "m/44/60/0-2/0/0-9",
  "m/44/*/0/0/*",
  "m/**",
  "m/44/**",
  "m",
  "m/84/0/0/1/7",
  "m/86/0-1/**",
)
const zone = fc.constantFrom("UTC", "Europe/Zurich", "America/New_York", "Asia/Kolkata", "Pacific/Auckland")

const window = fc.record(
  {
    zone,
    days: subset(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
    from: fc.constantFrom("00:00", "06:30", "09:00"),
    to: fc.constantFrom("12:00", "17:45", "24:00"),
  },
  { requiredKeys: ["zone"] },
)
const limit = fc
  .record({
    per: fc.constantFrom("all", "group", "path_prefix"),
    path_prefix: fc.constantFrom("m/44/60", "m/44", "m/86"),
    window: fc.constantFrom("1h", "24h", "1d", "7d"),
    max: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ path_prefix, ...rest }) => (rest.per === "path_prefix" ? { ...rest, path_prefix } : rest))
const limitList = fc
  .array(limit, { maxLength: 4 })
  .map((list) => list.map((one, i) => ({ ...one, name: `limit${(i * 7) % 5}` })))
const mostlyFalse = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) })

const common = {
  reject_all: mostlyFalse,
  time_windows: maybe(fc.array(window, { maxLength: 3 })),
  extra_info_present: maybe(subset(["transaction", "transaction.raw_tx_info", "org.org_id"])),
}
const threshold = fc.integer({ min: 1, max: 2 })
const drop = (table: object) => Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))
const keyGen = fc.record({
  ...common,
  allow_list: maybe(
    fc.array(fc.record({ threshold, node_ids: fc.shuffledSubarray(nodes, { minLength: 2 }) }), { maxLength: 4 }),
  ),
  curves: maybe(subset(["secp256k1", "ed25519"])),
})
const usedNodes = {
  required_node_ids: maybe(subset(nodes.slice(0, 2))),
  forbidden_node_ids: maybe(subset(nodes.slice(2))),
}
const keySign = fc.record({
  ...common,
  ...usedNodes,
  allowed_groups: maybe(subset(groups)),
  allowed_root_keys: maybe(subset(roots)),
  signature_types: maybe(subset(["ECDSA", "EdDSA", "Schnorr"])),
  curves: maybe(subset(["secp256k1", "ed25519"])),
  allowed_paths: maybe(fc.array(pattern, { maxLength: 3 })),
  max_batch: maybe(fc.integer({ min: 1, max: 4 })),
  limits: maybe(limitList),
})
const keyReshare = fc.record({
  ...common,
  ...usedNodes,
  allow_list: maybe(
    fc.array(
      fc.record({
        xpubkey: fc.constantFrom(...roots),
        new_threshold: threshold,
        new_node_ids: fc.shuffledSubarray(nodes, { minLength: 2 }),
      }),
      { maxLength: 6 },
    ),
  ),
  curves: maybe(subset(["secp256k1", "ed25519"])),
  allowed_groups: maybe(subset(groups)),
})
const keyShareSign = fc.record({
  ...common,
  allowed_groups: maybe(subset(groups)),
  max_batch: maybe(fc.integer({ min: 1, max: 4 })),
})
const table = fc
  .record({
    enable: fc.oneof({ weight: 15, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    key_gen: maybe(keyGen.map(drop)),
    key_sign: fc.oneof({ weight: 9, arbitrary: keySign.map(drop) }, { weight: 1, arbitrary: fc.constant(undefined) }),
    key_reshare: maybe(keyReshare.map(drop)),
    key_share_sign: maybe(keyShareSign.map(drop)),
  })
  .map(drop)

const extraInfo = fc.constantFrom(
  {},
  { transaction: { raw_tx_info: { unsigned_raw_tx: "0x" } }, org: { org_id: "o" } },
  { transaction: { raw_tx_info: {} }, org: { org_id: "" } },
  { transaction: {}, org: { org_id: "o" } },
  { transaction: "x", org: null },
)
const curve = fc.constantFrom<"secp256k1" | "ed25519">("secp256k1", "ed25519")
const path = fc.constantFrom([44, 60, 0, 0, 5], [44, 60, 3, 0, 5], [84, 0, 0, 1, 7], [86, 1, 4], [], [44, 601], [44])
const base = { taskId: fc.constant("t"), extraInfo }
const request: fc.Arbitrary<PolicyRequest> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ...base,
      type: fc.constant("key_sign" as const),
      groupId: fc.constantFrom(...groups),
      rootPubKey: fc.constantFrom(...roots),
      rootKey: fc.constantFrom("secp256k1/02aa", "ed25519/bb"),
      curve,
      signatureType: fc.constantFrom("ECDSA" as const, "EdDSA" as const, "Schnorr" as const),
      usedNodeIds: shuffled(nodes),
      intents: fc.constant([]),
      messages: fc.array(fc.record({ path, hash: fc.constant("0x00") }), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...base,
      type: fc.constant("key_gen" as const),
      groupId: fc.constant("g9"),
      curve,
      threshold,
      nodeIds: fc.oneof(shuffled(nodes), fc.constant(["n1", "n1", "n2"])),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...base,
      type: fc.constant("key_reshare" as const),
      oldGroupId: fc.constantFrom(...groups),
      newGroupId: fc.constant("g9"),
      rootPubKey: fc.constantFrom(...roots),
      curve,
      usedNodeIds: shuffled(nodes),
      oldThreshold: threshold,
      newThreshold: threshold,
      newNodeIds: shuffled(nodes),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...base,
      type: fc.constant("key_share_sign" as const),
      groupIds: fc.array(fc.constantFrom(...groups), { minLength: 1, maxLength: 5 }),
    }),
  },
)
const row = fc.record({
  counter: fc.constantFrom(
    "sign/all",
    "sign/key/secp256k1/02aa",
    "sign/key/ed25519/bb",
    "sign/path/m/44/60",
    "sign/path/m/44",
    "sign/path/m/86",
  ),
  // At, just inside and just outside the edges of the windows.
  atMs: fc.constantFrom(
    ...[0, 1, 24, 168].flatMap((h) => [-1, 0, 1].map((d) => NOW - h * 3_600_000 + d)),
    NOW - 900_000_000,
  ),
  amount: fc.integer({ min: 1, max: 5 }),
})
type Row = { counter: string; atMs: number; amount: number }
const usageOf = (log: readonly Row[]) => ({
  ...NO_USAGE,
  count: (counter: string, sinceMs: number) =>
    log.reduce((sum, r) => (r.counter === counter && r.atMs >= sinceMs ? sum + r.amount : sum), 0),
})

const parsed = (raw: object): Rules => {
  const checked = checkRules(raw)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}

test("agrees with the slow evaluator on 100 000 random cases", () => {
  const seen = { approve: 0, reject: 0 }
  const denied = new Set<string>()
  fc.assert(
    fc.property(
      table,
      fc.array(request, { minLength: REQUESTS, maxLength: REQUESTS }),
      fc.array(row, { maxLength: 8 }),
      fc.integer({ min: 0, max: 365 * 24 * 60 }),
      (raw, requests, log, minutes) => {
        const rules = parsed(raw)
        const nowMs = NOW + (minutes % 3 === 0 ? 0 : minutes * 60_000)
        for (const one of requests) {
          const got = evaluate(rules, one, usageOf(log), nowMs)
          const want = reference(raw, { ...one }, log, nowMs)
          const refusing = got.verdict.rules.filter((rule) => rule.outcome !== "allow").map((rule) => rule.rule)
          expect(refusing.toSorted()).toEqual(want.denied)
          expect(got.verdict.action).toBe(want.approve ? "approve" : "reject")
          expect(Object.fromEntries(got.debits.map((d) => [d.counter, d.amount]))).toEqual(want.debits)
          seen[got.verdict.action]++
          for (const rule of refusing) denied.add(rule.replace(/limit\d$/, "*"))
        }
      },
    ),
    { seed: SEED, numRuns: SETS },
  )
  // The cases are not all of one kind, and every rule has had its say.
  expect(seen.approve + seen.reject).toBe(SETS * REQUESTS)
  expect(Math.min(seen.approve, seen.reject)).toBeGreaterThan(SETS)
  expect(denied.size).toBe(34)
}, 60_000)

test("the order of lists, sections, limits and keys changes nothing", () => {
  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed).toReversed()
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, of]) => [key, reversed(of)])
        .toReversed(),
    )
  }
  fc.assert(
    fc.property(table, request, fc.array(row, { maxLength: 8 }), (raw, one, log) => {
      const here = evaluate(parsed(raw), one, usageOf(log), NOW)
      const there = evaluate(parsed(Object(reversed(raw))), one, usageOf(log), NOW)
      expect(there.verdict.action).toBe(here.verdict.action)
      expect(there.verdict.code).toBe(here.verdict.code)
      expect(there.verdict.rules.map((r) => [r.rule, r.outcome])).toEqual(
        here.verdict.rules.map((r) => [r.rule, r.outcome]),
      )
      expect(there.debits.toSorted((a, b) => (a.counter < b.counter ? -1 : 1))).toEqual(
        here.debits.toSorted((a, b) => (a.counter < b.counter ? -1 : 1)),
      )
    }),
    { seed: SEED, numRuns: 2_000 },
  )
}, 60_000)
