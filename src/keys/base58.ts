/**
 * Base58 with the Bitcoin alphabet, and base58check (a double SHA-256 checksum of 4 bytes), for extended keys, addresses and
 * node ids. Uses the library, with a bound on the input. Callers check lengths and versions.
 */
import { base58, createBase58check } from "@scure/base"
import { type Bytes, copy } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"

/** Longer texts are refused: the conversion is quadratic, and none of our texts is longer than an extended key (112). */
const MAX_TEXT = 256

const base58check = createBase58check((bytes: Uint8Array) => sha256(bytes))

export const encodeBase58 = (bytes: Uint8Array): string => base58.encode(bytes)

/** undefined for a letter outside the alphabet or a text of more than 256 letters. */
export const decodeBase58 = (text: string): Bytes | undefined => decoded(text, base58.decode)

export const encodeBase58Check = (payload: Uint8Array): string => base58check.encode(payload)

/** The payload, or undefined when the text is not base58 or its checksum is wrong. */
export const decodeBase58Check = (text: string): Bytes | undefined => decoded(text, base58check.decode)

/** The library throws for a text that it cannot read. */
function decoded(text: string, decode: (text: string) => Uint8Array): Bytes | undefined {
  if (text.length > MAX_TEXT) return undefined
  try {
    return copy(decode(text))
  } catch {
    return undefined
  }
}
