/** Reading and writing of short binary records: big-endian, length-prefixed, nothing left over. */
import { type Bytes, concat, copy, u8, u16be, u32be, utf8 } from "../bytes.ts"
import { decodeUtf8, malformed } from "./json.ts"

export class Reader {
  #at = 0
  constructor(readonly bytes: Uint8Array) {}

  take(length: number): Bytes {
    if (this.bytes.length - this.#at < length) malformed(`byte ${this.#at}`, "cut short")
    const out = copy(this.bytes.subarray(this.#at, this.#at + length))
    this.#at += length
    return out
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
    return Number.isSafeInteger(value) ? value : malformed(`byte ${this.#at}`, "beyond 2^53")
  }
  flag(): boolean {
    const value = this.u8()
    return value <= 1 ? value === 1 : malformed(`byte ${this.#at}`, "neither 0 nor 1")
  }
  /** A u32 length and that many bytes, `min` to `max`. */
  block(min: number, max: number): Bytes {
    return this.take(this.#within(this.u32(), min, max))
  }
  /** A u16 length and that many bytes of UTF-8, at most `max`. */
  text(max: number): string {
    return decodeUtf8(this.take(this.#within(this.u16(), 0, max)), `byte ${this.#at}`)
  }
  left(): number {
    return this.bytes.length - this.#at
  }
  rest(): Bytes {
    return this.take(this.bytes.length - this.#at)
  }
  end(): void {
    if (this.#at !== this.bytes.length) malformed(`byte ${this.#at}`, "more than was expected")
  }

  #uint(length: number): number {
    let value = 0
    for (const byte of this.take(length)) value = value * 256 + byte
    return value
  }
  #within(length: number, min: number, max: number): number {
    return length >= min && length <= max ? length : malformed(`byte ${this.#at}`, `a length outside ${min} to ${max}`)
  }
}

export const block = (bytes: Uint8Array): Bytes => concat(u32be(bytes.length), bytes)
export const textBlock = (text: string): Bytes => {
  const bytes = utf8(text)
  return concat(u16be(bytes.length), bytes)
}
export const flag = (value: boolean): Bytes => u8(value ? 1 : 0)
