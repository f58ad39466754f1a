/**
 * The bytes of a Solana message, legacy and version 0, read strictly: one message has one encoding here. The runtime's own
 * rules (Agave, `sanitize` of legacy and v0 messages) apply: header, indices, distinct keys, room for the signatures. This file does
 * not know the meaning of the instructions.
 */
import { encodeBase58 } from "../../keys/base58.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"

export interface SolanaMessage {
  readonly version: "legacy" | 0
  readonly requiredSignatures: number
  readonly readonlySigned: number
  readonly readonlyUnsigned: number
  /** In base58; signers first, the fee payer first among them. Indices of accounts from lookup tables follow these. */
  readonly keys: readonly string[]
  readonly blockhash: string
  readonly instructions: readonly CompiledInstruction[]
  readonly lookups: readonly Lookup[]
}

interface CompiledInstruction {
  readonly programIndex: number
  readonly accountIndices: readonly number[]
  /** A view of the payload. */
  readonly data: Uint8Array
  /** Where `data` begins in the payload. */
  readonly offset: number
}

interface Lookup {
  readonly table: string
  /** Entries of the table, by number. All tables' writable ones come first, then all read-only ones. */
  readonly writable: readonly number[]
  readonly readonly: readonly number[]
}

const MALFORMED = "E-INT-090"
const INCONSISTENT = "E-INT-092"
const TOO_LARGE = "E-INT-093"

/** What fits into one packet (1280 less IPv6 and fragment headers), signatures included. */
const MAX_TRANSACTION_BYTES = 1232
const SIGNATURE_BYTES = 64
/** Indices are one byte. */
const MAX_ACCOUNTS = 256

/** Refuses with E-INT-090 (bytes), -091 (version), -092 (header and indices), -093 (size). */
export function readMessage(bytes: Uint8Array): SolanaMessage {
  if (bytes.length > MAX_TRANSACTION_BYTES) refuse(TOO_LARGE, "message", `${bytes.length} bytes`)
  const cursor = new Cursor(bytes, MALFORMED)
  const version = readVersion(cursor)
  const [requiredSignatures, readonlySigned, readonlyUnsigned] = [cursor.u8(), cursor.u8(), cursor.u8()]
  const keys = readList(cursor, () => encodeBase58(cursor.view(32)))
  const blockhash = encodeBase58(cursor.view(32))
  const instructions = readList(cursor, () => readInstruction(cursor))
  const lookups = version === 0 ? readList(cursor, () => readLookup(cursor)) : []
  cursor.end()
  const message: SolanaMessage = {
    version,
    requiredSignatures,
    readonlySigned,
    readonlyUnsigned,
    keys,
    blockhash,
    instructions,
    lookups,
  }
  checkHeader(message)
  checkIndices(message)
  if (bytes.length + 1 + SIGNATURE_BYTES * requiredSignatures > MAX_TRANSACTION_BYTES)
    refuse(TOO_LARGE, "message", `${bytes.length} bytes and ${requiredSignatures} signatures`)
  return message
}

// A first byte with its high bit set is a version; without it, it is the legacy header's number of signatures.
function readVersion(cursor: Cursor): "legacy" | 0 {
  if (cursor.peek() < 0x80) return "legacy"
  const version = cursor.u8() & 0x7f
  return version === 0 ? 0 : refuse("E-INT-091", "byte 0", `version ${version}`)
}

/** "shortvec", a length of 16 bits in 1 to 3 bytes of 7 bits, lowest first, in the one shortest form. */
function readLength(cursor: Cursor): number {
  const at = `byte ${cursor.offset}`
  let value = 0
  for (let shift = 0; shift < 21; shift += 7) {
    const byte = cursor.u8()
    value |= (byte & 0x7f) << shift
    if (byte >= 0x80) continue
    if (byte === 0 && shift > 0) return refuse(MALFORMED, at, "a length is longer than it needs to be")
    return value <= 0xffff ? value : refuse(MALFORMED, at, "a length does not fit 16 bits")
  }
  return refuse(MALFORMED, at, "a length has more than three bytes")
}

function readList<T>(cursor: Cursor, item: () => T): readonly T[] {
  const length = readLength(cursor)
  // Every item has at least one byte, so nothing is allocated for a length that cannot be true.
  if (length > cursor.left)
    return refuse(MALFORMED, `byte ${cursor.offset}`, `a list of ${length}, and ${cursor.left} bytes are left`)
  return Array.from({ length }, item)
}

function readInstruction(cursor: Cursor): CompiledInstruction {
  const programIndex = cursor.u8()
  const accountIndices = readIndices(cursor)
  const length = readLength(cursor)
  const offset = cursor.offset
  return { programIndex, accountIndices, data: cursor.view(length), offset }
}

const readLookup = (cursor: Cursor): Lookup => ({
  table: encodeBase58(cursor.view(32)),
  writable: readIndices(cursor),
  readonly: readIndices(cursor),
})

const readIndices = (cursor: Cursor): readonly number[] => [...cursor.view(readLength(cursor))]

function checkHeader({ requiredSignatures, readonlySigned, readonlyUnsigned, keys }: SolanaMessage): void {
  if (requiredSignatures + readonlyUnsigned > keys.length)
    refuse(INCONSISTENT, "header", `${requiredSignatures} signers and ${readonlyUnsigned} others among ${keys.length}`)
  // This also demands a signer: the fee payer, who is always writable.
  if (readonlySigned >= requiredSignatures) refuse(INCONSISTENT, "header", "no writable signer to pay the fee")
  const [twice] = keys.filter((key, i) => keys.indexOf(key) !== i)
  if (twice !== undefined) refuse(INCONSISTENT, "account keys", `${twice} stands there twice`)
}

function checkIndices({ keys, instructions, lookups }: SolanaMessage): void {
  for (const [i, { writable, readonly }] of lookups.entries()) {
    if (writable.length + readonly.length === 0) refuse(INCONSISTENT, `lookup ${i}`, "it looks nothing up")
  }
  const total = keys.length + lookups.reduce((sum, one) => sum + one.writable.length + one.readonly.length, 0)
  if (total > MAX_ACCOUNTS) refuse(INCONSISTENT, "lookups", `${total} accounts, and an index has one byte`)
  for (const [i, { programIndex, accountIndices }] of instructions.entries()) {
    if (programIndex === 0) refuse(INCONSISTENT, `instruction ${i}`, "its program is the fee payer")
    // The runtime also refuses a program from a lookup table.
    if (programIndex >= keys.length) refuse(INCONSISTENT, `instruction ${i}`, `no account key ${programIndex}`)
    const [beyond] = accountIndices.filter((index) => index >= total)
    if (beyond !== undefined) refuse(INCONSISTENT, `instruction ${i}`, `no account ${beyond}`)
  }
}
