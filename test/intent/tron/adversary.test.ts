/** Whoever would have a key sign what its node does not see: each attempt, and what it meets. */
import { describe, expect, test } from "bun:test"
import { check } from "../../../src/intent/check.ts"
import type { Context } from "../../../src/intent/decoder.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { intentText } from "../../../src/intent/text.ts"
import { tronTransaction } from "../../../src/intent/tron/transaction.ts"
import { CHAIN, MAX, NATIVE } from "./cases.ts"
import { contextOf, KEYS, PATH } from "./scenario.ts"
import { addressOf, callData, encode, fromHex, type Key, numbered, type Raw } from "./web.ts"

const [KEY, OTHER] = KEYS as [Key, Key]
const MALLORY = numbered("x", 1)
const TOKEN = numbered("u", 1)
const SHASTA = "tron:2494104990"

const transaction = (change: Partial<Raw> & Pick<Raw, "type" | "value">): Uint8Array<ArrayBuffer> =>
  encode({ refBlock: "0001", refHash: "0000000000000001", expiration: 9_000_000, timestamp: 8, ...change }).bytes
const transfer = (owner = KEY.account, to = MALLORY, amount = 5, change: Partial<Raw> = {}) =>
  transaction({
    ...{ type: "TransferContract", value: { owner_address: owner.hex, to_address: to.hex, amount } },
    ...change,
  })
const call = (data: string, more: object = {}) =>
  transaction({
    type: "TriggerSmartContract",
    value: { owner_address: KEY.account.hex, contract_address: TOKEN.hex, data, ...more },
  })
const decode = (bytes: Uint8Array, context: Context = contextOf(KEY)) => tronTransaction.decode(bytes, context)
const read = (bytes: Uint8Array, context?: Context): Reading => {
  const decoded = decode(bytes, context)
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.message} ${decoded.at}`)
  return decoded
}

describe("whose account", () => {
  test("another key's transaction is refused", () => {
    expect(decode(transfer(OTHER.account))).toMatchObject({ code: "E-INT-125" })
    expect(decode(transfer(), contextOf(OTHER))).toMatchObject({ code: "E-INT-125" })
  })
  test("under a permission it is shown whose account acts, and others' signatures are paid for", () => {
    const reading = read(transfer(OTHER.account, MALLORY, 5, { permission: 2 }))
    expect(reading).toMatchObject({
      ...{ from: [KEY.account.text], effects: [{ from: OTHER.account.text, to: MALLORY.text }] },
      notes: [`under permission 2 of ${OTHER.account.text}`],
    })
    expect(intentText(reading)[0]).toContain(`from ${OTHER.account.text}`)
    expect(reading.fee.max).toBeGreaterThan(read(transfer()).fee.max)
  })
  test("one key, one signature, of the right kind", () => {
    const { messages } = contextOf(KEY)
    expect(decode(transfer(), { ...contextOf(KEY), messages: [...messages, ...messages] })).toMatchObject({
      code: "E-INT-006",
    })
    const input = messages.map((one) => ({ ...one, input: 0 }))
    expect(decode(transfer(), { ...contextOf(KEY), messages: input })).toMatchObject({ code: "E-INT-006" })
    const schnorr = messages.map((one) => ({ ...one, signature: "Schnorr" as const }))
    expect(decode(transfer(), { ...contextOf(KEY), messages: schnorr })).toMatchObject({ code: "E-INT-008" })
    expect(decode(transfer(), { ...contextOf(KEY), curve: "ed25519" })).toMatchObject({ code: "E-INT-008" })
  })
  test("offline, its owner is as it states it", () => {
    expect(read(transfer(OTHER.account), contextOf(undefined))).toMatchObject({
      ...{ from: [OTHER.account.text], chain: CHAIN },
      signs: [{ path: undefined }],
    })
  })
})

describe("what is signed", () => {
  test("is the hash of these bytes: another destination is another hash", () => {
    const [honest, lying] = [read(transfer()), read(transfer(KEY.account, OTHER.account))]
    const claim = [{ path: PATH, hash: honest.signs[0]!.bytes }]
    expect(check(honest, claim)).toBeUndefined()
    expect(check(lying, claim)).toMatchObject({ code: "E-INT-005" })
    expect(check(honest, [])).toMatchObject({ code: "E-INT-006" })
  })
  test("does not replace anything: two transactions both land", () => {
    expect(read(transfer()).nonce).toBeUndefined()
    expect(read(transfer()).expires).toBe("9000")
  })
})

describe("which chain", () => {
  test("is the path's: a mainnet path that is called a test network stays mainnet", () => {
    expect(read(transfer()).chain).toBe(CHAIN)
    expect(read(transfer(), contextOf(KEY, SHASTA)).effects).toMatchObject([{ asset: `${SHASTA}/slip44:195` }])
    expect(decode(transfer(), { ...contextOf(KEY), chains: [CHAIN, SHASTA] })).toMatchObject({ code: "E-INT-004" })
    expect(decode(transfer(), contextOf(KEY, "eip155:1"))).toMatchObject({ code: "E-INT-004" })
  })
})

describe("calls", () => {
  test("an unlimited approval is an approval, beside the call", () => {
    const reading = read(call(callData("approve(address,uint256)", [MALLORY.text, MAX])))
    expect(reading.effects).toMatchObject([
      { kind: "call", to: TOKEN.text, selector: "0x095ea7b3" },
      { kind: "approve", spender: MALLORY.text, amount: MAX, asset: `${CHAIN}/trc20:${TOKEN.text}` },
    ])
    expect(intentText(reading)[1]).toContain("approve unlimited")
  })
  test("an approval hidden in a multicall is found", () => {
    const approve = fromHex(callData("approve(address,uint256)", [MALLORY.text, MAX]))
    const effects = read(call(callData("multicall(bytes[])", [[approve]]))).effects
    expect(effects[0]).toMatchObject({ kind: "call", selector: "0xac9650d8" })
    expect(effects).toContainEqual(expect.objectContaining({ kind: "approve", spender: MALLORY.text }))
  })
  test("value and tokens that go with a call are transfers", () => {
    const effects = read(
      call(callData("transfer(address,uint256)", [MALLORY.text, 0n]), {
        ...{ call_value: 7, call_token_value: 9, token_id: 1_002_000 },
      }),
    ).effects
    expect(effects).toMatchObject([
      { kind: "transfer", to: TOKEN.text, asset: `${CHAIN}/trc10:1002000`, amount: 9n },
      { kind: "transfer", to: TOKEN.text, asset: NATIVE, amount: 7n },
      { kind: "call", value: 7n },
      { kind: "transfer", to: MALLORY.text, asset: `${CHAIN}/trc20:${TOKEN.text}`, amount: 0n },
    ])
  })
  test("sloppy call data is refused: bytes before an address, bytes too many, bytes too few", () => {
    const data = callData("transfer(address,uint256)", [MALLORY.text, 5n])
    const before = (byte: string, at = 22) => `${data.slice(0, 8 + at)}${byte}${data.slice(10 + at)}`
    expect(read(call(data)).effects).toHaveLength(2)
    for (const sloppy of [before("42"), before("41", 20), before("01", 0), `${data}00`, data.slice(0, -2)]) {
      expect(decode(call(sloppy))).toMatchObject({ code: "E-INT-025" })
    }
    // but for the prefix of TRON's own addresses, which is the same address; the call keeps its bytes
    const [outer, inner] = read(call(before("41"))).effects
    expect(outer).toMatchObject({ kind: "call", data: fromHex(before("41")) })
    expect(inner).toEqual(read(call(data)).effects[1]!)
    // an amount is no address
    const huge = `${data.slice(0, 8 + 64 + 22)}41${data.slice(8 + 64 + 24)}`
    expect(read(call(huge)).effects[1]).toMatchObject({ amount: (0x41n << 160n) + 5n })
  })
  test("a look-alike token is its contract's address, whatever its symbol", () => {
    expect(read(call(callData("transfer(address,uint256)", [MALLORY.text, 5n]))).effects[1]).toMatchObject({
      asset: `${CHAIN}/trc20:${TOKEN.text}`,
    })
  })
})

describe("what can take an account away", () => {
  test("a permission update names every key, its weight and what it may do", () => {
    const keys = [{ address: MALLORY.hex, weight: 1 }]
    const bytes = transaction({
      type: "AccountPermissionUpdateContract",
      value: {
        owner_address: KEY.account.hex,
        owner: { type: 0, permission_name: "owner\u202e", threshold: 1, keys },
        actives: [{ type: 2, id: 2, permission_name: "all", threshold: 1, operations: "7f".repeat(32), keys }],
      },
    })
    const reading = read(bytes)
    expect(reading.effects).toMatchObject([
      {
        kind: "set_authority",
        role: 'owner permission "owner\\u{202e}", weight 1',
        authority: MALLORY.text,
        threshold: 1n,
      },
      { kind: "set_authority", role: `active 2 permission "all" for ${"7f".repeat(32)}, weight 1` },
    ])
    expect(reading.fee.max).toBeGreaterThan(100_000_000n)
  })
  test("a type that is not taken apart is a call to nobody that an entry could name", () => {
    const bytes = transaction({
      type: "ExchangeInjectContract",
      value: { owner_address: KEY.account.hex, exchange_id: 1, token_id: "5f", quant: 1_000_000 },
    })
    expect(read(bytes).effects).toMatchObject([
      { kind: "call", selector: "ExchangeInjectContract", to: { unresolved: "the chain itself" } },
    ])
  })
})

describe("destinations that look like none", () => {
  test("oneself, the zero address, and the most that a token can move: all are named", () => {
    const zero = addressOf(new Uint8Array(20))
    expect(read(transfer(KEY.account, KEY.account)).effects).toMatchObject([{ kind: "transfer", to: KEY.account.text }])
    expect(read(transfer(KEY.account, zero)).effects).toMatchObject([{ kind: "transfer", to: zero.text }])
    const effects = read(call(callData("transfer(address,uint256)", [zero.text, MAX]))).effects
    expect(effects[1]).toMatchObject({ kind: "transfer", to: zero.text, amount: MAX })
  })
})

describe("fees", () => {
  test("many transfers of nothing cost something", () => {
    const reading = read(transfer(KEY.account, MALLORY, 0))
    expect(reading.effects).toMatchObject([{ kind: "transfer", amount: 0n }])
    expect(reading.fee.max).toBeGreaterThan(1_100_000n)
  })
  test("energy counts up to its limit, bandwidth by its length, a memo at once", () => {
    const plain = read(transfer())
    const memo = read(transfer(KEY.account, MALLORY, 5, { memo: "616263" }))
    // a tag, a length and three letters, and a second byte for the length of it all, which is 128 now
    expect(memo.fee.max - plain.fee.max).toBe(1_000_000n + 6n * 1000n)
    expect(memo.effects[1]).toEqual({ kind: "memo", data: fromHex("616263") })
    const limited = read(transfer(KEY.account, MALLORY, 5, { feeLimit: 15_000_000_000 }))
    expect(limited.fee.max).toBeGreaterThan(15_000_000_000n)
  })
})
