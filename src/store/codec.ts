/**
 * The words in which records are written down: small codecs that compose, each the exact inverse of itself.
 * Decoding is closed: a byte too few, a byte too many or a value out of its range is refused. Pure; which record has
 * which fields is records.ts's.
 */
import { type Bytes, beToBig, bigToBe, copy } from "../bytes.ts"
import { Secret } from "../secret.ts"

export interface Codec<T> {
  write(out: Writer, value: T): void
  read(from: Reader): T
}

export type ValueOf<C> = C extends Codec<infer T> ? T : never

/** The bytes are not what the codec writes. Never leaves store/: the vault turns it into a code. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}

/** Collects bytes; wipes what it outgrows, because records hold secrets. */
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

export class Reader {
  #at = 0
  constructor(readonly bytes: Uint8Array) {}

  /** The next `length` bytes, as a window into the input. */
  take(length: number): Uint8Array {
    const end = this.#at + length
    if (end > this.bytes.length) throw new Malformed("truncated")
    const out = this.bytes.subarray(this.#at, end)
    this.#at = end
    return out
  }

  end(): void {
    if (this.#at !== this.bytes.length) throw new Malformed("trailing bytes")
  }
}

export function encode<T>(codec: Codec<T>, value: T): Bytes {
  const out = new Writer()
  codec.write(out, value)
  return out.finish()
}

/** Throws Malformed unless `bytes` is exactly one value. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const from = new Reader(bytes)
  const value = codec.read(from)
  from.end()
  return value
}

const uint = (length: 1 | 2 | 4 | 8): Codec<number> => ({
  write(out, value) {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number`)
    out.add(bigToBe(BigInt(value), length))
  },
  read(from) {
    const value = beToBig(from.take(length))
    if (value > Number.MAX_SAFE_INTEGER) throw new Malformed("number beyond 2^53")
    return Number(value)
  },
})

export const u8 = uint(1)
export const u32 = uint(4)
/** Counters and milliseconds: below 2^53. */
export const u64 = uint(8)

export const bool: Codec<boolean> = {
  write: (out, value) => u8.write(out, value ? 1 : 0),
  read(from) {
    const value = u8.read(from)
    if (value > 1) throw new Malformed("not a boolean")
    return value === 1
  },
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
    const value = new DataView(copy(from.take(8)).buffer).getFloat64(0)
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new Malformed("not an amount")
    return value
  },
}

export const fixed = (length: number): Codec<Bytes> => ({
  write(out, value) {
    if (value.length !== length) throw new RangeError(`${value.length} bytes where ${length} belong`)
    out.add(value)
  },
  read: (from) => copy(from.take(length)),
})

export const bytes: Codec<Bytes> = {
  write(out, value) {
    u32.write(out, value.length)
    out.add(value)
  },
  read: (from) => copy(from.take(u32.read(from))),
}

export const secret: Codec<Secret> = {
  write: (out, value) => bytes.write(out, value.expose()),
  read: (from) => Secret.take(bytes.read(from)),
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Unicode text. A lone surrogate, which has no UTF-8, becomes U+FFFD. */
export const text: Codec<string> = {
  write: (out, value) => bytes.write(out, copy(Buffer.from(value.toWellFormed(), "utf8"))),
  read(from) {
    try {
      return strictUtf8.decode(from.take(u32.read(from)))
    } catch (error) {
      throw error instanceof Malformed ? error : new Malformed("not UTF-8")
    }
  },
}

/** A scalar or share id below 2^256. */
export const u256: Codec<bigint> = {
  write: (out, value) => out.add(bigToBe(value, 32)),
  read: (from) => beToBig(from.take(32)),
}

export function oneOf<const T extends string>(...values: readonly T[]): Codec<T> {
  return {
    write(out, value) {
      const index = values.indexOf(value)
      if (index < 0) throw new RangeError(`${value} is not one of ${values.join(", ")}`)
      u8.write(out, index)
    },
    read(from) {
      const value = values[u8.read(from)]
      if (value === undefined) throw new Malformed("unknown choice")
      return value
    },
  }
}

export const list = <T>(codec: Codec<T>): Codec<readonly T[]> => ({
  write(out, value) {
    u32.write(out, value.length)
    for (const item of value) codec.write(out, item)
  },
  read(from) {
    const count = u32.read(from)
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

/** A union told apart by the text in `key`; the number of a case is its place in the list. */
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
