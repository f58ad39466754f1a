/**
 * Hundreds of entries are not each asked of each effect (plans.ts): the answers are those of a judge that does ask each of each,
 * for random policies over every condition that there is.
 */
import { expect, test } from "bun:test"
import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"
import { utf8 } from "../../src/bytes.ts"
import { isAbiProblem, readAbi } from "../../src/intent/evm/abiJson.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { viewOf } from "../../src/policy/effectView.ts"
import {
  coversFee,
  matchesEffect,
  matchesReading,
  missedByEffect,
  missedByReading,
  momentOf,
  resolveAllow,
  resolveDeny,
} from "../../src/policy/entry.ts"
import type { AllowEntry, DenyEntry } from "../../src/policy/entrySchema.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { initiatorsOf } from "../../src/policy/initiators.ts"
import { intentSchema } from "../../src/policy/intentTable.ts"
import { namesIn } from "../../src/policy/names.ts"
import { NO_PEOPLE, NOBODY } from "../../src/policy/people.ts"
import type { Intent } from "../../src/policy/request.ts"
import { allow, clocks } from "../../src/policy/rules/allow.ts"
import { deny } from "../../src/policy/rules/deny.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { ALICE, BOB, CAROL, ETH, INTENT, OWN, TOKEN, USDC } from "./intentSamples.ts"
import { NOW, signRequest } from "./samples.ts"

const RUNS = process.env["COSIGNER_LONG"] === "1" ? 200_000 : 10_000

const abi = readAbi(utf8('[{"name":"pay","inputs":[{"name":"to","type":"address"}]},{"name":"stop","inputs":[]}]'))
if (isAbiProblem(abi)) throw new Error(abi.why)
const ROUTER = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
const TABLE = {
  ...INTENT,
  contracts: [...INTENT.contracts, { name: "router", chain: "eip155:1", address: ROUTER, abi: "router.json" }],
}
const NAMES = namesIn(Value.Decode(intentSchema, withDefaults(intentSchema, TABLE)), new Map([["router.json", abi]]))
const selectorOf = (name: string) => [...abi].find(([, found]) => found.name === name)?.[0] ?? "0x"

// ---- effects -------------------------------------------------------------------------------------------------------------

const account = fc.constantFrom(ALICE, BOB, CAROL, OWN, { unresolved: "?" })
const asset = fc.constantFrom(ETH, ETH, USDC, "eip155:1/erc20:0xdddddddddddddddddddddddddddddddddddddddd", {
  unresolved: "?",
})
const called = (name: string, hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(`${selectorOf(name).slice(2)}${hex}`, "hex"))
const callData = fc.oneof(
  fc.constantFrom(BOB, CAROL, OWN).map((to) => called("pay", to.slice(2).toLowerCase().padStart(64, "0"))),
  fc.constantFrom(called("stop", ""), called("stop", "00"), utf8("else")),
)
const moves: fc.Arbitrary<Effect> = fc.oneof(
  fc.record({
    kind: fc.constant("transfer" as const),
    from: fc.constant(ALICE),
    to: account,
    asset,
    amount: fc.bigInt(0n, 6n),
  }),
  fc.record({
    kind: fc.constantFrom("approve" as const, "permit" as const),
    from: fc.constant(ALICE),
    spender: account,
    asset,
    amount: fc.bigInt(0n, 6n),
  }),
)
const calls: fc.Arbitrary<Effect> = fc
  .record({
    kind: fc.constantFrom("call" as const, "delegatecall" as const),
    to: fc.constantFrom(ROUTER, TOKEN),
    data: callData,
  })
  .map(({ kind, to, data }) => {
    const selector = `0x${Buffer.from(data.subarray(0, 4)).toString("hex")}`
    return { kind, from: ALICE, to, data, selector, value: 0n } as Effect
  })
const typed: fc.Arbitrary<Effect> = fc.record({
  kind: fc.constant("typed_data" as const),
  from: fc.constant(ALICE),
  to: account,
  domain: fc.constant("D"),
  primaryType: fc.constant("Mail"),
  encodeType: fc.constantFrom("Mail(address to)", "Mail(bytes32 x)"),
  hash: fc.constant(utf8("h")),
})
const delegations: fc.Arbitrary<Effect> = fc.record({
  kind: fc.constant("delegate_7702" as const),
  from: fc.constant(ALICE),
  delegate: account,
  chain: fc.constantFrom("eip155:1", "eip155:*", "eip155:8453"),
  nonce: fc.constant(1n),
})
const others = fc.constantFrom<Effect>({ kind: "self", from: ALICE }, { kind: "memo", data: utf8("lunch") })
/** Of one kind as often as mixed: only alike effects share a plan. */
const effects = fc
  .constantFrom(moves, calls, typed, delegations, fc.oneof(moves, calls, typed, delegations, others))
  .chain((one) => fc.array(one, { minLength: 1, maxLength: 3 }))
const intent: fc.Arbitrary<Intent> = fc
  .record({
    chain: fc.constantFrom("eip155:1", "eip155:1", "eip155:8453", "eip155:*"),
    effects,
    fee: fc.constantFrom(0n, 2n, 5n),
  })
  .map(({ chain, effects: list, fee }) => {
    const reading: Reading = {
      format: "evm/transaction",
      chain,
      from: [ALICE],
      effects: list,
      fee: { max: fee, asset: ETH, unbounded: false },
      signs: [{ path: [44, 60, 0, 0, 5], bytes: new Uint8Array(32) }],
    }
    return { reading, accounts: new Map([[OWN, { ownPath: [44, 60, 0, 0, 7] }]]) }
  })

// ---- policies ------------------------------------------------------------------------------------------------------------

const KINDS = ["transfer", "approve", "permit", "call", "delegatecall", "typed_data", "delegate_7702", "self", "memo"]
const some = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 1, arbitrary: value }, { weight: 5, arbitrary: fc.constant(undefined) })
const drop = (table: object) => Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))
const wei = (n: bigint) => `0.${String(n).padStart(18, "0")} ETH`
const conditions = {
  chains: some(fc.subarray(["eip155:1", "eip155:8453", "eip155:*"], { minLength: 1 })),
  assets: some(
    fc.subarray(["ETH", "USDC", "eip155:1/erc20:0xdddddddddddddddddddddddddddddddddddddddd"], { minLength: 1 }),
  ),
  to: some(fc.subarray(["@exchange", "@cold", "@own:m/44/60/0/0/*", BOB, "@router"], { minLength: 1 })),
  contracts: some(fc.subarray(["@router", "@usdc", ROUTER], { minLength: 1 })),
  selectors: some(fc.subarray([selectorOf("pay"), "stop()", "0x656c7365"], { minLength: 1 })),
  types: some(fc.subarray(["Mail(address to)", "Mail(bytes32 x)"], { minLength: 1 })),
  arguments: some(
    fc.subarray(["@exchange", "@own:m/44/60/0/0/*", CAROL], { minLength: 1 }).map((list) => [{ name: "to", in: list }]),
  ),
  initiators: some(fc.constantFrom(["ops"], ["eve"])),
}
const kinds = fc.uniqueArray(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 8 })
const allowRow = fc.record({
  effects: kinds,
  ...conditions,
  max_amount: some(fc.bigInt(0n, 6n).map((n) => [wei(n), "any USDC"])),
  max_fee: some(fc.constantFrom(["any"], [wei(3n)])),
  memo: some(fc.constant("any")),
})
const denyRow = fc.record({ effects: some(kinds), ...conditions })
const named = (rows: readonly object[]) =>
  rows
    .map((row, i) => ({ name: `e${i}`, ...drop(row) }))
    // A selector of another function than the one with the argument is a broken entry.
    .filter(
      (row) => !("arguments" in row && "selectors" in row && !String(row["selectors"]).includes(selectorOf("pay"))),
    )
    .filter((row) => !("arguments" in row && "contracts" in row && !/router|0x68/.test(String(row["contracts"]))))

/** Each entry asked of each effect. */
function judge(
  allows: readonly AllowEntry[],
  denies: readonly DenyEntry[],
  one: Intent,
  initiators: readonly string[],
) {
  const moment = momentOf(one, initiators, clocks(NOW))
  const views = one.reading.effects.map((each) => viewOf(each, one, NAMES))
  const refuses = denies.some((row) => {
    const resolved = resolveDeny(row, NAMES)
    if ("broken" in resolved) throw new Error(resolved.broken)
    return matchesReading(resolved.entry, moment) && views.some((view) => matchesEffect(resolved.entry, view))
  })
  const entries = allows.map((row) => {
    const resolved = resolveAllow(row, NAMES)
    if ("broken" in resolved) throw new Error(resolved.broken)
    return resolved.entry
  })
  const covers = (entry: (typeof entries)[number], view: (typeof views)[number]) =>
    missedByReading(entry, moment) === undefined && missedByEffect(entry, view, NAMES) === undefined
  const all = views.every(
    (view) =>
      entries.some((entry) => covers(entry, view)) ||
      (view.effect.kind === "memo" &&
        entries.some((entry) => entry.anyMemo && views.some((v) => v.effect.kind !== "memo" && covers(entry, v)))),
  )
  const fee =
    one.reading.fee.max === 0n ||
    entries.some((entry) => coversFee(entry, one.reading.fee) && views.some((view) => covers(entry, view)))
  return { allowed: all && fee, denied: refuses }
}

test(`${RUNS} random policies: what is asked once for many is answered as if it were asked of each`, () => {
  const seen = { allowed: 0, denied: 0, neither: 0 }
  fc.assert(
    fc.property(
      fc.array(allowRow, { minLength: 1, maxLength: 8 }).map(named),
      fc.array(denyRow, { maxLength: 3 }).map(named),
      intent,
      fc.constantFrom("ops", undefined),
      (allowRows, denyRows, one, initiator) => {
        const checked = checkRules(
          { enable: true, key_sign: { reject_all: false, allow: allowRows, deny: denyRows } },
          NAMES,
        )
        if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
        const section = checked.rules.sections.key_sign
        if (section === undefined) throw new Error("there is a section")
        const extraInfo = initiator === undefined ? {} : { transaction: { initiator } }
        const request = signRequest({
          intents: [one],
          extraInfo,
          messages: [{ path: [44, 60, 0, 0, 5], hash: "0x", payload: 0 }],
        })
        const { verdict } = evaluate(checked.rules, request, NO_USAGE, NOW)
        const outcome = (rule: string) => verdict.rules.find((answer) => answer.rule === `key_sign.${rule}`)?.outcome
        const wanted = judge(
          allow.valueIn(section) ?? [],
          deny.valueIn(section) ?? [],
          one,
          initiatorsOf(request.extraInfo, NO_PEOPLE, NOBODY),
        )
        expect([outcome("allow"), outcome("deny") ?? "allow"]).toEqual([
          wanted.allowed ? "allow" : "deny",
          wanted.denied ? "deny" : "allow",
        ])
        seen[wanted.denied ? "denied" : wanted.allowed ? "allowed" : "neither"]++
      },
    ),
    { numRuns: RUNS },
  )
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(RUNS / 50)
}, 3_600_000)

/** What the rules say to one transfer of this much ether. */
function verdictOf(list: readonly object[], amount: bigint) {
  const checked = checkRules({ enable: true, key_sign: { reject_all: false, allow: list } }, NAMES)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  const path = [44, 60, 0, 0, 5]
  const one: Intent = {
    reading: {
      format: "evm/transaction",
      chain: "eip155:1",
      from: [ALICE],
      effects: [{ kind: "transfer", from: ALICE, to: BOB, asset: ETH, amount }],
      fee: { max: 0n, asset: ETH, unbounded: false },
      signs: [{ path, bytes: new Uint8Array(32) }],
    },
    accounts: new Map(),
  }
  const request = signRequest({ intents: [one], messages: [{ path, hash: "0x", payload: 0 }] })
  return evaluate(checked.rules, request, NO_USAGE, NOW).verdict
}
const bounded = (name: string, most: bigint) => ({ name, effects: ["transfer"], max_amount: [wei(most)] })

test("which entry is named does not depend on the order in the file", () => {
  const rows = ["c", "a", "b"].map((name) => bounded(name, 5n))
  const reasons = [rows, rows.toReversed()].map((list) => verdictOf(list, 5n).rules)
  expect(reasons[0]).toEqual(reasons[1] ?? [])
  expect(JSON.stringify(reasons[0])).toContain("covered by a")
})

test.each([
  [3n, "covered by a"],
  [5n, "covered by a"],
  [6n, "covered by d"],
  [9n, "covered by d"],
  [10n, "is covered by no entry"],
])("a smaller bound behind a larger one hides nothing: %p", (amount, said) => {
  const rows = [bounded("a", 5n), bounded("b", 3n), bounded("c", 2n), bounded("d", 9n), bounded("e", 1n)]
  expect(JSON.stringify(verdictOf(rows, amount).rules)).toContain(said)
})
