/**
 * Protocol buffers, read strictly: one message has one encoding here, the one that the chain's own code writes. A full node
 * parses a transaction and encodes it again before it hashes it. Any other encoding would be another transaction to it, and two
 * readers could disagree about it. So: fields in ascending order, each once, lengths and numbers in their shortest form, no defaults,
 * no unknown fields.
 */
import type { Bytes } from "../../bytes.ts"
import type { IntentCode } from "../../errors/intent.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"

/** Numbers that are not negative: `int` of 64 bits, `int32` (and enumerations), `bool`. */
type Scalar = "int" | "int32" | "bool"

export interface ProtobufField {
  readonly name: string
  /** `text` is UTF-8. */
  readonly type: Scalar | "bytes" | "text" | Schema
  /** How often it may occur, if more than once, and the code of the problem beyond that. */
  readonly repeated?: { readonly most: number; readonly code: IntentCode }
}

/** By field number. An entry of a map (`key` and `value`) always writes its fields, whatever they hold. */
export interface Schema {
  readonly fields: ReadonlyMap<number, ProtobufField>
  readonly isEntry?: true
}

export const schema = (fields: Readonly<Record<number, ProtobufField>>): Schema => ({
  fields: new Map(Object.entries(fields).map(([number, field]) => [Number(number), field])),
})

export const entrySchema = (fields: Readonly<Record<number, ProtobufField>>): Schema => ({
  ...schema(fields),
  isEntry: true,
})

const MALFORMED = "E-INT-120"
const VARINT = 0
const DELIMITED = 2
const MAX_FIELD = 2 ** 29 - 1
/** A parser would cut larger numbers, and write them differently. */
const LIMITS: Readonly<Record<Scalar, bigint>> = { int: 1n << 63n, int32: 1n << 31n, bool: 2n }

const isScalar = (type: ProtobufField["type"]): type is Scalar => type === "int" || type === "int32" || type === "bool"

/** The contents of a message, by the names of its schema; an absent field has its default. */
export class ProtobufFields {
  readonly #ints = new Map<string, bigint>()
  readonly #bytes = new Map<string, Bytes>()
  readonly #messages = new Map<string, ProtobufFields[]>()
  readonly #places = new Map<string, number>()

  /** `at` is the offset of the message in the payload. */
  constructor(
    bytes: Uint8Array,
    readonly schema: Schema,
    readonly at = 0,
  ) {
    const cursor = new Cursor(bytes, MALFORMED, at)
    for (let previous = 0; cursor.left > 0; ) previous = this.#field(cursor, previous)
    if (schema.isEntry === true && this.#ints.size < schema.fields.size)
      refuse(MALFORMED, `byte ${at}`, "an entry of a map lacks its key or its value")
  }

  int(name: string): bigint {
    return this.#ints.get(name) ?? 0n
  }
  bytes(name: string): Bytes {
    return this.#bytes.get(name) ?? new Uint8Array(0)
  }
  /** The offset of a field's bytes in the payload. */
  placeOf(name: string): number {
    return this.#places.get(name) ?? this.at
  }
  messages(name: string): readonly ProtobufFields[] {
    return this.#messages.get(name) ?? []
  }
  /** Of a message that is not repeated. */
  message(name: string): ProtobufFields | undefined {
    return this.messages(name)[0]
  }

  #field(cursor: Cursor, previous: number): number {
    const at = `byte ${cursor.offset}`
    const tag = readVarint(cursor)
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    if (number === 0 || number > MAX_FIELD) return refuse(MALFORMED, at, `no field has the number ${number}`)
    const field = this.schema.fields.get(number)
    if (field === undefined) return refuse(MALFORMED, at, `field ${number} is not read`)
    if (number < previous) return refuse(MALFORMED, at, `${field.name} stands behind a field that follows it`)
    if (number === previous && field.repeated === undefined)
      return refuse(MALFORMED, at, `${field.name} stands there twice`)
    if (wire !== (isScalar(field.type) ? VARINT : DELIMITED))
      return refuse(MALFORMED, at, `${field.name} has the wire type ${wire}`)
    this.#value(cursor, field, at)
    return number
  }

  #value(cursor: Cursor, { name, type, repeated }: ProtobufField, at: string): void {
    if (isScalar(type)) {
      const value = readVarint(cursor)
      if (value >= LIMITS.int) refuse("E-INT-127", at, `${name} is negative`)
      if (value >= LIMITS[type]) refuse(MALFORMED, at, `${name} is ${value}, and below ${LIMITS[type]}`)
      if (value === 0n && this.schema.isEntry !== true) refuse(MALFORMED, at, `${name} is written, and 0`)
      this.#ints.set(name, value)
      return
    }
    const length = readLength(cursor)
    if (typeof type === "object") {
      const list = this.#messages.get(name) ?? []
      if (repeated !== undefined && list.length === repeated.most)
        refuse(repeated.code, at, `${name}: more than ${repeated.most}`)
      const begin = cursor.offset
      const inner = new ProtobufFields(cursor.view(length), type, begin)
      // With an equal key the last entry would count. The writer chooses the order of entries.
      if (type.isEntry === true && list.some((other) => other.int("key") === inner.int("key")))
        refuse(MALFORMED, at, `${name}: the key ${inner.int("key")} stands there twice`)
      list.push(inner)
      this.#messages.set(name, list)
      return
    }
    if (length === 0) refuse(MALFORMED, at, `${name} is written, and empty`)
    this.#places.set(name, cursor.offset)
    const value = cursor.take(length)
    if (type === "text" && !isUtf8(value)) refuse(MALFORMED, at, `${name} is not UTF-8`)
    this.#bytes.set(name, value)
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Of at most 64 bits, in its shortest form. */
function readVarint(cursor: Cursor): bigint {
  const at = `byte ${cursor.offset}`
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.u8()
    value |= BigInt(byte & 0x7f) << shift
    if (byte >= 0x80) continue
    if (byte === 0 && shift > 0n) return refuse(MALFORMED, at, "a number is longer than it needs to be")
    return value < 1n << 64n ? value : refuse(MALFORMED, at, "a number does not fit 64 bits")
  }
  return refuse(MALFORMED, at, "a number has more than ten bytes")
}

function readLength(cursor: Cursor): number {
  const at = `byte ${cursor.offset}`
  const length = readVarint(cursor)
  return length <= BigInt(cursor.left)
    ? Number(length)
    : refuse(MALFORMED, at, `${length} bytes are wanted and ${cursor.left} are left`)
}
