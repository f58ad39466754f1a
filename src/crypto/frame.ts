/**
 * The framed, tagged hashes of threshold.md 1.4. The framing is injective: two different (tag, fields) never have the same bytes.
 *
 * Uses node:crypto's native one-shot hash, because noble's costs seven times as much (threshold.md 9.1).
 */
import { createCipheriv, hash } from "node:crypto"
import { type Bytes, beToBig, concat, copy, u8, u32be, utf8 } from "../bytes.ts"
import type { Tag } from "./tags.ts"

const PREFIX = utf8("TSSN1")
const ZERO_IV = new Uint8Array(16)

/** `"TSSN1" || u8(|tag|) || tag || u8(m) || sum(u32be(|f|) || f)`. Throws RangeError above 255 fields, so the count never wraps. */
export function frame(tag: Tag, ...fields: readonly Uint8Array[]): Bytes {
  const name = utf8(tag)
  const parts: Uint8Array[] = [PREFIX, u8(name.length), name, u8(fields.length)]
  for (const field of fields) parts.push(u32be(field.length), field)
  return concat(...parts)
}

export const sha256 = (bytes: Uint8Array): Bytes => moved(hash("sha256", bytes, "buffer"))
export const sha512 = (bytes: Uint8Array): Bytes => moved(hash("sha512", bytes, "buffer"))

/** H(tag; fields): SHA-256 of the frame, 32 bytes. */
export const H = (tag: Tag, ...fields: readonly Uint8Array[]): Bytes => spent(frame(tag, ...fields), sha256)

/** H512(tag; fields): SHA-512 of the frame, 64 bytes. */
export const H512 = (tag: Tag, ...fields: readonly Uint8Array[]): Bytes => spent(frame(tag, ...fields), sha512)

/** HS(tag; fields): a scalar modulo `order`, from 512 bits (bias below 2^-250). */
export const HS = (order: bigint, tag: Tag, ...fields: readonly Uint8Array[]): bigint =>
  spent(H512(tag, ...fields), beToBig) % order

/** XOF(tag; fields; length): `length` bytes of the AES-256-CTR keystream under the key H(tag; fields). */
export function XOF(length: number, tag: Tag, ...fields: readonly Uint8Array[]): Bytes {
  return spent(H(tag, ...fields), (key) =>
    moved(createCipheriv("aes-256-ctr", key, ZERO_IV).update(new Uint8Array(length))),
  )
}

/** Applies a function to `bytes` and wipes them: frames contain seeds, keys and salts (threshold.md 5.12). */
function spent<T>(bytes: Bytes, use: (bytes: Bytes) => T): T {
  const made = use(bytes)
  bytes.fill(0)
  return made
}

/** Copies a digest into memory of its own and wipes the runtime's buffer. */
function moved(bytes: Uint8Array): Bytes {
  const out = copy(bytes)
  bytes.fill(0)
  return out
}
