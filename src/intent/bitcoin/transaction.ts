/**
 * Bitcoin transactions, read strictly (BIP-144's serialisation, with and without witnesses): what was read has only this one
 * serialisation. Owns the layout, the transaction id, and the checks that apply to any transaction.
 */
import { type Bytes, bigToLe, concat, copy, toHex } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import type { IntentCode } from "../../errors/intent.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"
import { count, encodeCompactSize, encodeSized, sized } from "./compactSize.ts"

interface Outpoint {
  /** 32 bytes in the order of the serialisation; people see them reversed. */
  readonly txid: Uint8Array
  readonly index: number
}

export interface TxInput {
  readonly outpoint: Outpoint
  readonly scriptSig: Uint8Array
  readonly sequence: number
}

export interface TxOutput {
  /** Satoshi, at most MAX_MONEY. */
  readonly amount: bigint
  readonly script: Uint8Array
}

export interface BitcoinTransaction {
  /** Its four bytes as an unsigned number: consensus forbids no version. */
  readonly version: number
  readonly inputs: readonly TxInput[]
  readonly outputs: readonly TxOutput[]
  readonly lockTime: number
}

interface ReadTransaction extends BitcoinTransaction {
  /** The 32 bytes by which inputs name it: SHA-256 twice over the serialisation without witnesses. */
  readonly txid: Bytes
}

/** Bytes of a payload and their offset in it. */
export interface PlacedBytes {
  readonly bytes: Uint8Array
  readonly offset: number
}

/** 21 million coins in satoshi. No output has more, and no sum of outputs. */
export const MAX_MONEY = 2_100_000_000_000_000n

const LEAST_INPUT = 41
const LEAST_OUTPUT = 9

/**
 * The transaction in `placed`. Witnesses are read and ignored, because the id does not cover them. Refused with `code`: everything
 * that has a second serialisation (lengths that are not the shortest, a witness mark over witnesses that are all empty), bytes
 * after the end, impossible amounts, and a transaction without inputs, which cannot be distinguished from a witness mark.
 */
export function readTransaction(
  { bytes, offset }: PlacedBytes,
  witnesses: "allowed" | "none",
  code: IntentCode,
): ReadTransaction {
  const cursor = new Cursor(bytes, code, offset)
  const version = cursor.uintLe(4)
  const marked = bytes[4] === 0 && bytes[5] === 1
  if (marked && witnesses === "none") refuse(code, `byte ${offset + 4}`, "a witness mark in an unsigned transaction")
  if (marked) cursor.view(2)
  const body = cursor.offset - offset
  const inputs = list(cursor, "the number of inputs", LEAST_INPUT, readInput)
  if (inputs.length === 0) refuse(code, `byte ${offset + 4}`, "a transaction without inputs")
  const outputs = list(cursor, "the number of outputs", LEAST_OUTPUT, readOutput)
  const witnessed = cursor.offset - offset
  if (marked) skipWitnesses(cursor, inputs.length)
  const lockTime = cursor.uintLe(4)
  cursor.end()
  if (outputs.reduce((sum, { amount }) => sum + amount, 0n) > MAX_MONEY) {
    refuse(code, `byte ${offset}`, "the outputs together are above 21 million coins")
  }
  const txid = sha256d(concat(bytes.subarray(0, 4), bytes.subarray(body, witnessed), bytes.subarray(-4)))
  return { version, inputs, outputs, lockTime, txid }
}

/** One output and nothing after it: the value of PSBT_IN_WITNESS_UTXO. */
export function readLoneOutput({ bytes, offset }: PlacedBytes, code: IntentCode): TxOutput {
  const cursor = new Cursor(bytes, code, offset)
  const output = readOutput(cursor)
  cursor.end()
  return output
}

function list<T>(cursor: Cursor, what: string, least: number, read: (cursor: Cursor) => T): readonly T[] {
  return Array.from({ length: count(cursor, what, least) }, () => read(cursor))
}

function readInput(cursor: Cursor): TxInput {
  const outpoint = { txid: cursor.view(32), index: cursor.uintLe(4) }
  const scriptSig = sized(cursor, "the length of a scriptSig")
  return { outpoint, scriptSig, sequence: cursor.uintLe(4) }
}

function readOutput(cursor: Cursor): TxOutput {
  const { offset } = cursor
  const amount = cursor.bigLe(8)
  if (amount > MAX_MONEY) refuse(cursor.code, `byte ${offset}`, "an amount above 21 million coins")
  return { amount, script: sized(cursor, "the length of a script") }
}

function skipWitnesses(cursor: Cursor, inputs: number): void {
  const { offset } = cursor
  let items = 0
  for (let input = 0; input < inputs; input++) {
    const stack = count(cursor, "the number of witness items", 1)
    for (let item = 0; item < stack; item++) sized(cursor, "the length of a witness item")
    items += stack
  }
  if (items === 0) refuse(cursor.code, `byte ${offset}`, "a witness mark, and all witnesses are empty")
}

// ---- serialisation -------------------------------------------------------------------------------------------------

export const u64le = (value: bigint): Bytes => bigToLe(value, 8)

export function u32le(value: number): Bytes {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value, true)
  return out
}

/** Payloads can make these lists too long to be the arguments of one call. */
export const join = (parts: readonly Uint8Array[]): Bytes => copy(Buffer.concat(parts))

export const outpointBytes = ({ txid, index }: Outpoint): Bytes => concat(txid, u32le(index))
export const outputBytes = ({ amount, script }: TxOutput): Bytes => concat(u64le(amount), encodeSized(script))

/** Without witnesses, as the id and the oldest signature hash cover it. */
export function serialized({ version, inputs, outputs, lockTime }: BitcoinTransaction): Bytes {
  return concat(
    u32le(version),
    encodeCompactSize(inputs.length),
    join(
      inputs.map((input) => concat(outpointBytes(input.outpoint), encodeSized(input.scriptSig), u32le(input.sequence))),
    ),
    encodeCompactSize(outputs.length),
    join(outputs.map(outputBytes)),
    u32le(lockTime),
  )
}

export const sha256d = (bytes: Uint8Array): Bytes => sha256(sha256(bytes))

/** `<id as explorers show it>:<index>`. */
export const outpointText = ({ txid, index }: Outpoint): string => `${toHex(copy(txid).reverse())}:${index}`
