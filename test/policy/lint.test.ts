import { expect, test } from "bun:test"
import { evaluate } from "../../src/policy/evaluate.ts"
import { lint } from "../../src/policy/lint.ts"
import { NO_NAMES } from "../../src/policy/names.ts"
import { checkRules, withNames } from "../../src/policy/schema.ts"
import { NOW, noUsage, rulesOf, signRequest } from "./samples.ts"

const others = {
  key_gen: { reject_all: true },
  key_reshare: { reject_all: true },
  key_share_sign: { reject_all: true },
}
const of = (table: object) => lint(rulesOf(table)).map((f) => `${f.severity} ${f.where}`)
const ofSign = (over: object) => of({ enable: true, ...others, key_sign: { reject_all: false, ...over } })
const limit = (name: string, window: string, max: number, per = "all") => ({ name, per, window, max })

test("a sound set has no finding", () => {
  const limits = [limit("hour", "1h", 10), limit("day", "1d", 100)]
  expect(ofSign({ max_batch: 10, limits, allowed_paths: ["m/44/60/**", "m/86/0"] })).toEqual([])
})

test.each<[string, object, string[]]>([
  [
    "empty lists",
    { curves: [], allowed_paths: [], allowed_groups: [] },
    ["error key_sign.allowed_groups", "error key_sign.curves", "error key_sign.allowed_paths"],
  ],
  ["no window", { time_windows: [] }, ["error key_sign.time_windows"]],
  ["an entry twice", { allowed_groups: ["g", "g"] }, ["warning key_sign.allowed_groups"]],
  [
    "a node on both lists",
    { required_node_ids: ["a"], forbidden_node_ids: ["a"] },
    ["error key_sign.required_node_ids"],
  ],
  ["types without a curve", { signature_types: ["EdDSA"], curves: ["secp256k1"] }, ["error key_sign.signature_types"]],
  [
    "one type without a curve",
    { signature_types: ["EdDSA", "ECDSA"], curves: ["secp256k1"] },
    ["warning key_sign.signature_types"],
  ],
  ["a covered pattern", { allowed_paths: ["m/44/60/0-9", "m/44/**"] }, ["warning key_sign.allowed_paths[0]"]],
  [
    "a pattern twice",
    { allowed_paths: ["m/44/*", "m/44/*"] },
    ["warning key_sign.allowed_paths", "warning key_sign.allowed_paths[1]"].slice(1),
  ],
  ["a limit of 0", { limits: [limit("none", "1h", 0)] }, ["error key_sign.limits.none"]],
  [
    "a limit that another one beats",
    { limits: [limit("hour", "1h", 100), limit("day", "1d", 50)] },
    ["warning key_sign.limits.hour"],
  ],
  ["a batch above a limit", { max_batch: 20, limits: [limit("hour", "1h", 10)] }, ["warning key_sign.limits.hour"]],
  [
    "a prefix out of reach",
    { allowed_paths: ["m/44/60/**"], limits: [{ ...limit("btc", "1h", 5, "path_prefix"), path_prefix: "m/44/0" }] },
    ["warning key_sign.limits.btc"],
  ],
  [
    "a window in a window",
    { time_windows: [{ zone: "UTC", from: "08:00", to: "10:00" }, { zone: "UTC" }] },
    ["warning key_sign.time_windows[0]"],
  ],
  [
    "a window without days",
    { time_windows: [{ zone: "UTC", days: [] }] },
    ["warning key_sign.time_windows[0]", "error key_sign.time_windows"],
  ],
])("%s", (_, over, findings) => {
  expect(ofSign(over)).toEqual(findings)
})

test("absent sections, rules below reject_all, empty allow lists, a module that is off", () => {
  expect(of({ enable: true, ...others })).toEqual(["warning key_sign"])
  expect(of({ enable: true, ...others, key_sign: { reject_all: true, max_batch: 3 } })).toEqual([
    "warning key_sign.reject_all",
  ])
  expect(of({ enable: true, ...others, key_sign: { reject_all: true }, key_gen: { reject_all: false } })).toEqual([
    "error key_gen.allow_list",
  ])
  expect(of({ enable: false, ...others })).toEqual(["warning enable"])
})

test("the same members in another order are the same entry", () => {
  const allow_list = [
    ["a", "b"],
    ["b", "a"],
  ].map((node_ids) => ({ threshold: 2, node_ids }))
  expect(
    of({ enable: true, ...others, key_sign: { reject_all: true }, key_gen: { reject_all: false, allow_list } }),
  ).toEqual(["warning key_gen.allow_list[1]"])
})

test("a rule under its former name decides as it did, and lint says how it is called now", () => {
  const table = (key: string) => ({
    enable: true,
    ...others,
    key_sign: { reject_all: false, [key]: ["transaction.raw_tx_info"] },
  })
  expect(of(table("extra_info_present"))).toEqual([])
  const [finding, ...more] = lint(rulesOf(table("extra_info_required")))
  expect(more).toEqual([])
  expect(finding).toMatchObject({ severity: "warning", where: "key_sign.extra_info_required" })
  expect(finding?.what).toContain("extra_info_present")
  // also after a reload of the names
  expect(lint(withNames(rulesOf(table("extra_info_required")), NO_NAMES))).toHaveLength(1)
  for (const key of ["extra_info_present", "extra_info_required"]) {
    const { verdict } = evaluate(rulesOf(table(key)), signRequest({ extraInfo: {} }), noUsage, NOW)
    expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-015" })
    expect(verdict.rules.find(({ outcome }) => outcome === "deny")?.rule).toBe("key_sign.extra_info_present")
  }
})

test("a rule under both of its names is a problem, since nobody can tell which is meant", () => {
  const names = ["transaction"]
  const checked = checkRules({
    enable: true,
    ...others,
    key_sign: { reject_all: false, extra_info_present: names, extra_info_required: names },
  })
  expect(checked).toMatchObject({ ok: false, problems: [{ at: ["key_sign", "extra_info_required"], got: "both" }] })
})
