/**
 * Reading an unsigned EVM transaction (RLP, types 0 and 2), strictly, and the hashes of it: Keccak-256, which the chain signs, and
 * the intent hash, to which the node binds its session (docs/spec/intents.md 6.1).
 */
import { createHash } from "node:crypto"
import { keccak_256 } from "@noble/hashes/sha3.js"

/** The request is rejected, for this reason. */
export class Refused extends Error {}

export interface Payment {
  readonly chainId: bigint
  readonly nonce: bigint
  /** EIP-55. */
  readonly to: string
  readonly amount: bigint
  readonly maxFee: bigint
}

export const keccak256 = (bytes: Uint8Array): Uint8Array => keccak_256(bytes)
export const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString("hex")}`

/** 20 bytes as EIP-55 spells them. */
export function addressOf(raw: Uint8Array): string {
  const digits = Buffer.from(raw).toString("hex")
  const marks = Buffer.from(keccak256(Buffer.from(digits))).toString("hex")
  return `0x${[...digits].map((digit, i) => (Number.parseInt(marks[i] ?? "0", 16) >= 8 ? digit.toUpperCase() : digit)).join("")}`
}

interface RlpItem {
  readonly isList: boolean
  readonly content: Uint8Array
  readonly rest: Uint8Array
}

const EMPTY = new Uint8Array(0)
const notRlp = () => new Refused("the raw transaction is not in the one form of RLP")

/** One item of RLP. Refuses every second way to write it. */
function readItem(bytes: Uint8Array): RlpItem {
  const [first] = bytes
  if (first === undefined) throw notRlp()
  if (first < 0x80) return { isList: false, content: bytes.subarray(0, 1), rest: bytes.subarray(1) }
  const isList = first >= 0xc0
  let length = first - (isList ? 0xc0 : 0x80)
  let start = 1
  if (length > 55) {
    const digits = bytes.subarray(1, 1 + length - 55)
    if (digits.length !== length - 55 || digits.length > 3 || digits[0] === 0) throw notRlp()
    start += digits.length
    length = digits.reduce((sum, digit) => sum * 256 + digit, 0)
    if (length <= 55) throw notRlp()
  }
  const content = bytes.subarray(start, start + length)
  if (content.length !== length || (!isList && length === 1 && (content[0] ?? 0) < 0x80)) throw notRlp()
  return { isList, content, rest: bytes.subarray(start + length) }
}

/** Refuses everything that is not exactly one unsigned payment without data, for one chain. */
export function readPayment(raw: Uint8Array): Payment {
  const typed = raw[0] === 2
  const whole = readItem(typed ? raw.subarray(1) : raw)
  if (!whole.isList || whole.rest.length > 0) throw notRlp()
  const fields: RlpItem[] = []
  for (let left = whole.content; left.length > 0; left = fields.at(-1)?.rest ?? EMPTY) fields.push(readItem(left))
  if (fields.length !== 9) throw new Refused("it has not the nine fields of an unsigned transaction with a chain id")
  // type 0: nonce, price, gas, to, value, data, chain, 0, 0; type 2: chain, nonce, tip, price, gas, to, value, data, []
  const [chain, nonce, tip, price, gas, to, value, data] = typed ? [0, 1, 2, 3, 4, 5, 6, 7] : [6, 0, 1, 1, 2, 3, 4, 5]
  const number = (at = 0): bigint => {
    const content = text(at)
    if (content.length > 32 || content[0] === 0) throw notRlp()
    return BigInt(`0x0${Buffer.from(content).toString("hex")}`)
  }
  const text = (at = 0): Uint8Array => {
    const field = fields[at]
    if (field === undefined || field.isList) throw notRlp()
    return field.content
  }
  const last = fields[8]
  const isClosed = last?.content.length === 0 && last.isList === typed && (typed || text(7).length === 0)
  if (!isClosed || text(to).length !== 20 || text(data).length !== 0 || number(tip) > number(price))
    throw new Refused("it is not a payment and nothing beside it")
  const maxFee = number(price) * number(gas)
  return { chainId: number(chain), nonce: number(nonce), to: addressOf(text(to)), amount: number(value), maxFee }
}

/** Undefined unless the text is a plain decimal number with at most this many decimals. */
export function decimal(text: unknown, decimals: number): bigint | undefined {
  const found = typeof text === "string" ? /^([0-9]{1,78})(?:\.([0-9]{1,77}))?$/.exec(text) : null
  const fraction = (found?.[2] ?? "").replace(/0+$/, "")
  return found === null || fraction.length > decimals
    ? undefined
    : BigInt(`${found[1]}${fraction.padEnd(decimals, "0")}`)
}

interface Hashed {
  readonly digest: Uint8Array
  readonly root: string
  readonly path: string
  readonly chain: string
  readonly asset: string
  readonly from: string
}

/** The hash of a reading with one transfer: docs/spec/intents.md 6.1. */
export function intentHashOf(payment: Payment, { digest, root, path, chain, asset, from }: Hashed): Uint8Array {
  const { amount, to, nonce, maxFee } = payment
  const fields = ["amount", `i${amount}`, "asset", `s${asset}`, "from", `s${from}`, "kind", "stransfer", "to", `s${to}`]
  return tagged(
    "intent",
    u32(1),
    "evm/transaction",
    root,
    chain,
    listed(from),
    tagged("intent/effect", ...fields),
    listed(`${maxFee}`, asset, "false"),
    listed(`${nonce}`),
    listed(),
    listed(listed(listed(path), listed(), digest)),
  )
}

type Part = string | Uint8Array

function u32(number: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}

const withLength = (part: Part): Buffer => Buffer.concat([u32(Buffer.from(part).length), Buffer.from(part)])
const listed = (...parts: readonly Part[]): Buffer => Buffer.concat([u32(parts.length), ...parts.map(withLength)])

/** H of docs/spec/threshold.md 1.4. */
function tagged(tag: string, ...fields: readonly Part[]): Buffer {
  const head = Buffer.concat([
    Buffer.from("TSSN1"),
    Buffer.from([tag.length]),
    Buffer.from(tag),
    Buffer.from([fields.length]),
  ])
  return createHash("sha256")
    .update(Buffer.concat([head, ...fields.map(withLength)]))
    .digest()
}
