/**
 * Base58 with the Bitcoin alphabet, and base58check (a double SHA-256 checksum of 4 bytes): extended keys, addresses and
 * node ids are written in it. The library's, with a bound on what is read. Lengths and versions are the callers' to check.
 */
import { base58, createBase58check } from "@scure/base"
import { type Bytes, copy } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"

/** Longer texts are refused: the conversion is quadratic, and nothing of ours is longer than an extended key (112). */
const MAX_TEXT = 256

const base58check = createBase58check((bytes: Uint8Array) => sha256(bytes))

export const encodeBase58 = (bytes: Uint8Array): string => base58.encode(bytes)

/** undefined for a letter outside the alphabet or a text of more than 256 letters. */
export const decodeBase58 = (text: string): Bytes | undefined => decoded(text, base58.decode)

export const encodeBase58Check = (payload: Uint8Array): string => base58check.encode(payload)

/** The payload, or undefined when the text is not base58 or its checksum is wrong. */
export const decodeBase58Check = (text: string): Bytes | undefined => decoded(text, base58check.decode)

/** The library throws for what it does not read. */
function decoded(text: string, decode: (text: string) => Uint8Array): Bytes | undefined {
  if (text.length > MAX_TEXT) return undefined
  try {
    return copy(decode(text))
  } catch {
    return undefined
  }
}
