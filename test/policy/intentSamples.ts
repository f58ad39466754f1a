/** Readings, entries, limits and histories at random, few enough of each that they meet. */
import fc from "fast-check"
import { utf8 } from "../../src/bytes.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import type { Intent, KeySignRequest } from "../../src/policy/request.ts"

export const ALICE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
export const BOB = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
export const CAROL = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
export const OWN = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
export const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
export const ETH = "eip155:1/slip44:60"
export const BTC = "bip122:000000000019d6689c085ae165831e93/slip44:0"
export const USDC = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
const BASE_USDC = "eip155:8453/erc20:0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
const STRANGE = "eip155:1/erc20:0xdddddddddddddddddddddddddddddddddddddddd"
const NOBODY = { unresolved: "entry 3 of a table" }
const OWN_PATH = [44, 60, 0, 0, 7]

export const INTENT = {
  assets: [
    { name: "USDC", id: USDC, decimals: 6 },
    { name: "USDC", id: BASE_USDC, decimals: 6 },
  ],
  addresses: [
    { name: "exchange", chain: "eip155:1", address: BOB },
    { name: "exchange", chain: "eip155:1", address: CAROL.toLowerCase() },
    { name: "cold", chain: "eip155:1", path: "m/44/60/0/0/7" },
  ],
  contracts: [{ name: "usdc", chain: "eip155:1", address: TOKEN }],
}

const account = fc.constantFrom(ALICE, BOB, CAROL, OWN)
const perhaps = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NOBODY) })
const asset = perhaps(fc.constantFrom(ETH, ETH, USDC, BASE_USDC, STRANGE))
const amount = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 5n }).map((n) => n * 100_000n) },
  { weight: 1, arbitrary: fc.constantFrom((1n << 256n) - 1n, 1n, 10n ** 18n) },
)

/** A token's transfer as decoders show it: the call, and the transfer beside it; sometimes not quite. */
const tokenTransfer = fc
  .record({ to: fc.constantFrom(BOB, CAROL, OWN), amount: fc.bigInt({ min: 0n, max: 5n }), lie: fc.nat(9) })
  .map(({ to, amount: sent, lie }): readonly Effect[] => {
    const word = (hex: string) => hex.padStart(64, "0")
    const said = lie === 0 ? sent + 1n : sent
    const data = Buffer.from(`a9059cbb${word(to.slice(2).toLowerCase())}${word(said.toString(16))}`, "hex")
    const call: Effect = {
      kind: "call",
      from: ALICE,
      to: TOKEN,
      selector: "0xa9059cbb",
      data: Uint8Array.from(data),
      value: 0n,
    }
    const transfer: Effect = { kind: "transfer", from: ALICE, to, asset: USDC, amount: sent }
    return lie === 1 ? [call] : [call, transfer]
  })

const single: fc.Arbitrary<Effect> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("transfer" as const),
      from: perhaps(fc.constantFrom(ALICE, ALICE, CAROL)),
      to: perhaps(account),
      asset,
      amount,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("approve" as const, "permit" as const),
      from: fc.constant(ALICE),
      spender: perhaps(account),
      asset,
      amount,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("call" as const),
      from: fc.constant(ALICE),
      to: perhaps(account),
      selector: fc.constant("0x12345678"),
      data: fc.constant(utf8("data")),
      value: fc.constant(0n),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("memo" as const), data: fc.constant(utf8("lunch")) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("self" as const), from: fc.constant(ALICE) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("close_account" as const), from: fc.constant(ALICE), to: account }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("delegate_7702" as const),
      from: fc.constant(ALICE),
      delegate: account,
      chain: fc.constantFrom("eip155:1", "eip155:*"),
      nonce: fc.constant(1n),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("opaque_hash" as const),
      from: fc.constant(ALICE),
      hash: fc.constant(utf8("h")),
      reason: fc.constant("32 bytes"),
    }),
  },
)
const effects = fc
  .array(
    fc.oneof({ weight: 4, arbitrary: single.map((effect) => [effect]) }, { weight: 1, arbitrary: tokenTransfer }),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((lists) => lists.flat())

const evmReading = fc
  .record({
    chain: fc.constantFrom("eip155:1", "eip155:1", "eip155:1", "eip155:8453", "eip155:*"),
    from: fc.constantFrom(ALICE, ALICE, OWN),
    effects,
    fee: fc.constantFrom(0n, 0n, 1n, 100_000n, 400_000n),
    unbounded: fc.nat(20),
    nonce: fc.nat(3),
    path: fc.constantFrom(0, 1),
    isMessage: fc.nat(9),
  })
  .map(
    ({ chain, from, effects: list, fee, unbounded, nonce, path, isMessage }): Reading => ({
      format: isMessage === 0 ? "evm/typed-data" : "evm/transaction",
      chain,
      from: [from],
      effects: list,
      fee: { max: fee, asset: ETH, unbounded: unbounded === 0 },
      nonce: `${nonce}`,
      signs: [{ path: [44, 60, 0, 0, path], bytes: new Uint8Array(32) }],
    }),
  )

const psbtReading = fc
  .record({
    outpoints: fc.subarray(["a:0", "b:1", "c:2"], { minLength: 1 }),
    to: fc.constantFrom(
      "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
      "bc1qppppppppppppppppppppppppppppppppppppppppp",
    ),
    amount,
    fee: fc.constantFrom(0n, 100_000n),
    from: fc.constantFrom<readonly string[]>(["bc1qfrom"], ["bc1qfrom", "bc1qother"]),
  })
  .map(
    ({ outpoints, to, amount: sent, fee, from }): Reading => ({
      format: "bitcoin/psbt",
      chain: "bip122:000000000019d6689c085ae165831e93",
      from,
      effects: [{ kind: "transfer", from: from[0] ?? "", to, asset: BTC, amount: sent }],
      fee: { max: fee, asset: BTC, unbounded: false },
      nonce: outpoints.join(" "),
      signs: [{ path: [84, 0, 0, 0, 0], input: 0, bytes: new Uint8Array(32) }],
    }),
  )

const accounts: Intent["accounts"] = new Map([[OWN, { ownPath: OWN_PATH }]])
export const intent: fc.Arbitrary<Intent> = fc
  .oneof({ weight: 3, arbitrary: evmReading }, { weight: 1, arbitrary: psbtReading })
  .map((reading) => ({ reading, accounts }))

export const intentRequest: fc.Arbitrary<KeySignRequest> = fc
  .record({
    intents: fc.array(intent, { maxLength: 2 }),
    blind: fc.nat(12),
    initiator: fc.constantFrom("ops", "eve", undefined),
    rootKey: fc.constantFrom("secp256k1/02aa", "secp256k1/02bb"),
  })
  .map(
    ({ intents, blind, initiator, rootKey }): KeySignRequest => ({
      type: "key_sign",
      taskId: "t",
      extraInfo: initiator === undefined ? {} : { transaction: { initiator } },
      groupId: "g1",
      rootPubKey: "xpubA",
      rootKey,
      curve: "secp256k1",
      signatureType: "ECDSA",
      usedNodeIds: ["n1", "n2"],
      intents,
      messages: [
        ...intents.flatMap(({ reading }, payload) =>
          reading.signs.map(({ path }) => ({ path: path ?? [], hash: "0x", payload })),
        ),
        ...(blind < 2 || intents.length === 0 ? [{ path: [86, 0, blind % 2], hash: "0x" }] : []),
      ],
    }),
  )

const KINDS = [
  "transfer",
  "transfer",
  "approve",
  "permit",
  "call",
  "memo",
  "self",
  "close_account",
  "delegate_7702",
  "opaque_hash",
]
const optional = <T>(value: fc.Arbitrary<T>, weight = 1) =>
  fc.oneof({ weight, arbitrary: value }, { weight: 2, arbitrary: fc.constant(undefined) })
const drop = (table: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined))
const kinds = fc.uniqueArray(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 8 })
const assets = fc.subarray(["ETH", "USDC", "BTC", STRANGE], { minLength: 1 })
const to = fc.subarray(
  [
    "@exchange",
    "@cold",
    "@own:m/44/60/0/0/7",
    BOB,
    CAROL.toLowerCase(),
    "@usdc",
    "bc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
  ],
  {
    minLength: 1,
  },
)
const initiators = fc.constantFrom(["ops"], ["ops", "eve"])
const perAsset = (eth: readonly string[]) =>
  fc
    .record({
      eth: fc.constantFrom(...eth),
      usdc: fc.constantFrom("0.3", "any", "5"),
      btc: fc.constantFrom("0.002", "any"),
    })
    .map(({ eth: e, usdc, btc }) => [`${e} ETH`, `${usdc} USDC`, `${btc} BTC`])
const named = (list: readonly Record<string, unknown>[], name: string) =>
  list.map((one, i) => ({ ...one, name: `${name}${(i * 7) % 5}` }))

const wide = {
  effects: [...new Set(KINDS)],
  chains: ["eip155:1", "eip155:8453", "eip155:*", "bip122:000000000019d6689c085ae165831e93"],
  max_fee: ["any"],
  unbounded_fee: true,
}
const allowEntry = fc.oneof(
  { weight: 1, arbitrary: fc.constant<Record<string, unknown>>(wide) },
  {
    weight: 5,
    arbitrary: fc
      .record({
        effects: kinds,
        chains: optional(fc.subarray(wide.chains, { minLength: 1 })),
        assets: optional(assets),
        to: optional(to),
        max_amount: optional(perAsset(["0.0000000000003", "0", "2"])),
        max_fee: optional(fc.oneof(fc.constant(["any"]), perAsset(["0.0000000000002", "any", "1"])), 6),
        unbounded_fee: optional(fc.boolean()),
        memo: optional(fc.constant("any")),
        paths: optional(fc.subarray(["m/44/60/0/0/0", "m/44/60/0/0/1", "m/84/0/0/0/0"], { minLength: 1 })),
        initiators: optional(initiators),
      })
      .map(drop),
  },
)
const denyEntry = fc
  .record({
    effects: optional(
      kinds.map((list) => list.slice(0, 2)),
      8,
    ),
    assets: optional(assets),
    to: optional(to),
    initiators: optional(initiators),
  })
  .map(drop)
const limit = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({
        money: fc.constantFrom(
          ["ETH", "0.000000000001"],
          ["ETH", "0.0000000000006"],
          ["USDC", "0.8"],
          ["BTC", "0.006"],
          [USDC, "0.5"],
        ),
        per: fc.constantFrom("all", "all", "group", "destination", "source"),
        window: fc.constantFrom("1h", "24h", "7d"),
        approvals: optional(fc.boolean()),
      })
      .map(({ money: [unit, max], ...rest }) => drop({ ...rest, asset: unit, max_amount: `${max} ${unit}` })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      per: fc.constantFrom("all", "group"),
      window: fc.constantFrom("1h", "24h"),
      max: fc.integer({ min: 1, max: 12 }),
    }),
  },
)

/** key_sign as the TOML has it. */
export const section: fc.Arbitrary<Record<string, unknown>> = fc
  .record({
    reject_all: fc.constant(false),
    allow: optional(
      fc.array(allowEntry, { maxLength: 5 }).map((list) => named(list, "allow")),
      3,
    ),
    deny: optional(fc.array(denyEntry, { maxLength: 2 }).map((list) => named(list, "deny"))),
    limits: optional(
      fc.array(limit, { maxLength: 3 }).map((list) => named(list, "limit")),
      4,
    ),
    blind_paths: optional(fc.subarray(["m/86/0/0", "m/86/0/1"]), 2),
  })
  .map(drop)
