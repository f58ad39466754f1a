/**
 * Words for byte strings: hex, big-endian integers, joining, and the two comparisons.
 * Owns no format of its own; every codec above it is built from these.
 */
import { timingSafeEqual } from "node:crypto"

export type Bytes = Uint8Array<ArrayBuffer>

const HEX = /^(?:[0-9a-f]{2})*$/

export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

/** Lower-case hex without prefix to bytes; undefined if `text` is anything else (odd length, capitals, white space). */
export function fromHex(text: string): Bytes | undefined {
  if (!HEX.test(text)) return undefined
  return copy(Buffer.from(text, "hex"))
}

export const utf8 = (text: string): Bytes => copy(Buffer.from(text, "utf8"))

/** A fresh, unpooled copy: the result shares no memory with `bytes`, so wiping one never touches the other. */
export function copy(bytes: Uint8Array): Bytes {
  const out = new Uint8Array(bytes.length)
  out.set(bytes)
  return out
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Comparison of public bytes; may return early. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0
}

/** Comparison of bytes that depend on a secret: time depends on the lengths alone. */
export function secretEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** Order of byte strings, as of unsigned numbers of equal length. */
export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)

export function u8(value: number): Bytes {
  return uintBe(value, 1)
}
export function u16be(value: number): Bytes {
  return uintBe(value, 2)
}
export function u32be(value: number): Bytes {
  return uintBe(value, 4)
}
export function u64be(value: number | bigint): Bytes {
  return bigToBe(BigInt(value), 8)
}

function uintBe(value: number, length: 1 | 2 | 4): Bytes {
  if (!Number.isInteger(value) || value < 0 || value >= 256 ** length) {
    throw new RangeError(`${value} is not an unsigned integer of ${length} bytes`)
  }
  const out = new Uint8Array(length)
  for (let i = length - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) out[i] = rest & 255
  return out
}

export function beToBig(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`)
}
export function leToBig(bytes: Uint8Array): bigint {
  return beToBig(copy(bytes).reverse())
}
export function bigToBe(value: bigint, length: number): Bytes {
  const hex = value.toString(16)
  if (value < 0n || hex.length > 2 * length) throw new RangeError(`integer does not fit ${length} bytes`)
  const out = fromHex(hex.padStart(2 * length, "0"))
  if (out === undefined) throw new RangeError("integer has no hex form")
  return out
}
export function bigToLe(value: bigint, length: number): Bytes {
  return bigToBe(value, length).reverse()
}
