/** Conditions on calls of contracts whose ABI is configured: functions by name, arguments, calls that the ABI does not read. */
import { expect, test } from "bun:test"
import { Value } from "@sinclair/typebox/value"
import fc from "fast-check"
import { encodeFunctionData, type Abi as ViemAbi } from "viem"
import { fromHex, utf8 } from "../../src/bytes.ts"
import { isAbiProblem, readAbi } from "../../src/intent/evm/abiJson.ts"
import type { Effect } from "../../src/intent/reading.ts"
import { intentText } from "../../src/intent/text.ts"
import { fromEvm } from "../../src/intent/tron/address.ts"
import { annotationsOf } from "../../src/policy/annotations.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { intentSchema } from "../../src/policy/intentTable.ts"
import { lint } from "../../src/policy/lint.ts"
import { namesIn } from "../../src/policy/names.ts"
import type { Intent } from "../../src/policy/request.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { problemsOf } from "../../src/settings/check.ts"
import { withDefaults } from "../../src/settings/defaults.ts"
import { ALICE, BOB, CAROL, ETH, OWN } from "./intentSamples.ts"
import { NOW, signRequest } from "./samples.ts"

const fn = (name: string, ...inputs: readonly object[]) => ({ type: "function", name, inputs, outputs: [] })
const FUNCTIONS = [
  fn("swap", {
    name: "params",
    type: "tuple",
    components: [
      { name: "recipient", type: "address" },
      { name: "amountIn", type: "uint256" },
    ],
  }),
  fn("pay", { name: "to", type: "address[]" }, { name: "what", type: "string" }, { name: "ok", type: "bool" }),
  fn("move", { name: "by", type: "int256" }),
  fn("pause"),
  fn("mint", { name: "mixed", type: "uint256" }),
  fn("give", { name: "mixed", type: "address" }),
  fn("grant", { name: "role", type: "bytes2" }, { name: "raw", type: "bytes" }),
]
const ROUTER = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
const PLAIN = "0xE592427A0AEce92De3Edee1F18E0157C05861564"
const TRON = "tron:728126428"
const TABLE = {
  addresses: [{ name: "exchange", chain: "eip155:1", address: BOB }],
  contracts: [
    { name: "router", chain: "eip155:1", address: ROUTER, abi: "router.json" },
    { name: "plain", chain: "eip155:1", address: PLAIN },
    { name: "tron", chain: TRON, address: fromEvm(ROUTER), abi: "router.json" },
  ],
  assets: [{ name: "USDC", id: "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", decimals: 6 }],
}
const abi = readAbi(utf8(JSON.stringify(FUNCTIONS)))
if (isAbiProblem(abi)) throw new Error(abi.why)
const ABIS = new Map([["router.json", abi]])
const NAMES = namesIn(Value.Decode(intentSchema, withDefaults(intentSchema, TABLE)), ABIS)

const data = (functionName: string, ...args: readonly unknown[]) =>
  fromHex(encodeFunctionData({ abi: FUNCTIONS as unknown as ViemAbi, functionName, args }).slice(2)) ?? new Uint8Array()
const callOf = (bytes: Uint8Array<ArrayBuffer>, to = ROUTER): Effect => ({
  kind: "call",
  from: ALICE,
  to,
  selector: `0x${Buffer.from(bytes.subarray(0, 4)).toString("hex")}`,
  data: bytes,
  value: 0n,
})
const swap = (recipient = BOB, amountIn = 5n) => callOf(data("swap", { recipient, amountIn }))
const PATH = [44, 60, 0, 0, 5]
const intentOf = (effects: readonly Effect[], chain = "eip155:1"): Intent => ({
  reading: {
    format: chain === TRON ? "tron/transaction" : "evm/transaction",
    chain,
    from: [ALICE],
    effects,
    fee: { max: 0n, asset: ETH, unbounded: false },
    signs: [{ path: PATH, bytes: new Uint8Array(32) }],
  },
  accounts: new Map([[OWN, { ownPath: [44, 60, 0, 0, 7] }]]),
})
function rulesFrom(keySign: object) {
  const checked = checkRules({ enable: true, key_sign: { reject_all: false, ...keySign } }, NAMES)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}
const verdictOf = (keySign: object, intent: Intent) =>
  evaluate(
    rulesFrom(keySign),
    signRequest({ intents: [intent], messages: [{ path: PATH, hash: "0x", payload: 0 }] }),
    NO_USAGE,
    NOW,
  ).verdict
const allow = (entry: object) => ({ allow: [{ name: "one", effects: ["call", "delegatecall"], ...entry }] })
const deny = (entry: object) => ({ deny: [{ name: "never", ...entry }] })
const ok = ""
const NO = "E-RSK-018"
const DENIED = "E-RSK-019"
const to = (...list: readonly string[]) => ({ arguments: [{ name: "params.recipient", in: list }] })

test.each<[string, object, Effect, string]>([
  ["a function by its name", { contracts: ["@router"], selectors: ["swap"] }, swap(), ok],
  ["another function by its name", { contracts: ["@router"], selectors: ["pause"] }, swap(), NO],
  ["a function by its signature", { selectors: ["swap((address,uint256))"] }, swap(), ok],
  [
    "a function by its selector in capitals",
    { selectors: ["0x6E6F6E65"] },
    callOf(Uint8Array.from(utf8("none")), PLAIN),
    ok,
  ],
  ["a recipient by name", to("@exchange"), swap(), ok],
  ["another recipient", to("@exchange"), swap(CAROL), NO],
  ["one of two", to("@exchange", CAROL.toLowerCase()), swap(CAROL), ok],
  ["the key's own", to("@own:m/44/60/0/0/*"), swap(OWN), ok],
  ["what nobody derived as the key's own", to("@own:m/44/60/0/0/*"), swap(CAROL), NO],
  ["an amount at its bound", { arguments: [{ name: "params.amountIn", max: "5" }] }, swap(), ok],
  ["an amount beyond it", { arguments: [{ name: "params.amountIn", max: "4" }] }, swap(), NO],
  ["a bound in an asset's units", { arguments: [{ name: "params.amountIn", max: "0.000005 USDC" }] }, swap(), ok],
  ["beyond it", { arguments: [{ name: "params.amountIn", max: "0.000004 USDC" }] }, swap(), NO],
  ["one integer of a list", { arguments: [{ name: "params.amountIn", in: ["4", "5"] }] }, swap(), ok],
  ["no integer of a list", { arguments: [{ name: "params.amountIn", in: ["50"] }] }, swap(), NO],
  [
    "two conditions, of which one fails",
    { arguments: [...to("@exchange").arguments, { name: "params.amountIn", max: "4" }] },
    swap(),
    NO,
  ],
  ["a function without the argument", to("@exchange"), callOf(data("pause")), NO],
  ["a contract without an ABI", to("@exchange"), callOf(data("swap", { recipient: BOB, amountIn: 5n }), PLAIN), NO],
  ["a contract without an ABI and no condition", {}, callOf(data("pause"), PLAIN), ok],
  ["a delegatecall", to("@exchange"), { ...swap(), kind: "delegatecall" } as Effect, ok],
  [
    "every element of a list",
    { arguments: [{ name: "to", in: [BOB, CAROL] }] },
    callOf(data("pay", [BOB, CAROL], "", true)),
    ok,
  ],
  [
    "one element beyond it",
    { arguments: [{ name: "to", in: [BOB] }] },
    callOf(data("pay", [BOB, CAROL], "", true)),
    NO,
  ],
  ["an empty list", { arguments: [{ name: "to", in: [BOB] }] }, callOf(data("pay", [], "", true)), NO],
  ["a text", { arguments: [{ name: "what", in: ["rent"] }] }, callOf(data("pay", [], "rent", true)), ok],
  ["another text", { arguments: [{ name: "what", in: ["rent"] }] }, callOf(data("pay", [], "Rent", true)), NO],
  ["a truth value", { arguments: [{ name: "ok", in: ["true"] }] }, callOf(data("pay", [], "", true)), ok],
  ["another truth value", { arguments: [{ name: "ok", in: ["true"] }] }, callOf(data("pay", [], "", false)), NO],
  ["a negative integer under a bound", { arguments: [{ name: "by", max: "5" }] }, callOf(data("move", -1n)), NO],
  ["an integer under a bound", { arguments: [{ name: "by", max: "5" }] }, callOf(data("move", 5n)), ok],
  ["what its ABI does not have", {}, callOf(utf8("none") as Uint8Array<ArrayBuffer>), NO],
  ["what its ABI does not have, by selector", { selectors: ["0x6e6f6e65"] }, callOf(Uint8Array.from(utf8("none"))), NO],
  ["one byte too many", { contracts: ["@router"] }, callOf(Uint8Array.of(...data("pause"), 0)), NO],
  ["one that it reads", { contracts: ["@router"] }, callOf(data("pause")), ok],
])("allow: %s", (_, entry, effect, code) => {
  expect(verdictOf(allow(entry), intentOf([effect])).code).toBe(code)
})

test.each<[string, object, Effect, string]>([
  ["a function by its name", { selectors: ["swap"] }, swap(), DENIED],
  ["another function by its name", { selectors: ["pause"] }, swap(), ok],
  [
    "a name, where the ABI does not read the call",
    { selectors: ["pause"] },
    callOf(Uint8Array.from(utf8("none"))),
    DENIED,
  ],
  [
    "a selector, where the ABI does not read the call",
    { selectors: ["0x01020304"] },
    callOf(Uint8Array.from(utf8("none"))),
    ok,
  ],
  [
    "a name, where the contract has no ABI",
    { selectors: ["pause"] },
    callOf(data("swap", { recipient: BOB, amountIn: 5n }), PLAIN),
    DENIED,
  ],
  ["a selector, where the contract has no ABI", { selectors: ["0x01020304"] }, callOf(data("pause"), PLAIN), ok],
  [
    "a name, where the call is an operation by name",
    { selectors: ["pause"] },
    { ...callOf(data("pause"), PLAIN), selector: "VoteWitnessContract" } as Effect,
    ok,
  ],
  [
    "bytes in capitals",
    { arguments: [{ name: "raw", in: ["0xAB"] }] },
    callOf(data("grant", "0x0102", "0xab")),
    DENIED,
  ],
  ["other bytes", { arguments: [{ name: "role", in: ["0xABCD"] }] }, callOf(data("grant", "0x0102", "0xab")), ok],
  ["a recipient", to("@exchange"), swap(), DENIED],
  ["another recipient", to("@exchange"), swap(CAROL), ok],
  [
    "a text that looks like hex",
    { arguments: [{ name: "what", in: ["0xAB"] }] },
    callOf(data("pay", [], "0xAB", true)),
    DENIED,
  ],
  [
    "the same text in lower case",
    { arguments: [{ name: "what", in: ["0xAB"] }] },
    callOf(data("pay", [], "0xab", true)),
    ok,
  ],
  [
    "one element of a list",
    { arguments: [{ name: "to", in: [BOB] }] },
    callOf(data("pay", [CAROL, BOB], "", true)),
    DENIED,
  ],
  ["no element of a list", { arguments: [{ name: "to", in: [BOB] }] }, callOf(data("pay", [CAROL], "", true)), ok],
  [
    "an empty list, of which nothing is known",
    { arguments: [{ name: "to", in: [BOB] }] },
    callOf(data("pay", [], "", true)),
    DENIED,
  ],
  ["a function without the argument", to("@exchange"), callOf(data("pause")), DENIED],
  ["a call that the ABI does not read", to("@exchange"), callOf(Uint8Array.of(...data("pause"), 0)), DENIED],
  ["a contract without an ABI", to("@exchange"), callOf(data("pause"), PLAIN), DENIED],
  ["a function of what has none", { effects: ["self"], selectors: ["pause"] }, { kind: "self", from: ALICE }, DENIED],
  ["no call at all", { effects: ["call"], ...to("@exchange") }, { kind: "self", from: ALICE }, ok],
])("deny: %s", (_, entry, effect, code) => {
  expect(verdictOf(deny(entry), intentOf([effect])).code).toBe(code)
})

test("a refusal says which condition it was, and the call with its arguments", () => {
  const { reason } = verdictOf(allow(to("@exchange")), intentOf([swap(CAROL)]))
  expect(reason).toContain("one: arguments")
  expect(verdictOf(allow({}), intentOf([callOf(Uint8Array.from(utf8("none")))])).reason).toContain("one: abi")
  expect(intentText(intentOf([swap()]).reading, annotationsOf(NAMES))).toEqual([
    `call ${ROUTER} (@router) with 0x${Buffer.from(data("swap", { recipient: BOB, amountIn: 5n }).subarray(0, 4)).toString("hex")}` +
      ` (68 bytes): swap(params: (recipient: ${BOB} (@exchange), amountIn: 5)) on eip155:1, no fee`,
  ])
  expect(intentText(intentOf([callOf(Uint8Array.from(utf8("none")))]).reading, annotationsOf(NAMES))[0]).toContain(
    "(4 bytes): unread: its ABI has no function 0x6e6f6e65 on eip155:1",
  )
})

test("TRON: the same ABI, addresses in TRON's spelling", () => {
  const effect = { ...swap(BOB), to: fromEvm(ROUTER) }
  expect(verdictOf(allow(to(fromEvm(BOB))), intentOf([effect], TRON)).code).toBe(ok)
  expect(verdictOf(allow(to(fromEvm(CAROL))), intentOf([effect], TRON)).code).toBe(NO)
  expect(intentText(intentOf([effect], TRON).reading, annotationsOf(NAMES))[0]).toContain(`recipient: ${fromEvm(BOB)}`)
})

test.each<[string, object, string]>([
  [
    "an argument that no function has",
    allow(to("@exchange").arguments[0] === undefined ? {} : { arguments: [{ name: "params.to", in: [BOB] }] }),
    "has an argument params.to",
  ],
  ["a tuple itself", allow({ arguments: [{ name: "params", in: [BOB] }] }), "has an argument params"],
  [
    "a contract without ABI",
    allow({ contracts: ["@plain"], arguments: [{ name: "to", in: [BOB] }] }),
    "has an argument to",
  ],
  [
    "an argument of another function",
    allow({ selectors: ["pause"], arguments: [{ name: "to", in: [BOB] }] }),
    "has an argument to",
  ],
  ["no condition", allow({ arguments: [{ name: "to" }] }), "has no condition"],
  ["a bound of an address", allow({ arguments: [{ name: "to", max: "5" }] }), "is no integer"],
  ["a bound that is none", allow({ arguments: [{ name: "params.amountIn", max: "any ETH" }] }), "is no bound"],
  ["a bound of what is an address elsewhere", allow({ arguments: [{ name: "mixed", max: "5" }] }), "is no integer"],
  [
    "an account of what is an integer elsewhere",
    allow({ arguments: [{ name: "mixed", in: ["@exchange"] }] }),
    "is no address",
  ],
  [
    "TRON: a function that no ABI has",
    allow({ contracts: ["@tron"], selectors: ["swapAll"] }),
    "has a function swapAll",
  ],
  ["an account of an integer", allow({ arguments: [{ name: "params.amountIn", in: ["@exchange"] }] }), "is no address"],
  [
    "an integer as nobody writes it",
    deny({ arguments: [{ name: "params.amountIn", in: ["5", "05"] }] }),
    "can never be 05",
  ],
  ["an integer in hex", deny({ arguments: [{ name: "by", in: ["0x05"] }] }), "can never be 0x05"],
  [
    "a negative integer of an unsigned type",
    deny({ arguments: [{ name: "params.amountIn", in: ["-5"] }] }),
    "can never be -5",
  ],
  ["a truth value in capitals", deny({ arguments: [{ name: "ok", in: ["True"] }] }), "can never be True"],
  ["half an address", deny({ arguments: [{ name: "to", in: [BOB.slice(0, 20)] }] }), "can never be 0x"],
  ["fewer bytes than the type has", deny({ arguments: [{ name: "role", in: ["0x01"] }] }), "can never be 0x01"],
  ["half a byte", deny({ arguments: [{ name: "raw", in: ["0x1"] }] }), "can never be 0x1"],
  ["a name that stands for nothing", allow(to("@nobody")), "no address is called @nobody"],
  ["a function that no ABI has", allow({ contracts: ["@router"], selectors: ["swapAll"] }), "has a function swapAll"],
  ["a function's name without ABI", allow({ contracts: ["@plain"], selectors: ["swap"] }), "none of @plain has an abi"],
  ["a function's name of a bare address without ABI", deny({ contracts: [BOB], selectors: ["swap"] }), "has an abi"],
  [
    "deny: a function that no ABI has",
    deny({ contracts: ["@router"], selectors: ["swapAll"] }),
    "has a function swapAll",
  ],
])("%s is an error of every task, and lint says so", (_, keySign, why) => {
  expect(verdictOf(keySign, intentOf([swap()])).code).toBe("E-RSK-023")
  const errors = lint(rulesFrom(keySign)).filter(({ severity }) => severity === "error")
  expect(errors).toMatchObject([{ what: expect.stringContaining(why) }])
})

test("lint: arguments of what is no call", () => {
  const found = lint(rulesFrom({ allow: [{ name: "one", effects: ["transfer"], ...to("@exchange") }] }))
  expect(found.map(({ what }) => what)).toContain("unreachable: transfer has no arguments")
})

test.each<[string, object]>([
  [
    "two ABIs of one contract",
    { contracts: [...TABLE.contracts, { ...TABLE.contracts[0], name: "again", address: ROUTER.toLowerCase() }] },
  ],
  [
    "an ABI of a Solana program",
    {
      contracts: [
        {
          name: "p",
          chain: "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
          address: "11111111111111111111111111111111",
          abi: "a.json",
        },
      ],
    },
  ],
])("%s is refused", (_, table) => {
  expect(problemsOf(intentSchema, withDefaults(intentSchema, table), () => "here")).toMatchObject([
    { key: expect.stringMatching(/^contracts\[\d\]\.abi$/) },
  ])
})

test("random conditions and calls: as a judge says who knows the values and no bytes", () => {
  const account = fc.constantFrom(BOB, CAROL, OWN)
  const condition = fc.oneof(
    fc.record({
      name: fc.constant("params.recipient"),
      in: fc.subarray([BOB, CAROL, OWN, "@exchange"], { minLength: 1 }),
    }),
    fc.record({ name: fc.constant("params.amountIn"), in: fc.subarray(["0", "1", "2", "3"], { minLength: 1 }) }),
  )
  const isIn = (values: { recipient: string; amountIn: bigint }) => (one: { name: string; in: readonly string[] }) =>
    one.name === "params.amountIn"
      ? one.in.includes(String(values.amountIn))
      : one.in.includes(values.recipient) || (values.recipient === BOB && one.in.includes("@exchange"))
  fc.assert(
    fc.property(
      fc.array(condition, { minLength: 1, maxLength: 3 }),
      fc.record({ recipient: account, amountIn: fc.bigInt(0n, 4n) }),
      (conditions, values) => {
        const intent = intentOf([swap(values.recipient, values.amountIn)])
        const holds = conditions.every(isIn(values))
        expect(verdictOf(allow({ arguments: conditions }), intent).code).toBe(holds ? ok : NO)
        expect(verdictOf(deny({ arguments: conditions }), intent).code).toBe(holds ? DENIED : ok)
      },
    ),
    { numRuns: 1_000 },
  )
})
