/**
 * Helpers for byte strings: hex, big-endian integers, joining, and the two comparisons.
 * Owns no format of its own; every codec is built from these.
 */
import { timingSafeEqual } from "node:crypto"

export type Bytes = Uint8Array<ArrayBuffer>

const HEX = /^(?:[0-9a-f]{2})*$/

export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

/** Converts lower-case hex without prefix to bytes; undefined for any other text (odd length, capitals, white space). */
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

/** Comparison of bytes that depend on a secret: the time depends only on the lengths. */
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

// Integers are converted through 64-bit views. This leaves no hex text and no reversed copy of a possible secret behind, and costs a
// fifth. The time depends only on the length, apart from what the engine does with BigInts.
//
// The view is never over the caller's bytes. The engine keeps up to 1000 bytes of a typed array inline. Code that asks for its `buffer`,
// or for a `subarray`, makes the engine move them, and the first place keeps a copy that nobody can wipe.
const SCRATCH = new Uint8Array(64)
const SCRATCH_VIEW = new DataView(SCRATCH.buffer)

/** The last, or first, bytes of the scratch are those of `bytes`; all others are zero. At most 64. */
function throughScratch(bytes: Uint8Array, at: number, read: () => bigint): bigint {
  SCRATCH.set(bytes, at)
  try {
    return read()
  } finally {
    SCRATCH.fill(0)
  }
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** OS2IP: the unsigned big-endian integer (RFC 8017, section 4.2). */
export function beToBig(bytes: Uint8Array): bigint {
  if (bytes.length <= SCRATCH.length) {
    return throughScratch(bytes, SCRATCH.length - bytes.length, () => {
      let value = 0n
      for (let at = SCRATCH.length - 8 * Math.ceil(bytes.length / 8); at < SCRATCH.length; at += 8) {
        value = (value << 64n) | SCRATCH_VIEW.getBigUint64(at)
      }
      return value
    })
  }
  const view = viewOf(bytes)
  const partial = bytes.length % 8
  let value = 0n
  for (let i = 0; i < partial; i++) value = (value << 8n) | BigInt(bytes[i] ?? 0)
  for (let at = partial; at < bytes.length; at += 8) value = (value << 64n) | view.getBigUint64(at)
  return value
}
/** The unsigned little-endian integer. */
export function leToBig(bytes: Uint8Array): bigint {
  if (bytes.length <= SCRATCH.length) {
    return throughScratch(bytes, 0, () => {
      let value = 0n
      for (let at = 8 * Math.ceil(bytes.length / 8) - 8; at >= 0; at -= 8) {
        value = (value << 64n) | SCRATCH_VIEW.getBigUint64(at, true)
      }
      return value
    })
  }
  const view = viewOf(bytes)
  const whole = bytes.length - (bytes.length % 8)
  let value = 0n
  for (let i = bytes.length - 1; i >= whole; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0)
  for (let at = whole - 8; at >= 0; at -= 8) value = (value << 64n) | view.getBigUint64(at, true)
  return value
}
/** I2OSP: big-endian in exactly `length` bytes. Throws RangeError for a value that does not fit. */
export function bigToBe(value: bigint, length: number): Bytes {
  requireFit(value, length)
  const out = new Uint8Array(length)
  const view = viewOf(out)
  let rest = value
  const partial = length % 8
  for (let at = length - 8; at >= partial; at -= 8, rest >>= 64n) view.setBigUint64(at, rest)
  for (let i = partial - 1; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn)
  return out
}
/** Little-endian in exactly `length` bytes. Throws RangeError for a value that does not fit. */
export function bigToLe(value: bigint, length: number): Bytes {
  requireFit(value, length)
  const out = new Uint8Array(length)
  const view = viewOf(out)
  let rest = value
  let at = 0
  for (; at + 8 <= length; at += 8, rest >>= 64n) view.setBigUint64(at, rest, true)
  for (; at < length; at++, rest >>= 8n) out[at] = Number(rest & 0xffn)
  return out
}

function requireFit(value: bigint, length: number): void {
  if (value < 0n || value >> BigInt(8 * length) !== 0n) throw new RangeError(`integer does not fit ${length} bytes`)
}
