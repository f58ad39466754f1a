/** Entries and limits one by one: what each condition asks, what is unknown, what lint says. */
import { expect, test } from "bun:test"
import { Value } from "@sinclair/typebox/value"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { intentSchema } from "../../src/policy/intentTable.ts"
import { lint } from "../../src/policy/lint.ts"
import { chainsOf, NO_NAMES, namesIn, readerSettings } from "../../src/policy/names.ts"
import type { Intent } from "../../src/policy/request.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { problemsOf } from "../../src/settings/check.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { ALICE, BOB, BTC, CAROL, ETH, INTENT, OWN, TOKEN, USDC } from "./intentSamples.ts"
import { NOW, signRequest } from "./samples.ts"

const namesFrom = (table: object) => namesIn(Value.Decode(intentSchema, withDefaults(intentSchema, table)))
const NAMES = namesFrom(INTENT)
const rulesFrom = (keySign: object, names = NAMES) => {
  const checked = checkRules({ enable: true, key_sign: { reject_all: false, ...keySign } }, names)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}
const PATH = [44, 60, 0, 0, 5]
const intentOf = (
  effects: readonly Effect[],
  over: Partial<Reading> = {},
  accounts: Intent["accounts"] = new Map(),
): Intent => ({
  reading: {
    format: "evm/transaction",
    chain: "eip155:1",
    from: [ALICE],
    effects,
    fee: { max: 0n, asset: ETH, unbounded: false },
    nonce: "0",
    signs: [{ path: PATH, bytes: new Uint8Array(32) }],
    ...over,
  },
  accounts,
})
const codeOf = (keySign: object, intents: readonly Intent[], names = NAMES): string =>
  evaluate(
    rulesFrom(keySign, names),
    signRequest({ intents, messages: intents.map((_, payload) => ({ path: PATH, hash: "0x", payload })) }),
    NO_USAGE,
    NOW,
  ).verdict.code
const pay = (over: Partial<Extract<Effect, { kind: "transfer" }>> = {}): Effect => ({
  kind: "transfer",
  from: ALICE,
  to: BOB,
  asset: ETH,
  amount: 1n,
  ...over,
})
const only = (entry: object) => ({ allow: [{ name: "one", effects: ["transfer"], ...entry }] })
const ok = ""
const NO = "E-RSK-018"

test.each<[string, object, Intent, string]>([
  ["@name", only({ to: ["@exchange"] }), intentOf([pay()]), ok],
  ["@name in lower case", only({ to: ["@exchange"] }), intentOf([pay({ to: CAROL })]), ok],
  [
    "@name on another chain",
    only({ to: ["@exchange"], chains: ["eip155:8453"] }),
    intentOf([pay({ asset: "eip155:8453/slip44:60" })], { chain: "eip155:8453" }),
    NO,
  ],
  [
    "a bare address on another chain",
    only({ to: [BOB], chains: ["eip155:8453"] }),
    intentOf([pay({ asset: "eip155:8453/slip44:60" })], { chain: "eip155:8453" }),
    ok,
  ],
  [
    "@own of a derived address",
    only({ to: ["@own:m/44/60/0/0/*"] }),
    intentOf([pay({ to: OWN })], {}, new Map([[OWN, { ownPath: [44, 60, 0, 0, 7] }]])),
    ok,
  ],
  [
    "@own of another path",
    only({ to: ["@own:m/44/60/0/1/*"] }),
    intentOf([pay({ to: OWN })], {}, new Map([[OWN, { ownPath: [44, 60, 0, 0, 7] }]])),
    NO,
  ],
  ["@own that nobody derived", only({ to: ["@own:m/44/60/0/0/*"] }), intentOf([pay({ to: OWN })]), NO],
  [
    "@name of an own path",
    only({ to: ["@cold"] }),
    intentOf([pay({ to: OWN })], {}, new Map([[OWN, { ownPath: [44, 60, 0, 0, 7] }]])),
    ok,
  ],
  [
    "@own of Bitcoin, which the reading says",
    only({ to: ["@own:m/84/0/0/0/*"] }),
    intentOf([pay({ asset: BTC, to: "bc1qown", toPath: "m/84/0/0/0/3" })], {
      format: "bitcoin/psbt",
      chain: "bip122:000000000019d6689c085ae165831e93",
      fee: { max: 0n, asset: BTC, unbounded: false },
    }),
    ok,
  ],
  ["an unlisted token without its id", only({}), intentOf([pay({ asset: `eip155:1/erc20:${BOB.toLowerCase()}` })]), NO],
  [
    "an unlisted token by its id",
    only({ assets: [`eip155:1/erc20:${BOB}`] }),
    intentOf([pay({ asset: `eip155:1/erc20:${BOB.toLowerCase()}` })]),
    ok,
  ],
  [
    "a look-alike of a listed one",
    only({ assets: ["USDC"] }),
    intentOf([pay({ asset: `eip155:1/erc20:${CAROL.toLowerCase()}` })]),
    NO,
  ],
  ["an unresolved asset", only({}), intentOf([pay({ asset: { unresolved: "?" } })]), NO],
  ["an amount at its bound", only({ max_amount: ["0.000000000000000001 ETH"] }), intentOf([pay()]), ok],
  ["an amount beyond it", only({ max_amount: ["0.000000000000000001 ETH"] }), intentOf([pay({ amount: 2n })]), NO],
  ["an asset without bound beside one that has", only({ max_amount: ["1 ETH"] }), intentOf([pay({ asset: USDC })]), NO],
  ["a fee that no entry bounds", only({}), intentOf([pay()], { fee: { max: 1n, asset: ETH, unbounded: false } }), NO],
  [
    "a fee with any",
    only({ max_fee: ["any"] }),
    intentOf([pay()], { fee: { max: 1n << 255n, asset: ETH, unbounded: false } }),
    ok,
  ],
  [
    "a fee of another asset",
    only({ max_fee: ["1 ETH"] }),
    intentOf([pay()], { fee: { max: 1n, asset: BTC, unbounded: false } }),
    NO,
  ],
  [
    "a fee without bound",
    only({ max_fee: ["any"] }),
    intentOf([pay()], { fee: { max: 1n, asset: ETH, unbounded: true } }),
    NO,
  ],
  [
    "a fee without bound that is accepted",
    only({ max_fee: ["any"], unbounded_fee: true }),
    intentOf([pay()], { fee: { max: 1n, asset: ETH, unbounded: true } }),
    ok,
  ],
  [
    "no fee, of an asset that the entry does not bound",
    only({ max_fee: ["1 ETH"] }),
    intentOf([pay()], { fee: { max: 0n, asset: BTC, unbounded: false } }),
    ok,
  ],
  ["a transfer to what is listed as a contract", only({ contracts: ["@usdc"] }), intentOf([pay({ to: TOKEN })]), NO],
  ["another path of the key", only({ paths: ["m/44/60/0/0/6"] }), intentOf([pay()]), NO],
  ["typed data for every chain", only({}), intentOf([pay()], { chain: "eip155:*" }), NO],
  ["typed data for every chain, named", only({ chains: ["eip155:*"] }), intentOf([pay()], { chain: "eip155:*" }), ok],
  ["an effect of another kind", only({}), intentOf([pay(), { kind: "self", from: ALICE }]), NO],
  [
    "two entries together",
    {
      allow: [
        { name: "a", effects: ["transfer"], max_fee: ["any"] },
        { name: "b", effects: ["self"] },
      ],
    },
    intentOf([pay(), { kind: "self", from: ALICE }], { fee: { max: 9n, asset: ETH, unbounded: false } }),
    ok,
  ],
  ["a memo", only({}), intentOf([pay(), { kind: "memo", data: new Uint8Array(1) }]), NO],
  [
    "a memo where any may stand",
    only({ memo: "any" }),
    intentOf([pay(), { kind: "memo", data: new Uint8Array(1) }]),
    ok,
  ],
  ["a memo alone", only({ memo: "any" }), intentOf([{ kind: "memo", data: new Uint8Array(1) }]), NO],
  ["an empty list", { allow: [] }, intentOf([pay()]), NO],
  ["no list", {}, intentOf([pay()]), ok],
])("allow: %s", (_, keySign, intent, code) => {
  expect(codeOf(keySign, [intent])).toBe(code)
})

const word = (hex: string) => hex.padStart(64, "0")
const transferData = (to: string, amount: bigint) =>
  Uint8Array.from(Buffer.from(`a9059cbb${word(to.slice(2).toLowerCase())}${word(amount.toString(16))}`, "hex"))
const call = (over: Partial<Extract<Effect, { kind: "call" }>> = {}): Effect => ({
  kind: "call",
  from: ALICE,
  to: TOKEN,
  selector: "0xa9059cbb",
  data: transferData(BOB, 5n),
  value: 0n,
  ...over,
})

test.each<[string, object, readonly Effect[], string]>([
  ["by the transfer that it makes", only({}), [call(), pay({ asset: USDC, amount: 5n })], ok],
  ["not by a transfer of another amount", only({}), [call(), pay({ asset: USDC, amount: 4n })], NO],
  ["not by a transfer to somebody else", only({}), [call(), pay({ asset: USDC, amount: 5n, to: CAROL })], NO],
  ["not by one that is not covered", only({ to: ["@cold"] }), [call(), pay({ asset: USDC, amount: 5n })], NO],
  ["not at a contract beside the token", only({}), [call({ to: CAROL }), pay({ asset: USDC, amount: 5n })], NO],
  [
    "not with bytes behind it",
    only({}),
    [call({ data: Uint8Array.of(...transferData(BOB, 5n), 0) }), pay({ asset: USDC, amount: 5n })],
    NO,
  ],
  [
    "not of a token that is not listed",
    only({ assets: [`eip155:1/erc20:${CAROL}`] }),
    [call({ to: CAROL }), pay({ asset: `eip155:1/erc20:${CAROL.toLowerCase()}`, amount: 5n })],
    NO,
  ],
  [
    "by contract and signature",
    { allow: [{ name: "one", effects: ["call"], contracts: ["@usdc"], selectors: ["transfer(address,uint256)"] }] },
    [call()],
    ok,
  ],
  [
    "not by another function",
    { allow: [{ name: "one", effects: ["call"], contracts: ["@usdc"], selectors: ["approve(address,uint256)"] }] },
    [call()],
    NO,
  ],
  [
    "not at another contract",
    { allow: [{ name: "one", effects: ["call"], contracts: ["@usdc"] }] },
    [call({ to: BOB })],
    NO,
  ],
])("allow: a call is covered %s", (_, keySign, effects, code) => {
  expect(codeOf(keySign, [intentOf(effects)])).toBe(code)
})

const never = (entry: object) => ({ deny: [{ name: "never", ...entry }] })
const DENIED = "E-RSK-019"
test.each<[string, object, readonly Effect[], string]>([
  [
    "its kind",
    never({ effects: ["approve"] }),
    [pay(), { kind: "approve", from: ALICE, spender: BOB, asset: USDC, amount: 1n }],
    DENIED,
  ],
  ["another kind", never({ effects: ["approve"] }), [pay()], ok],
  ["its target", never({ to: ["@exchange"] }), [pay()], DENIED],
  ["another target", never({ to: ["@exchange"] }), [pay({ to: ALICE })], ok],
  ["a target that is not said", never({ to: ["@exchange"] }), [pay({ to: { unresolved: "?" } })], DENIED],
  ["an effect without target", never({ to: ["@exchange"] }), [{ kind: "self", from: ALICE }], DENIED],
  ["an asset that is not said", never({ assets: ["USDC"] }), [pay({ asset: { unresolved: "?" } })], DENIED],
  ["another asset", never({ assets: ["USDC"] }), [pay()], ok],
  ["an initiator that is not said", never({ initiators: ["eve"] }), [pay()], DENIED],
  ["a contract, where none is spoken to", never({ contracts: ["@usdc"] }), [pay()], DENIED],
  [
    "every chain at once",
    never({ chains: ["eip155:1"], effects: ["delegate_7702"] }),
    [{ kind: "delegate_7702", from: ALICE, delegate: BOB, chain: "eip155:*", nonce: 1n }],
    DENIED,
  ],
  ["whatever it is", never({}), [pay()], DENIED],
])("deny matches %s", (_, keySign, effects, code) => {
  expect(codeOf(keySign, [intentOf(effects)])).toBe(code)
})

test("deny: what is signed for every chain goes to the target on its chain too", () => {
  const anywhere = intentOf([pay()], { chain: "eip155:*", format: "evm/typed-data" })
  expect(codeOf(never({ to: ["@exchange"] }), [anywhere])).toBe(DENIED)
  expect(codeOf(never({ to: ["@usdc"] }), [anywhere])).toBe(ok)
})

test("deny: what is signed for every chain matches each chain, and an unknown path each pattern", () => {
  expect(codeOf(never({ chains: ["eip155:1"] }), [intentOf([pay()], { chain: "eip155:*" })])).toBe(DENIED)
  const unknown = intentOf([pay()], { signs: [{ path: undefined, bytes: new Uint8Array(32) }] })
  expect(codeOf(never({ paths: ["m/9"] }), [unknown])).toBe(DENIED)
  expect(codeOf(never({ paths: ["m/9"] }), [intentOf([pay()])])).toBe(ok)
})

test("allow: a call is not covered by the transfer of another token id, though the amount is the number of the id", () => {
  const nft = `eip155:1/erc721:${BOB.toLowerCase()}/1`
  const names = namesFrom({ ...INTENT, assets: [{ name: "NFT", id: nft, decimals: 0 }] })
  const data = Uint8Array.from(
    Buffer.from(
      `42842e0e${[ALICE.slice(2).toLowerCase(), CAROL.slice(2).toLowerCase(), "1"].map(word).join("")}`,
      "hex",
    ),
  )
  const asked = (tokenId: bigint) => [
    intentOf([call({ to: BOB, selector: "0x42842e0e", data }), pay({ asset: nft, to: CAROL, amount: 1n, tokenId })]),
  ]
  expect(codeOf(only({}), asked(1n), names)).toBe(ok)
  expect(codeOf(only({}), asked(7n), names)).toBe(NO)
})

test("deny: a token account of Solana of which nobody can say whose it is matches every target", () => {
  const somebody = "Vote111111111111111111111111111111111111111"
  const chain = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
  const asset = `${chain}/token:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v`
  const solana = (accounts: Intent["accounts"]) =>
    intentOf([pay({ to: "TokenAccount", asset })], { format: "solana/message", chain }, accounts)
  expect(codeOf(never({ to: [somebody] }), [solana(new Map())])).toBe(DENIED)
  expect(codeOf(never({ to: [somebody] }), [solana(new Map([["TokenAccount", { owner: "Alice" }]]))])).toBe(ok)
  expect(codeOf(never({ to: [somebody] }), [solana(new Map([["TokenAccount", { owner: somebody }]]))])).toBe(DENIED)
})

test("a name that stands for nothing makes every task an error, and lint says which", () => {
  for (const keySign of [
    only({ to: ["@nobody"] }),
    only({ assets: ["GOLD"] }),
    only({ max_amount: ["1 GOLD"] }),
    only({ max_fee: ["0.0000000000000000001 ETH"] }),
    only({ to: ["@own:44"] }),
    never({ contracts: ["@nobody"] }),
    // typing errors: a digit too few, a wrong capital, a name without its @
    never({ to: ["0x70997970c51812dc3a010c7d01b50e0d17dc79c"] }),
    never({ to: ["0x70997970C51812dc3A010C7d01b50e0d17dc79c8"] }),
    never({ contracts: ["mixer"] }),
    { limits: [{ name: "one", asset: "GOLD", per: "all", window: "1h", max_amount: "1 GOLD" }] },
    { limits: [{ name: "one", asset: "ETH", per: "all", window: "1h", max_amount: "1 BTC" }] },
    { limits: [{ name: "one", asset: "ETH", per: "all", window: "1h", max_amount: "-1 ETH" }] },
  ]) {
    expect(codeOf(keySign, [intentOf([pay()])])).toBe("E-RSK-023")
    const errors = lint(rulesFrom(keySign)).filter(({ severity }) => severity === "error")
    expect(errors.map(({ what }) => what.split(":")[0])).toEqual(["every task is an error"])
    // In words: what people are told names no line of our source.
    expect(errors[0]?.what).toMatch(/(nobody|GOLD|ETH|BTC|@own:44|0x7099|mixer)/)
    expect(errors[0]?.what).not.toContain("RangeError")
  }
})

test("what a limit cannot count is refused in words, by a code that is no bug's", () => {
  const unsaid = { unresolved: "entry 0 of a table" }
  const limit = (per: string) => ({ limits: [{ name: "day", asset: "ETH", per, window: "24h", max_amount: "1 ETH" }] })
  const closes: Effect = { kind: "close_account", from: ALICE, to: BOB }
  for (const [per, effect, words] of [
    ["all", pay({ asset: unsaid }), "which asset moves"],
    ["all", closes, "what the closed account pays out"],
    ["destination", pay({ to: unsaid }), "where it goes"],
    ["source", pay({ from: unsaid }), "whose funds move"],
  ] as const) {
    const request = signRequest({ intents: [intentOf([effect])], messages: [{ path: PATH, hash: "0x", payload: 0 }] })
    const { verdict } = evaluate(rulesFrom(limit(per)), request, NO_USAGE, NOW)
    expect(verdict).toMatchObject({ action: "reject", code: "E-RSK-022" })
    expect(verdict.reason).toBe(`key_sign.limits.day: effect 1: ${words} is not in the payload`)
  }
})

const findings = (keySign: object, names = NAMES) =>
  lint(rulesFrom(keySign, names))
    .filter(({ where }) => where.startsWith("key_sign") || where.startsWith("intent"))
    .map(({ severity, where, what }) => `${severity} ${where.replace("key_sign.", "")}: ${what}`)
const LIMITED = {
  limits: [{ name: "day", asset: "ETH", per: "all", window: "24h", max_amount: "1 ETH" }],
  required_node_ids: ["n1"],
}

test.each<[string, object, string]>([
  ["an empty list", { allow: [] }, "error allow: empty list"],
  [
    "an asset without limit",
    { ...LIMITED, ...only({ assets: ["ETH", "USDC"], max_fee: ["any"] }) },
    "warning allow: without a limit by amount: USDC",
  ],
  [
    "an entry twice",
    {
      allow: [
        { name: "a", effects: ["self"] },
        { name: "b", effects: ["self"] },
      ],
    },
    "warning allow.b: unreachable: a says the same",
  ],
  [
    "an entry that is denied",
    { ...only({}), deny: [{ name: "never", effects: ["transfer"] }] },
    "warning allow.one: contradiction: deny.never",
  ],
  [
    "a condition without field",
    { allow: [{ name: "a", effects: ["message"], assets: ["ETH"] }] },
    "warning allow.a: unreachable: message has no asset",
  ],
  ["every call", { allow: [{ name: "a", effects: ["call"] }] }, "warning allow.a: it covers every call"],
  ["no fee", only({}), "warning allow: no entry has max_fee"],
  [
    "an amount that is missing",
    only({ assets: ["ETH", "USDC"], max_amount: ["1 ETH"] }),
    "warning allow.one: USDC is never covered",
  ],
  [
    "what no limit counts",
    { ...LIMITED, allow: [{ name: "a", effects: ["opaque_hash"] }] },
    "warning allow.a: what opaque_hash moves is counted by no limit",
  ],
  ["a limit that does not bind the group", { limits: LIMITED.limits }, "warning limits.day: it binds this node alone"],
  [
    "a limit that another beats",
    {
      ...LIMITED,
      limits: [...LIMITED.limits, { name: "hour", asset: "ETH", per: "all", window: "1h", max_amount: "2 ETH" }],
    },
    "warning limits.hour: unreachable: day allows 1 ETH",
  ],
  [
    "a limit of nothing",
    { ...LIMITED, limits: [{ ...LIMITED.limits[0], max_amount: "0 ETH" }] },
    "error limits.day: max_amount is 0",
  ],
  ["a deny entry for everything", { deny: [{ name: "all" }] }, "error deny.all: it states no condition"],
  ["blind paths for nothing", { blind_paths: ["m/1"] }, "warning blind_paths: unreachable"],
])("lint: %s", (_, keySign, start) => {
  expect(findings(keySign).filter((finding) => finding.startsWith(start))).toHaveLength(1)
})

test("lint: names that stand for nothing, or for two things", () => {
  const names = namesFrom({
    assets: [{ name: "ETH", id: USDC, decimals: 6 }],
    addresses: [{ name: "lost", chain: "eip155:1" }],
  })
  expect(findings({}, names).map((finding) => finding.split(":")[0])).toEqual([
    "error intent.addresses.lost",
    "error intent.assets.ETH",
  ])
})

test("addresses that are misspelt are refused with the file", () => {
  const places = (entry: object) =>
    [
      ...problemsOf(
        intentSchema,
        Object(withDefaults(intentSchema, { addresses: [{ name: "a", ...entry }] })),
        () => "",
      ),
    ].map(({ key }) => key)
  expect(places({ chain: "eip155:1", address: BOB })).toEqual([])
  expect(places({ chain: "eip155:1", address: BOB.toLowerCase() })).toEqual([])
  expect(places({ chain: "eip155:1", address: BOB.replace("dA", "da") })).toEqual(["addresses[0].address"])
  expect(places({ chain: "eip155:1", address: BOB.slice(0, -1) })).toEqual(["addresses[0].address"])
  expect(places({ chain: "tron:728126428", address: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t" })).toEqual([])
  expect(places({ chain: "tron:728126428", address: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u" })).toEqual([
    "addresses[0].address",
  ])
  expect(
    places({ chain: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", address: "11111111111111111111111111111111" }),
  ).toEqual([])
  expect(places({ chain: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", address: "1111" })).toEqual([
    "addresses[0].address",
  ])
})

test("chains of paths: the table's, else the mainnet of the coin type", () => {
  const names = namesFrom({
    paths: [
      { path: "m/44/60/**", chain: "eip155:8453" },
      { path: "m/44/60/**", chain: "eip155:1" },
    ],
  })
  expect(chainsOf(PATH, names)).toEqual(["eip155:8453", "eip155:1"])
  expect(chainsOf(PATH, NO_NAMES)).toEqual(["eip155:1"])
  expect(chainsOf([7], names)).toEqual([])
})

test("decoders are told native assets, mints, lookup tables and contract accounts", () => {
  const { table } = namesFrom({
    bitcoin_change_limit: 5,
    assets: [
      { name: "CELO", id: "eip155:42220/slip44:52752", decimals: 18 },
      { name: "SPL", id: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp/token:mint", decimals: 6 },
    ],
    contracts: [{ name: "safe", chain: "eip155:1", address: BOB.toLowerCase(), account: true }],
    lookup_tables: [{ address: "table", entries: ["a", "b"] }],
  })
  expect(readerSettings(table)).toEqual({
    nativeAssets: new Map([["eip155:42220", "eip155:42220/slip44:52752"]]),
    evm: { contractAccounts: [{ chain: "eip155:1", address: BOB }] },
    bitcoin: { changeLimit: 5 },
    solana: {
      lookupTables: new Map([["table", ["a", "b"]]]),
      mints: [{ mint: "mint", program: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA" }],
    },
    tron: { bandwidthPrice: 1000n },
  })
})
