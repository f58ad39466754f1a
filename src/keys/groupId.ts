/** Group ids: 20 ASCII letters, mixed case, as the vendor's tools expect them (formats.md 6). About 114 bits. */
import type { Rng } from "../crypto/random.ts"

/** Ids that tasks and records can carry (formats.md 6). */
export const GROUP_ID = /^[A-Za-z]{20}$/

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const LENGTH = 20
// The largest multiple of 52 in a byte. Larger values are discarded, so that every letter is equally likely.
const BELOW = 208

export function newGroupId(rng: Rng): string {
  let id = ""
  while (id.length < LENGTH) {
    for (const byte of rng(LENGTH)) if (byte < BELOW && id.length < LENGTH) id += LETTERS.charAt(byte % LETTERS.length)
  }
  return id
}
