import { expect, test } from "bun:test"
import { limits } from "../../src/policy/rules/limits.ts"
import { timeWindows } from "../../src/policy/rules/timeWindows.ts"
import { checkRules, RULES_OFF } from "../../src/policy/schema.ts"

const problems = (table: unknown) => {
  const checked = checkRules(table)
  return checked.ok ? [] : checked.problems.map((p) => p.at.join("."))
}
const sign = (over: object) => ({ enable: true, key_sign: { reject_all: false, ...over } })

test("nothing written is the module switched off", () => {
  expect(checkRules(undefined)).toEqual({ ok: true, rules: RULES_OFF })
  expect(checkRules({})).toEqual({ ok: true, rules: RULES_OFF })
})

test("a full set parses", () => {
  const checked = checkRules({
    enable: true,
    key_gen: { reject_all: false, allow_list: [{ threshold: 2, node_ids: ["a", "b"] }], curves: ["secp256k1"] },
    key_sign: {
      reject_all: false,
      allowed_groups: ["g"],
      allowed_root_keys: ["xpub"],
      signature_types: ["ECDSA", "Schnorr"],
      curves: ["secp256k1"],
      allowed_paths: ["m/44/60/*/0/0-99", "m/86/**"],
      max_batch: 16,
      required_node_ids: ["a"],
      forbidden_node_ids: ["z"],
      extra_info_present: ["transaction"],
      limits: [
        { name: "b", per: "path_prefix", path_prefix: "m/44/60", window: "1d", max: 100 },
        { name: "a", per: "all", window: "90m", max: 3 },
      ],
      time_windows: [{ zone: "Europe/Zurich", days: ["mon", "fri"], from: "08:00", to: "18:30" }],
    },
    key_reshare: {
      reject_all: false,
      allow_list: [{ xpubkey: "xpub", new_threshold: 2, new_node_ids: ["a", "b", "c"] }],
    },
    key_share_sign: { reject_all: false },
  })
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  const section = checked.rules.sections.key_sign
  if (section === undefined) throw new Error("no section")
  expect(limits.valueIn(section)).toMatchObject([
    { name: "a", window: 5_400_000, max: 3 },
    { name: "b", path_prefix: [44, 60], window: 86_400_000, max: 100 },
  ])
  expect(timeWindows.valueIn(section)).toMatchObject([{ from: 480, to: 1110 }])
})

test.each<[string, unknown, string[]]>([
  ["not a table", 7, [""]],
  ["a list", [], [""]],
  ["a date", new Date(0), [""]],
  ["a section that is a date", { enable: true, key_sign: new Date(0) }, ["key_sign"]],
  ["an entry that is a date", sign({ limits: [new Date(0)] }), ["key_sign.limits.0"]],
  ["a number beyond all", sign({ max_batch: 10n ** 30n }), ["key_sign.max_batch"]],
  ["a misspelt key", { enabled: true }, ["enabled"]],
  ["a misspelt section", { enable: true, key_signs: {} }, ["key_signs"]],
  ["enable as text", { enable: "yes" }, ["enable"]],
  ["a section without reject_all", { enable: true, key_sign: {} }, ["key_sign.reject_all"]],
  ["reject_all as a number", { enable: true, key_sign: { reject_all: 0 } }, ["key_sign.reject_all"]],
  ["allow_list in key_sign", sign({ allow_list: [] }), ["key_sign.allow_list"]],
  ["a list that is a text", sign({ allowed_groups: "g" }), ["key_sign.allowed_groups"]],
  ["an empty word", sign({ allowed_groups: ["g", ""] }), ["key_sign.allowed_groups.1"]],
  ["a word with a space", sign({ allowed_groups: ["g "] }), ["key_sign.allowed_groups.0"]],
  ["a curve of another name", sign({ curves: ["P-256"] }), ["key_sign.curves.0"]],
  ["a signature type in the wrong case", sign({ signature_types: ["ecdsa"] }), ["key_sign.signature_types.0"]],
  ["a hardened pattern", sign({ allowed_paths: ["m/44'/0"] }), ["key_sign.allowed_paths.0"]],
  ["a pattern without m", sign({ allowed_paths: ["44/0"] }), ["key_sign.allowed_paths.0"]],
  ["a pattern with ** inside", sign({ allowed_paths: ["m/**/0"] }), ["key_sign.allowed_paths.0"]],
  ["a range from high to low", sign({ allowed_paths: ["m/9-3"] }), ["key_sign.allowed_paths.0"]],
  ["an index of 2^31", sign({ allowed_paths: ["m/2147483648"] }), ["key_sign.allowed_paths.0"]],
  ["max_batch 0", sign({ max_batch: 0 }), ["key_sign.max_batch"]],
  ["max_batch 1.5", sign({ max_batch: 1.5 }), ["key_sign.max_batch"]],
  ["a limit without max", sign({ limits: [{ name: "a", per: "all", window: "1h" }] }), ["key_sign.limits.0.max"]],
  ["a limit without window", sign({ limits: [{ name: "a", per: "all", max: 1 }] }), ["key_sign.limits.0.window"]],
  [
    "a limit over 32 days",
    sign({ limits: [{ name: "a", per: "all", window: "32d", max: 1 }] }),
    ["key_sign.limits.0.window"],
  ],
  [
    "a limit over 30 seconds",
    sign({ limits: [{ name: "a", per: "all", window: "30s", max: 1 }] }),
    ["key_sign.limits.0.window"],
  ],
  ["a negative limit", sign({ limits: [{ name: "a", per: "all", window: "1h", max: -1 }] }), ["key_sign.limits.0.max"]],
  [
    "a limit per something else",
    sign({ limits: [{ name: "a", per: "node", window: "1h", max: 1 }] }),
    ["key_sign.limits.0.per"],
  ],
  [
    "a limit per prefix without one",
    sign({ limits: [{ name: "a", per: "path_prefix", window: "1h", max: 1 }] }),
    ["key_sign.limits.0.path_prefix"],
  ],
  [
    "a prefix where none belongs",
    sign({ limits: [{ name: "a", per: "all", path_prefix: "m/1", window: "1h", max: 1 }] }),
    ["key_sign.limits.0.path_prefix"],
  ],
  [
    "two limits of one name",
    sign({ limits: [1, 2].map((max) => ({ name: "a", per: "all", window: "1h", max })) }),
    ["key_sign.limits.1.name"],
  ],
  ["a zone that is an offset", sign({ time_windows: [{ zone: "+01:00" }] }), ["key_sign.time_windows.0.zone"]],
  ["a zone that is an abbreviation", sign({ time_windows: [{ zone: "EST" }] }), ["key_sign.time_windows.0.zone"]],
  [
    "a zone that does not exist",
    sign({ time_windows: [{ zone: "Europe/Nowhere" }] }),
    ["key_sign.time_windows.0.zone"],
  ],
  [
    "a window over midnight",
    sign({ time_windows: [{ zone: "UTC", from: "22:00", to: "06:00" }] }),
    ["key_sign.time_windows.0.to"],
  ],
  ["25 o'clock", sign({ time_windows: [{ zone: "UTC", from: "08:00", to: "25:00" }] }), ["key_sign.time_windows.0.to"]],
  [
    "an unknown key in a list",
    { enable: true, key_gen: { reject_all: false, allow_list: [{ threshold: 1, node_ids: ["a"], n: 1 }] } },
    ["key_gen.allow_list.0.n"],
  ],
  [
    "an entry without threshold",
    { enable: true, key_gen: { reject_all: false, allow_list: [{ node_ids: ["a"] }] } },
    ["key_gen.allow_list.0.threshold"],
  ],
  [
    "an entry without nodes",
    { enable: true, key_gen: { reject_all: false, allow_list: [{ threshold: 1 }] } },
    ["key_gen.allow_list.0.node_ids"],
  ],
  [
    "a threshold above the nodes",
    { enable: true, key_gen: { reject_all: false, allow_list: [{ threshold: 3, node_ids: ["a", "b"] }] } },
    ["key_gen.allow_list.0.threshold"],
  ],
  [
    "a reshare entry without xpub",
    { enable: true, key_reshare: { reject_all: false, allow_list: [{ new_threshold: 1, new_node_ids: ["a"] }] } },
    ["key_reshare.allow_list.0.xpubkey"],
  ],
])("%s is refused, with its place", (_, table, at) => {
  expect(problems(table)).toEqual(at)
})

test("all problems are reported at once, also while the module is off", () => {
  expect(problems({ enable: false, x: 1, key_sign: { curves: ["P-256"] } }).toSorted()).toEqual([
    "key_sign.curves.0",
    "key_sign.reject_all",
    "x",
  ])
})
