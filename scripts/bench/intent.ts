/**
 * Intents: how long a node takes to read a payload and to bind it (reading, hash, words). Payloads of EVM: a payment, a token
 * transfer, a batch of 100, typed data, a message. A task has at most a few of them, on the main thread.
 */
import { encodeFunctionData, type Hex, parseAbi, serializeTransaction } from "viem"
import { fromHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { defaultChainsOf } from "../../src/intent/caip.ts"
import { contextOf } from "../../src/intent/context.ts"
import { DEFAULT_SETTINGS } from "../../src/intent/decoder.ts"
import { intentHash } from "../../src/intent/hash.ts"
import { read } from "../../src/intent/read.ts"
import { type Format, isProblem } from "../../src/intent/reading.ts"
import { intentText } from "../../src/intent/text.ts"

interface Row {
  readonly op: string
  readonly bytes: number
  readonly effects: number
  readonly p50_ms: number
  readonly p99_ms: number
}

const ROUNDS = 2_000
const PATH = [44, 60, 0, 0, 5]
const TO = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"

export async function benchIntent(): Promise<Row[]> {
  const abi = parseAbi(["function transfer(address,uint256)", "function multicall(bytes[])"])
  const send = encodeFunctionData({ abi, functionName: "transfer", args: [TO, 5n] })
  const batch = encodeFunctionData({ abi, functionName: "multicall", args: [Array<Hex>(100).fill(send)] })
  return [
    await row("payment", "evm/transaction", transaction("0x")),
    await row("token transfer", "evm/transaction", transaction(send)),
    await row("100 token transfers", "evm/transaction", transaction(batch)),
    await row("typed data", "evm/typed-data", utf8(TYPED)),
    await row("message", "evm/message", utf8("Sign in to example.org, please")),
  ]
}

function transaction(data: Hex): Uint8Array {
  const hex = serializeTransaction({
    type: "eip1559",
    chainId: 1,
    gas: 90_000n,
    maxFeePerGas: 9n,
    to: TOKEN,
    data,
    value: 1n,
  })
  return fromHex(hex.slice(2)) ?? new Uint8Array(0)
}

async function row(op: string, format: Format, data: Uint8Array): Promise<Row> {
  const key = { curve: "secp256k1", publicKey: K1.encodePoint(K1.generator), chainCode: new Uint8Array(32) } as const
  const surroundings = { chainsOf: defaultChainsOf, settings: DEFAULT_SETTINGS }
  const context = contextOf(key, [{ path: PATH, signature: "ECDSA" }], surroundings)
  const times: number[] = []
  let effects = 0
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now()
    const reading = await read({ format, data }, context)
    if (isProblem(reading)) throw new Error(`${op}: ${reading.message}`)
    intentHash(reading, "xpub")
    effects = intentText(reading).length
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const at = (share: number) => Number((times[Math.floor(times.length * share)] ?? 0).toFixed(3))
  return { op, bytes: data.length, effects, p50_ms: at(0.5), p99_ms: at(0.99) }
}

const MEMBERS = ["address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline"]
const TYPED = JSON.stringify({
  types: {
    EIP712Domain: [
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    Allowance: MEMBERS.map((text) => ({ type: text.split(" ")[0], name: text.split(" ")[1] })),
  },
  primaryType: "Allowance",
  domain: { chainId: 1, verifyingContract: TOKEN },
  message: { owner: TO, spender: TO, value: 5, nonce: 0, deadline: 9 },
})
