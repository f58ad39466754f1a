/**
 * Reads bytes front to back, never past their end, and knows its position: a problem names a byte offset in the payload.
 */
import { type Bytes, copy } from "../bytes.ts"
import type { IntentCode } from "../errors/intent.ts"
import { refuse } from "./problem.ts"

export class Cursor {
  #at = 0

  /** `base` is the offset of `bytes` in the payload; `code` is the problem if they end too early or too late. */
  constructor(
    readonly bytes: Uint8Array,
    readonly code: IntentCode,
    readonly base = 0,
  ) {}

  /** Offset in the payload. */
  get offset(): number {
    return this.base + this.#at
  }
  get left(): number {
    return this.bytes.length - this.#at
  }

  /** The next byte, without advancing. */
  peek(): number {
    return this.bytes[this.#at] ?? this.#short(1)
  }

  u8(): number {
    const byte = this.peek()
    this.#at++
    return byte
  }

  /** Big-endian, at most 6 bytes. */
  uintBe(length: number): number {
    return this.view(length).reduce((value, byte) => value * 256 + byte, 0)
  }

  /** Little-endian, at most 6 bytes. */
  uintLe(length: number): number {
    return this.view(length).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  /** Little-endian. */
  bigLe(length: number): bigint {
    return this.view(length).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
  }

  /** A copy. */
  take(length: number): Bytes {
    return copy(this.view(length))
  }

  /** A view of the payload: to be read, not kept. */
  view(length: number): Uint8Array {
    if (length > this.left) return this.#short(length)
    this.#at += length
    return this.bytes.subarray(this.#at - length, this.#at)
  }

  /** Refuses bytes that were not read. */
  end(): void {
    if (this.left > 0) refuse(this.code, `byte ${this.offset}`, `bytes after its end: ${this.left}`)
  }

  #short(wanted: number): never {
    return refuse(this.code, `byte ${this.offset}`, `${wanted} bytes are wanted and ${this.left} are left`)
  }
}
