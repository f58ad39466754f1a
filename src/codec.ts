/**
 * How bytes are written and read, everywhere: a reader for formats that are written by hand (frames, group records, message
 * bodies), and small codecs that compose, each the exact inverse of itself, for records. Decoding is closed: a byte too
 * few, a byte too many or a value out of its range is refused. The owner of a format defines its fields.
 */
import { u8 as asU8, type Bytes, beToBig, bigToBe, concat, copy, u16be, u32be, u64be, utf8 } from "./bytes.ts"
import { Secret } from "./secret.ts"

export interface Codec<T> {
  write(out: Writer, value: T): void
  read(from: ByteReader): T
}

/** The bytes are not what the writer writes. The boundary (a store, a socket, a session) turns this into a code or a blame. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}

/** Collects bytes. Wipes buffers that it has outgrown, because records hold secrets. */
export class Writer {
  #bytes = new Uint8Array(256)
  #length = 0

  add(bytes: Uint8Array): void {
    const end = this.#length + bytes.length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#bytes.length))
      grown.set(this.#bytes)
      this.#bytes.fill(0)
      this.#bytes = grown
    }
    this.#bytes.set(bytes, this.#length)
    this.#length = end
  }

  /** The bytes so far; the writer is empty afterwards. */
  finish(): Bytes {
    const out = this.#bytes.slice(0, this.#length)
    this.#bytes.fill(0)
    this.#length = 0
    return out
  }
}

/** A u32 length and the bytes. */
export const block = (bytes: Uint8Array): Bytes => concat(u32be(bytes.length), bytes)
/** A u16 length and the text as UTF-8. */
export const textBlock = (text: string): Bytes => {
  const bytes = utf8(text)
  return concat(u16be(bytes.length), bytes)
}
export const flag = (value: boolean): Bytes => asU8(value ? 1 : 0)

/**
 * Reads fields one after the other: big-endian numbers, lengths within bounds. Throws Malformed, with the place, for a field that
 * is missing or out of its bounds.
 */
export class ByteReader<B extends ArrayBufferLike = ArrayBufferLike> {
  #at = 0
  constructor(readonly bytes: Uint8Array<B>) {}

  /** The next `length` bytes, as a window into the input. */
  view(length: number): Uint8Array<B> {
    if (length > this.left()) this.refuse("cut short")
    this.#at += length
    return this.bytes.subarray(this.#at - length, this.#at)
  }
  /** A copy of the next `length` bytes. */
  take(length: number): Bytes {
    return copy(this.view(length))
  }
  u8(): number {
    return this.#uint(1)
  }
  u16(): number {
    return this.#uint(2)
  }
  u32(): number {
    return this.#uint(4)
  }
  /** A u64 below 2^53. */
  u64(): number {
    const value = this.#uint(8)
    return Number.isSafeInteger(value) ? value : this.refuse("beyond 2^53")
  }
  flag(): boolean {
    return this.oneOf([false, true])
  }
  /** One byte, the place in `names`. */
  oneOf<T>(names: readonly T[]): T {
    const index = this.u8()
    const name = names[index]
    return name === undefined ? this.refuse(`no choice has the number ${index}`) : name
  }
  /** A length of 1, 2 or 4 bytes and that many bytes, `min` to `max`, as a window into the input. */
  window(lengthBytes: 1 | 2 | 4, min: number, max: number): Uint8Array<B> {
    const length = this.#uint(lengthBytes)
    return length >= min && length <= max ? this.view(length) : this.refuse(`a length outside ${min} to ${max}`)
  }
  /** A u32 length and that many bytes, `min` to `max`. */
  block(min: number, max: number): Bytes {
    return copy(this.window(4, min, max))
  }
  /** A length of 1, 2 or 4 bytes and that many bytes of UTF-8, at most `max`. */
  text(lengthBytes: 1 | 2 | 4, max: number): string {
    return decodeUtf8(this.window(lengthBytes, 0, max), `byte ${this.#at}`)
  }
  /** A u8 count, at most `max`, and that many items. */
  list<T>(max: number, item: () => T): readonly T[] {
    const length = this.u8()
    return length <= max ? Array.from({ length }, item) : this.refuse(`more than ${max} items`)
  }
  left(): number {
    return this.bytes.length - this.#at
  }
  rest(): Bytes {
    return this.take(this.left())
  }
  end(): void {
    if (this.left() > 0) this.refuse("more than was expected")
  }
  refuse(what: string): never {
    throw new Malformed(`byte ${this.#at}: ${what}`)
  }

  #uint(length: 1 | 2 | 4 | 8): number {
    let value = 0
    for (const byte of this.view(length)) value = value * 256 + byte
    return value
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Decodes UTF-8 text; a byte order mark at the start is a character. Throws Malformed; `at` names the place. */
export function decodeUtf8(bytes: Uint8Array, at: string): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw new Malformed(`${at}: not UTF-8`)
  }
}

// ---- codecs that compose -------------------------------------------------------------------------------------------

export function encode<T>(codec: Codec<T>, value: T): Bytes {
  const out = new Writer()
  codec.write(out, value)
  return out.finish()
}

/** Throws Malformed unless `bytes` is exactly one value. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const from = new ByteReader(bytes)
  const value = codec.read(from)
  from.end()
  return value
}

const u8: Codec<number> = { write: (out, value) => out.add(asU8(value)), read: (from) => from.u8() }
export const u32: Codec<number> = { write: (out, value) => out.add(u32be(value)), read: (from) => from.u32() }
/** Counters and milliseconds: below 2^53. */
export const u64: Codec<number> = {
  write(out, value) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number`)
    out.add(u64be(value))
  },
  read: (from) => from.u64(),
}

export const bool: Codec<boolean> = {
  write: (out, value) => out.add(flag(value)),
  read: (from) => from.flag(),
}

/** A finite number, zero or more: an amount. Anything else would let a counter run backwards. */
export const amount: Codec<number> = {
  write(out, value) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new RangeError(`${value} is not an amount`)
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, value)
    out.add(bytes)
  },
  read(from) {
    const value = new DataView(from.take(8).buffer).getFloat64(0)
    return value >= 0 && value < Number.POSITIVE_INFINITY ? value : from.refuse("not an amount")
  },
}

export const fixed = (length: number): Codec<Bytes> => ({
  write(out, value) {
    if (value.length !== length) throw new RangeError(`${value.length} bytes where ${length} belong`)
    out.add(value)
  },
  read: (from) => from.take(length),
})

export const bytes: Codec<Bytes> = {
  write(out, value) {
    u32.write(out, value.length)
    out.add(value)
  },
  read: (from) => from.take(from.u32()),
}

export const secret: Codec<Secret> = {
  write: (out, value) => bytes.write(out, value.expose()),
  read: (from) => Secret.take(bytes.read(from)),
}

/** Unicode text. A lone surrogate, which has no UTF-8, becomes U+FFFD. */
export const text: Codec<string> = {
  write: (out, value) => bytes.write(out, copy(Buffer.from(value.toWellFormed(), "utf8"))),
  read: (from) => from.text(4, from.left()),
}

/** A scalar or share id below 2^256. */
export const u256: Codec<bigint> = {
  write: (out, value) => out.add(bigToBe(value, 32)),
  read: (from) => beToBig(from.view(32)),
}

export function oneOf<const T extends string>(...values: readonly T[]): Codec<T> {
  return {
    write(out, value) {
      const index = values.indexOf(value)
      if (index < 0) throw new RangeError(`${value} is not one of ${values.join(", ")}`)
      u8.write(out, index)
    },
    read: (from) => from.oneOf(values),
  }
}

export const list = <T>(codec: Codec<T>): Codec<readonly T[]> => ({
  write(out, value) {
    u32.write(out, value.length)
    for (const item of value) codec.write(out, item)
  },
  read(from) {
    const count = from.u32()
    const out: T[] = []
    // An item of no bytes does not exist here, so a false count runs into the end of the input.
    for (let i = 0; i < count; i++) out.push(codec.read(from))
    return out
  },
})

export const optional = <T>(codec: Codec<T>): Codec<T | undefined> => ({
  write(out, value) {
    bool.write(out, value !== undefined)
    if (value !== undefined) codec.write(out, value)
  },
  read: (from) => (bool.read(from) ? codec.read(from) : undefined),
})

/** Fields in the order in which they are named. */
export function struct<T extends object>(fields: { readonly [K in keyof T]-?: Codec<T[K]> }): Codec<T> {
  const names = Object.keys(fields) as (keyof T)[]
  return {
    write(out, value) {
      for (const name of names) fields[name].write(out, value[name])
    },
    read(from) {
      const out: Partial<T> = {}
      for (const name of names) out[name] = fields[name].read(from)
      return out as T
    },
  }
}

/** A union distinguished by the text in `key`; the number of a case is its position in the list. */
export function variant<K extends string, T extends { readonly [P in K]: string }>(
  key: K,
  cases: { readonly [N in T[K]]: Codec<Omit<Extract<T, { readonly [P in K]: N }>, K>> },
): Codec<T> {
  const names = Object.keys(cases) as T[K][]
  const tag = oneOf(...names)
  const codecs = cases as { readonly [N in T[K]]: Codec<object> }
  return {
    write(out, value) {
      tag.write(out, value[key])
      codecs[value[key]].write(out, value)
    },
    read(from) {
      const name = tag.read(from)
      return { [key]: name, ...codecs[name].read(from) } as unknown as T
    },
  }
}

export const map = <A, B>(codec: Codec<A>, into: (a: A) => B, back: (b: B) => A): Codec<B> => ({
  write: (out, value) => codec.write(out, back(value)),
  read: (from) => into(codec.read(from)),
})
