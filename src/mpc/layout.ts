/** Fixed binary layouts: fields of known length, one after the other, as every body of threshold.md 12 has them. */
import { type Bytes, copy } from "../bytes.ts"
import { ByteReader } from "../codec.ts"
import type { BodyCodec } from "./exchange.ts"

/** Reads fields in order, as views into `bytes`. Past the end it throws: the length was checked before. */
export function fieldsOf(bytes: Bytes): (length: number) => Bytes {
  const reader = new ByteReader(bytes)
  return (length) => reader.view(length)
}

/** `count` fields of the same length. */
export const takeMany = (take: (length: number) => Bytes, count: number, length: number): readonly Bytes[] =>
  Array.from({ length: count }, () => take(length))

/** All decoded, or undefined if one of them did not. */
export function allDefined<T>(values: readonly (T | undefined)[]): readonly T[] | undefined {
  const defined = values.filter((value) => value !== undefined)
  return defined.length === values.length ? defined : undefined
}

/** A body that is one opaque string of `size` bytes. */
export const opaque = (size: number): BodyCodec<Bytes> => ({ size, encode: copy, decode: (bytes) => bytes })
