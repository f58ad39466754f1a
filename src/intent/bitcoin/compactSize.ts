/**
 * Bitcoin's CompactSize, the length that precedes everything without a fixed length: 1, 3, 5 or 9 bytes. Only the shortest form
 * of a number is accepted. Owns that form and what is built from it alone: byte strings and counts.
 */
import { type Bytes, bigToLe, concat } from "../../bytes.ts"
import type { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"

/** `what` names the value in a problem. A number of 2^32 or more is refused, because no payload is that long. */
export function compactSize(cursor: Cursor, what: string): number {
  const { offset } = cursor
  const first = cursor.u8()
  if (first < 0xfd) return first
  const width = first === 0xfd ? 2 : first === 0xfe ? 4 : 8
  const value = cursor.bigLe(width)
  const least = width === 2 ? 0xfdn : 1n << BigInt(4 * width)
  if (value < least) refuse(cursor.code, `byte ${offset}`, `${what} is not written in its shortest form`)
  if (value > 0xffff_ffffn) refuse(cursor.code, `byte ${offset}`, `${what} is ${value}`)
  return Number(value)
}

/** A length followed by as many bytes, as a view of the payload. */
export const sized = (cursor: Cursor, what: string): Uint8Array => cursor.view(compactSize(cursor, what))

/** A count of items of at least `least` bytes each. A count that cannot be true is refused before anything is allocated for it. */
export function count(cursor: Cursor, what: string, least: number): number {
  const { offset } = cursor
  const items = compactSize(cursor, what)
  if (items * least > cursor.left) {
    refuse(cursor.code, `byte ${offset}`, `${what} is ${items}, more than the bytes behind it can hold`)
  }
  return items
}

/** The shortest form of a number below 2^32. */
export function encodeCompactSize(value: number): Bytes {
  if (value < 0xfd) return Uint8Array.of(value)
  const [mark, width] = value < 0x1_0000 ? [0xfd, 2] : [0xfe, 4]
  return concat(Uint8Array.of(mark), bigToLe(BigInt(value), width))
}

export const encodeSized = (bytes: Uint8Array): Bytes => concat(encodeCompactSize(bytes.length), bytes)
