/** WaaS, or whoever speaks through it, tries to have something signed that was not approved: each attempt against real code. */
import { describe, expect, test } from "bun:test"
import {
  encodeFunctionData,
  getAddress,
  type Hex,
  hashMessage,
  hashTypedData,
  keccak256,
  maxUint256,
  parseAbi,
  serializeTransaction,
  stringToBytes,
  toBytes,
} from "viem"
import { check } from "../../../src/intent/check.ts"
import type { Context } from "../../../src/intent/decoder.ts"
import { intentHashText } from "../../../src/intent/hash.ts"
import { read } from "../../../src/intent/read.ts"
import { type Format, isProblem, type Reading } from "../../../src/intent/reading.ts"
import { intentText } from "../../../src/intent/text.ts"
import { signedAuthorization } from "./arbitrary.ts"
import { bytesOf, contextFor, kinds, MAINNET, OWNER, PATH } from "./kit.ts"

const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const EXCHANGE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const THIEF = getAddress(`0x${"ee".repeat(20)}`)
const ABI = parseAbi([
  "function transfer(address,uint256)",
  "function approve(address,uint256)",
  "function multicall(bytes[])",
])
const fees = { gas: 50_000n, maxFeePerGas: 20n, maxPriorityFeePerGas: 1n }

/** What a node does with a task's message: read the payload, compare. */
async function judged(
  format: Format,
  payload: Hex | Uint8Array,
  hash: Hex,
  context: Context = MAINNET,
): Promise<Reading | string> {
  const data = typeof payload === "string" ? bytesOf(payload) : payload
  const decoded = await read({ format, data }, context)
  if (isProblem(decoded)) return decoded.code
  return check(decoded, [{ path: PATH, hash: bytesOf(hash) }])?.code ?? decoded
}

const transactionTo = (to: Hex, value = 1n, data: Hex = "0x", chainId = 1): Hex =>
  serializeTransaction({ type: "eip1559", chainId, nonce: 1, to, value, data, ...fees })

async function readAs(format: Format, payload: Hex | Uint8Array, hash: Hex, context?: Context): Promise<Reading> {
  const found = await judged(format, payload, hash, context)
  if (typeof found === "string") throw new Error(found)
  return found
}

const transaction = (payload: Hex): Promise<Reading> => readAs("evm/transaction", payload, keccak256(payload))

describe("the hash is not the payload's", () => {
  test("another transaction's hash behind an approved payload", async () => {
    const shown = transactionTo(EXCHANGE)
    expect(await judged("evm/transaction", shown, keccak256(transactionTo(THIEF)))).toBe("E-INT-005")
    expect(typeof (await judged("evm/transaction", shown, keccak256(shown)))).toBe("object")
  })
  test("one byte of the destination, of the amount, of the chain: another digest, another intent", async () => {
    const [a, b, c] = [transactionTo(EXCHANGE), transactionTo(THIEF), transactionTo(EXCHANGE, 2n)]
    const readings = await Promise.all([a, b, c].map(transaction))
    expect(new Set(readings.map((reading) => intentHashText(reading, "xpub"))).size).toBe(3)
    expect(await judged("evm/transaction", a, keccak256(b))).toBe("E-INT-005")
  })
  test("a payload of another chain, and a transaction of mainnet on a path of a test network", async () => {
    const optimism = transactionTo(EXCHANGE, 1n, "0x", 10)
    expect(await judged("evm/transaction", optimism, keccak256(optimism))).toBe("E-INT-004")
    const mainnet = transactionTo(EXCHANGE)
    const sepolia = contextFor(["eip155:11155111"])
    expect(await judged("evm/transaction", mainnet, keccak256(mainnet), sepolia)).toBe("E-INT-004")
  })
  test("one payload in two formats has two digests", async () => {
    const payload = transactionTo(EXCHANGE)
    expect(await judged("evm/message", payload, keccak256(payload))).toBe("E-INT-005")
    expect(await judged("evm/authorization", payload, keccak256(payload))).toBe("E-INT-021")
    expect(await judged("evm/typed-data", payload, keccak256(payload))).toBe("E-INT-028")
  })
})

describe("a permit", () => {
  const typed = {
    types: {
      EIP712Domain: [
        { name: "name", type: "string" },
        { name: "chainId", type: "uint256" },
        { name: "verifyingContract", type: "address" },
      ],
      Permit: ["address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline"].map(
        (text) => ({
          type: text.split(" ")[0] ?? "",
          name: text.split(" ")[1] ?? "",
        }),
      ),
    },
    primaryType: "Permit",
    domain: { name: "USD Coin", chainId: 1, verifyingContract: USDC },
    message: { owner: OWNER.address, spender: THIEF, value: maxUint256.toString(), nonce: 0, deadline: 9_999_999_999 },
  } as const
  const digest = hashTypedData(typed as unknown as Parameters<typeof hashTypedData>[0])

  test("signed as a login message: the digest is not the message's", async () => {
    expect(await judged("evm/message", stringToBytes("Sign in to example.org"), digest)).toBe("E-INT-005")
    expect(await judged("evm/message", stringToBytes(JSON.stringify(typed)), digest)).toBe("E-INT-005")
  })
  test("as the 32 bytes of a login message: opaque, whatever it is called", async () => {
    const reading = await readAs("evm/message", toBytes(digest), hashMessage({ raw: digest }))
    expect(kinds(reading)).toEqual(["opaque_hash"])
  })
  test("as what it is: an approval without a limit, said so", async () => {
    const reading = await readAs("evm/typed-data", stringToBytes(JSON.stringify(typed)), digest)
    expect(kinds(reading)).toEqual(["typed_data", "permit"])
    expect(intentText(reading)[1]).toContain(`permit unlimited (${maxUint256} base units of)`)
    expect(intentText(reading)[1]).toContain(THIEF)
  })
  test("under a type with the wrong name, it is still typed data that needs an entry", async () => {
    const { Permit, EIP712Domain } = typed.types
    const renamed = { ...typed, types: { EIP712Domain, Login: Permit }, primaryType: "Login" }
    const hash = hashTypedData(renamed as unknown as Parameters<typeof hashTypedData>[0])
    expect(kinds(await readAs("evm/typed-data", stringToBytes(JSON.stringify(renamed)), hash))).toEqual(["typed_data"])
  })
})

describe("hidden", () => {
  const unlimited = encodeFunctionData({ abi: ABI, functionName: "approve", args: [THIEF, maxUint256] })
  const payment = encodeFunctionData({ abi: ABI, functionName: "transfer", args: [EXCHANGE, 5n] })

  test("an approval without a limit in a multicall in a multicall", async () => {
    const inner = encodeFunctionData({ abi: ABI, functionName: "multicall", args: [[payment, unlimited]] })
    const outer = encodeFunctionData({ abi: ABI, functionName: "multicall", args: [[payment, inner]] })
    const reading = await transaction(transactionTo(USDC, 0n, outer))
    expect(reading.effects).toContainEqual({
      kind: "approve",
      from: OWNER.address,
      spender: THIEF,
      asset: `eip155:1/erc20:${USDC.toLowerCase()}`,
      amount: maxUint256,
    })
    expect(kinds(reading).filter((kind) => kind === "call")).toHaveLength(5)
  })
  test("a Safe owner's SafeTx with a delegatecall that looks like a payment", async () => {
    const list =
      "address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce"
    const zero = `0x${"00".repeat(20)}`
    const typed = {
      types: {
        EIP712Domain: [
          { name: "chainId", type: "uint256" },
          { name: "verifyingContract", type: "address" },
        ],
        SafeTx: list.split(",").map((text) => ({ type: text.split(" ")[0] ?? "", name: text.split(" ")[1] ?? "" })),
      },
      primaryType: "SafeTx",
      domain: { chainId: 1, verifyingContract: EXCHANGE },
      message: {
        ...{ to: THIEF, value: "0", data: payment, operation: 1, safeTxGas: "0", baseGas: "0", gasPrice: "0" },
        ...{ gasToken: zero, refundReceiver: zero, nonce: "7" },
      },
    }
    const hash = hashTypedData(typed as unknown as Parameters<typeof hashTypedData>[0])
    const reading = await readAs("evm/typed-data", stringToBytes(JSON.stringify(typed)), hash)
    expect(kinds(reading)).toEqual(["typed_data", "delegatecall"])
  })
  test("an EIP-7702 delegation behind a payment", async () => {
    const authorization = await signedAuthorization({ chainId: 0, nonce: 3, address: THIEF })
    const payload = serializeTransaction({
      type: "eip7702",
      chainId: 1,
      nonce: 1,
      to: EXCHANGE,
      value: 1n,
      authorizationList: [authorization],
      ...fees,
    })
    expect(kinds(await transaction(payload))).toEqual(["delegate_7702", "transfer"])
  })
  test("a second message over the same payload, with another path", async () => {
    const payload = transactionTo(EXCHANGE)
    const [asked = MAINNET.messages[0]!] = MAINNET.messages
    const twice = { ...MAINNET, messages: [asked, { ...asked, path: [44, 60, 0, 0, 1] }] }
    expect(await judged("evm/transaction", payload, keccak256(payload), twice)).toBe("E-INT-006")
    const reading = await transaction(payload)
    const hash = bytesOf(keccak256(payload))
    expect(
      check(reading, [
        { path: PATH, hash },
        { path: [44, 60, 0, 0, 1], hash },
      ])?.code,
    ).toBe("E-INT-006")
    expect(check(reading, [{ path: [44, 60, 0, 0, 1], hash }])?.code).toBe("E-INT-006")
  })
})

describe("look-alikes", () => {
  const names = {
    asset: (id: string) => (id === `eip155:1/erc20:${USDC.toLowerCase()}` ? { name: "USDC", decimals: 6 } : undefined),
    names: (_: string, address: string) => (address === EXCHANGE ? ["exchange"] : []),
    call: () => undefined,
  }
  const payment = (to: Hex): Hex => encodeFunctionData({ abi: ABI, functionName: "transfer", args: [to, 5_000_000n] })

  test("a token that calls itself USDC at another address is unlisted, and its decimals are not believed", async () => {
    const fake = getAddress(`${USDC.slice(0, -1)}9`.toLowerCase())
    const lines = async (token: Hex) =>
      intentText(await transaction(transactionTo(token, 0n, payment(EXCHANGE))), names)[1] ?? ""
    expect(await lines(USDC)).toStartWith(`transfer 5 USDC to ${EXCHANGE} (@exchange)`)
    expect(await lines(fake)).toStartWith(
      `transfer 5000000 base units of unlisted eip155:1/erc20:${fake.toLowerCase()} to ${EXCHANGE}`,
    )
  })
  test("an address with the same ends has no name, and is written out", async () => {
    const twin = getAddress(`0x0f76${"0".repeat(32)}c97f`)
    const [, line = ""] = intentText(await transaction(transactionTo(USDC, 0n, payment(twin))), names)
    expect(line).toContain(twin)
    expect(line).not.toContain("@exchange")
  })
})

test("a payload of the largest size is read in a second, whatever is in it", async () => {
  const size = 1_000_000
  const word = (value: number) => value.toString(16).padStart(64, "0")
  const calls = (count: number, data: string) => {
    const item = word(data.length / 2) + data.padEnd(Math.ceil(data.length / 64) * 64, "0")
    const heads = Array.from({ length: count }, (_, i) => word(count * 32 + (i * item.length) / 2)).join("")
    return `0xac9650d8${word(32)}${word(count)}${heads}${item.repeat(count)}` as Hex
  }
  const nested = (levels: number): Hex =>
    levels === 0 ? `0xdeadbeef${"ab".repeat(size)}` : calls(1, nested(levels - 1).slice(2))
  /** Permit2's transfers of as many different tokens, from and to as many accounts. */
  const transfers = (count: number): Hex => {
    const rows = Array.from({ length: count }, (_, i) => word(0x1234567 + i * 7919).repeat(4)).join("")
    return `0x0d58b1db${word(32)}${word(count)}${rows}`
  }
  const zeros: Hex = `0x${"00".repeat(size)}`
  const many = Array.from({ length: 18_000 }, (): { address: Hex; storageKeys: Hex[] } => ({
    address: USDC,
    storageKeys: [`0x${"ab".repeat(32)}`] as Hex[],
  }))
  const payloads = [
    transactionTo(USDC, 0n, zeros),
    transactionTo(USDC, 0n, nested(8)),
    transactionTo(USDC, 0n, calls(4000, "deadbeef")),
    transactionTo(USDC, 0n, calls(10_000, "deadbeef")),
    transactionTo(USDC, 0n, transfers(8000)),
    transactionTo(USDC, 0n, `0xac9650d8${word(32)}${word(30_000)}${word(32).repeat(30_000)}`),
    serializeTransaction({ type: "eip1559", chainId: 1, accessList: many, to: USDC, ...fees }),
    `0x02${"c0".repeat(size)}` as Hex,
    `0x02fa0f4240${"80".repeat(size)}` as Hex,
  ]
  const codes: string[] = []
  for (const payload of payloads) {
    const start = performance.now()
    const found = await judged("evm/transaction", payload, keccak256(payload))
    codes.push(typeof found === "string" ? found : "read")
    expect(performance.now() - start).toBeLessThan(10_000)
  }
  expect(codes).toEqual([
    "read",
    "read",
    "read",
    "E-INT-003",
    "E-INT-003",
    "E-INT-025",
    "read",
    "E-INT-020",
    "E-INT-022",
  ])
})
