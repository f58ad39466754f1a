/**
 * Base58 with the Bitcoin alphabet, and base58check (a double SHA-256 checksum of 4 bytes): extended keys, addresses and
 * node ids are written in it. Lengths and versions are the callers' to check.
 */
import { type Bytes, concat, equal } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
const DIGIT_OF: ReadonlyMap<string, number> = new Map([...ALPHABET].map((letter, digit) => [letter, digit]))

/** Longer texts are refused: the conversion is quadratic, and nothing of ours is longer than an extended key (112). */
const MAX_TEXT = 256

/** Digits are worked out five at a time: 58^5 times 256 is far below 2^53. */
const LIMB = 58 ** 5

export function encodeBase58(bytes: Uint8Array): string {
  // Little-endian limbs of the number, by long multiplication with 256.
  const limbs: number[] = []
  for (const byte of bytes) {
    let carry = byte
    for (let i = 0; i < limbs.length; i++) {
      carry += (limbs[i] ?? 0) * 256
      limbs[i] = carry % LIMB
      carry = Math.floor(carry / LIMB)
    }
    if (carry > 0) limbs.push(carry)
  }
  let text = ""
  for (const limb of limbs) {
    for (let rest = limb, i = 0; i < 5; i++, rest = Math.floor(rest / 58)) text = ALPHABET.charAt(rest % 58) + text
  }
  // The highest limb may have been filled up with zero digits.
  return "1".repeat(leading(bytes, 0)) + text.replace(/^1+/, "")
}

/** undefined for a letter outside the alphabet or a text of more than 256 letters. */
export function decodeBase58(text: string): Bytes | undefined {
  if (text.length > MAX_TEXT) return undefined
  const bytes: number[] = []
  for (const letter of text) {
    let carry = DIGIT_OF.get(letter)
    if (carry === undefined) return undefined
    for (let i = 0; i < bytes.length; i++) {
      carry += (bytes[i] ?? 0) * 58
      bytes[i] = carry & 255
      carry >>= 8
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 255)
  }
  const zeros = leading([...text], "1")
  return concat(new Uint8Array(zeros), Uint8Array.from(bytes.reverse()))
}

export const encodeBase58Check = (payload: Uint8Array): string => encodeBase58(concat(payload, checksum(payload)))

/** The payload, or undefined when the text is not base58 or its checksum is wrong. */
export function decodeBase58Check(text: string): Bytes | undefined {
  const bytes = decodeBase58(text)
  if (bytes === undefined || bytes.length < 4) return undefined
  const payload = bytes.slice(0, -4)
  return equal(checksum(payload), bytes.subarray(-4)) ? payload : undefined
}

const checksum = (payload: Uint8Array): Bytes => sha256(sha256(payload)).slice(0, 4)

function leading<T>(items: Iterable<T>, value: T): number {
  let count = 0
  for (const item of items) {
    if (item !== value) break
    count++
  }
  return count
}
