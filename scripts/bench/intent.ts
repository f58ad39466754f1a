/**
 * Intents: how long a node takes to read a payload and to bind it (reading, hash, words), and to judge it by rules, for each
 * chain; and how long the largest payload holds the main thread, which a thread of its own reads.
 */
import { readFileSync } from "node:fs"
import { getTransferSolInstruction } from "@solana-program/system"
import { encodeFunctionData, type Hex, keccak256, parseAbi, serializeTransaction } from "viem"
import { fromHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { defaultChainsOf, SOLANA } from "../../src/intent/caip.ts"
import { contextOf } from "../../src/intent/context.ts"
import { type Context, DEFAULT_SETTINGS } from "../../src/intent/decoder.ts"
import { intentHash } from "../../src/intent/hash.ts"
import { read } from "../../src/intent/read.ts"
import { type Format, isProblem, type Reading } from "../../src/intent/reading.ts"
import { intentText } from "../../src/intent/text.ts"
import { encodeExtendedPublicKey, rootPublicKey } from "../../src/keys/extendedKey.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { EFFECT_KINDS } from "../../src/policy/entrySchema.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { NO_NAMES } from "../../src/policy/names.ts"
import type { KeySignRequest } from "../../src/policy/request.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { intentKeyOf, intentSettingsOf, isUnread, readIntents } from "../../src/tasks/intents.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { startReader } from "../../src/workers/reader.ts"
import {
  ALICE,
  back,
  CHANGE,
  contextFor,
  P2WPKH,
  P2WPKH_2,
  PAYMENT,
  pay,
  planWith,
  spend,
} from "../../test/intent/bitcoin/simple.ts"
import { encode as encodePsbt } from "../../test/intent/bitcoin/wallet.ts"
import {
  compile,
  signer,
  addressOf as solanaAddress,
  numbered as solanaNumbered,
} from "../../test/intent/solana/kit.ts"
import { KEYS as TRON_KEYS, contextOf as tronContext } from "../../test/intent/tron/scenario.ts"
import { encode as encodeTron, numbered as tronNumbered } from "../../test/intent/tron/web.ts"

interface Row {
  readonly op: string
  readonly bytes: number
  readonly effects: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** The rules alone. */
  readonly judge_p50_ms?: number
  readonly judge_p99_ms?: number
}

const ROUNDS = 2_000
const PATH = [44, 60, 0, 0, 5]
const TO = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const TOKEN = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const ABI = parseAbi(["function transfer(address,uint256)", "function multicall(bytes[])"])
const SEND = encodeFunctionData({ abi: ABI, functionName: "transfer", args: [TO, 5n] })
const batch = (count: number): Hex =>
  encodeFunctionData({ abi: ABI, functionName: "multicall", args: [Array<Hex>(count).fill(SEND)] })

export async function benchIntent(): Promise<Row[]> {
  const evm = contextOf(
    { curve: "secp256k1", publicKey: K1.encodePoint(K1.generator), chainCode: new Uint8Array(32) },
    [{ path: PATH, signature: "ECDSA" }],
    { chainsOf: defaultChainsOf, settings: DEFAULT_SETTINGS },
  )
  const inputs = [spend(P2WPKH, 100_000n), spend(P2WPKH_2, 100_000n)]
  const many = planWith(inputs, [...Array.from({ length: 100 }, () => pay(ALICE, 1_000n)), back(CHANGE, 90_000n)])
  return [
    await row("evm: payment", "evm/transaction", transaction("0x"), evm),
    await row("evm: token transfer", "evm/transaction", transaction(SEND), evm),
    await row("evm: 100 token transfers", "evm/transaction", transaction(batch(100)), evm),
    await row("evm: typed data", "evm/typed-data", utf8(TYPED), evm),
    await row("evm: message", "evm/message", utf8("Sign in to example.org, please"), evm),
    await row("bitcoin: payment", "bitcoin/psbt", encodePsbt(PAYMENT), contextFor(PAYMENT)),
    await row("bitcoin: 2 inputs, 101 outputs", "bitcoin/psbt", encodePsbt(many), contextFor(many)),
    await row("solana: payment", "solana/message", ...solana(1)),
    await row("solana: 10 payments", "solana/message", ...solana(10)),
    await row("tron: payment", "tron/transaction", ...tron("TransferContract")),
    await row("tron: token transfer", "tron/transaction", ...tron("TriggerSmartContract")),
    await heldBy(12_000),
  ]
}

function transaction(data: Hex): Uint8Array<ArrayBuffer> {
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

function solana(payments: number): [Uint8Array, Context] {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
  const source = solanaAddress(key)
  const transfers = Array.from({ length: payments }, (_, i) =>
    getTransferSolInstruction({ source: signer(source), destination: solanaNumbered("r", i + 1), amount: 5n }),
  )
  const envelope = { version: 0 as const, feePayer: source, blockhash: solanaNumbered("b", 1), tables: {} }
  const context: Context = {
    curve: "ed25519",
    messages: [{ path: [44, 501, 0, 0], publicKey: key, signature: "EdDSA" }],
    derive: () => undefined,
    chains: [SOLANA],
    settings: DEFAULT_SETTINGS,
  }
  return [compile(transfers, envelope).bytes, context]
}

function tron(type: "TransferContract" | "TriggerSmartContract"): [Uint8Array, Context] {
  const [key] = TRON_KEYS
  if (key === undefined) throw new Error("there is a key")
  const owner_address = key.account.hex
  const payment = { owner_address, to_address: tronNumbered("r", 1).hex, amount: 5 }
  const call = { owner_address, contract_address: tronNumbered("t", 1).hex, data: SEND.slice(2) }
  const { bytes } = encodeTron({
    type,
    value: type === "TransferContract" ? payment : call,
    refBlock: "0001",
    refHash: "0011223344556677",
    expiration: 1_795_340_699_000,
    ...(type === "TransferContract" ? {} : { feeLimit: 100_000_000 }),
  })
  return [bytes, tronContext(key)]
}

/** Everything passes, by the last entry that is asked. */
const RULES = (chain: string) => {
  const checked = checkRules({
    enable: true,
    key_sign: {
      reject_all: false,
      allow: [
        ...Array.from({ length: 20 }, (_, i) => ({ name: `a${i}`, effects: ["deploy"] })),
        { name: "z", effects: [...EFFECT_KINDS], chains: [chain], max_fee: ["any"], unbounded_fee: true },
        {
          name: "zz",
          effects: [...EFFECT_KINDS],
          chains: [chain],
          assets: ASSETS,
          max_fee: ["any"],
          unbounded_fee: true,
        },
      ],
      deny: [{ name: "never", effects: ["opaque_hash"] }],
    },
  })
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}
const ASSETS = ["ETH", "BTC", "SOL", "TRX", `eip155:1/erc20:${TOKEN.toLowerCase()}`]

async function row(op: string, format: Format, data: Uint8Array, context: Context): Promise<Row> {
  const reads: number[] = []
  let reading: Reading | undefined
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now()
    const decoded = await read({ format, data }, context)
    if (isProblem(decoded)) throw new Error(`${op}: ${decoded.message} (${decoded.at})`)
    intentHash(decoded, "xpub")
    intentText(decoded)
    reads.push(performance.now() - start)
    reading = decoded
  }
  if (reading === undefined) throw new Error("it was read")
  const judged = judgeTimes(reading)
  return {
    op,
    bytes: data.length,
    effects: reading.effects.length,
    p50_ms: at(reads, 0.5),
    p99_ms: at(reads, 0.99),
    judge_p50_ms: at(judged, 0.5),
    judge_p99_ms: at(judged, 0.99),
  }
}

/** By rules that are asked of every effect; what they say does not matter here. */
function judgeTimes(reading: Reading): readonly number[] {
  const rules = RULES(reading.chain)
  const request: KeySignRequest = {
    type: "key_sign",
    taskId: "task",
    extraInfo: {},
    groupId: "group",
    rootPubKey: "xpub",
    rootKey: "secp256k1/02aa",
    curve: "secp256k1",
    signatureType: "ECDSA",
    usedNodeIds: ["a", "b"],
    intents: [{ reading, accounts: new Map() }],
    messages: reading.signs.map(({ path }) => ({ path: path ?? [], hash: "0x", payload: 0 })),
  }
  return Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    evaluate(rules, request, NO_USAGE, 1_795_340_699_000)
    return performance.now() - start
  })
}

const at = (times: readonly number[], share: number): number =>
  Number((times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? 0).toFixed(3))

/** What the main thread computes while a payload of that many addresses is read: p50 and p99 of 20 payloads. */
async function heldBy(addresses: number): Promise<Row> {
  const list = Array.from({ length: addresses }, (_, i) => `"0x${i.toString(16).padStart(40, "a")}"`).join(",")
  const data = utf8(
    `{"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"}],"A":[{"name":"x","type":"address[]"}]},"primaryType":"A","domain":{"chainId":1},"message":{"x":[${list}]}}`,
  )
  const key = intentKeyOf(
    encodeExtendedPublicKey(rootPublicKey("secp256k1", K1.encodePoint(K1.generator), new Uint8Array(32))),
  )
  const reader = startReader()
  const settings = { ...intentSettingsOf(NO_NAMES), elsewhere: reader.read }
  const task = (await taskOf(data, key, settings)) satisfies KeySignTask
  const held: number[] = []
  for (let i = 0; i < 20; i++) {
    const before = mainThreadMs()
    const intents = await readIntents(task, key, settings)
    if (isUnread(intents)) throw new Error(intents.message)
    held.push(mainThreadMs() - before)
  }
  reader.close()
  return { op: "main thread busy", bytes: data.length, effects: 1, p50_ms: at(held, 0.5), p99_ms: at(held, 0.99) }
}

/** Time on a core of this process's first thread. */
const mainThreadMs = (): number =>
  Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, "utf8").split(" ")[0]) / 1e6

/** Its digest is the reading's own, worked out first. */
async function taskOf(
  data: Uint8Array,
  key: ReturnType<typeof intentKeyOf>,
  settings: ReturnType<typeof intentSettingsOf>,
) {
  const context = contextOf(key, [{ path: PATH, signature: "ECDSA" }], settings)
  const reading = await read({ format: "evm/typed-data", data }, context)
  if (isProblem(reading)) throw new Error(reading.message)
  const [sign] = reading.signs
  const digest = sign === undefined ? keccak256("0x") : `0x${Buffer.from(sign.bytes).toString("hex")}`
  return {
    version: 2 as const,
    task_id: "t",
    biz_task_id: "b",
    created_ms: 1,
    deadline_ms: 2,
    extra_info: {},
    type: "KeySign" as const,
    group_id: "group",
    root_pub_key: key.rootKey,
    used_node_ids: [],
    signature_type: 1 as const,
    messages: [{ bip32_path: "m/44/60/0/0/5", msg_hash: digest, tweak: "", payload: 0 }],
    payloads: [{ format: "evm/typed-data", data: Buffer.from(data).toString("base64") }],
  }
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
