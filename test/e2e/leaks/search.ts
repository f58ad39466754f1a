/**
 * Looks for thousands of needles at once, and for parts of them: every needle is indexed by pieces of eight bytes, so close
 * to each other that whatever is long enough to be a finding holds a whole piece. One pass over the text looks each eight
 * bytes up; where a piece stands, the match is extended both ways and measured.
 */
import type { Needle } from "./needles.ts"

export interface Match {
  readonly secret: string
  readonly form: string
  /** Where it begins in the text, and how far it goes. */
  readonly at: number
  readonly length: number
}

const PIECE = 8
/** A match with fewer different bytes is padding or a run of zeros, in a secret as anywhere else. */
const LEAST_DIFFERENT = 6
const FILTER_BITS = 22
const NONE = -1

/** Finds the matches in a text, each once. */
export type Search = (text: Uint8Array) => readonly Match[]

export function searchFor(needles: readonly Needle[]): Search {
  const index = new PieceIndex()
  for (const [n, { text, least }] of needles.entries()) {
    const step = least - PIECE + 1
    for (let at = 0; at + PIECE <= text.length; at += step) index.add(text, at, n)
  }
  return (text) => {
    const found: Match[] = []
    // per needle, the end of its last match: the pieces inside it say nothing new
    const ends = new Map<number, number>()
    index.walk(text, (at, needle, offset) => {
      const of = needles[needle]
      if (of === undefined || at < (ends.get(needle) ?? 0)) return
      const begin = matchBack(text, at, of.text, offset)
      const end = matchOn(text, at, of.text, offset)
      if (end - begin < of.least || isPadding(text.subarray(begin, end))) return
      ends.set(needle, end)
      found.push({ secret: of.secret, form: of.form, at: begin, length: end - begin })
    })
    return found
  }
}

function matchBack(text: Uint8Array, at: number, needle: Uint8Array, offset: number): number {
  let back = 0
  while (back < offset && back < at && text[at - back - 1] === needle[offset - back - 1]) back++
  return at - back
}

function matchOn(text: Uint8Array, at: number, needle: Uint8Array, offset: number): number {
  let on = PIECE
  while (offset + on < needle.length && at + on < text.length && text[at + on] === needle[offset + on]) on++
  return at + on
}

const isPadding = (bytes: Uint8Array): boolean => new Set(bytes).size < LEAST_DIFFERENT

/** Pieces by their two words, in flat arrays; a bitmap in front lets almost every position pass with one look. */
class PieceIndex {
  readonly #low: number[] = []
  readonly #high: number[] = []
  readonly #needle: number[] = []
  readonly #offset: number[] = []
  readonly #next: number[] = []
  readonly #filter = new Uint8Array(2 ** (FILTER_BITS - 3))
  readonly #heads = new Map<number, number>()

  add(text: Uint8Array, at: number, needle: number): void {
    const low = word(text, at)
    const high = word(text, at + 4)
    const hash = hashOf(low, high)
    const bit = hash >>> (32 - FILTER_BITS)
    this.#filter[bit >>> 3] = (this.#filter[bit >>> 3] ?? 0) | (1 << (bit & 7))
    this.#next.push(this.#heads.get(hash) ?? NONE)
    this.#heads.set(hash, this.#low.length)
    this.#low.push(low)
    this.#high.push(high)
    this.#needle.push(needle)
    this.#offset.push(at)
  }

  walk(text: Uint8Array, found: (at: number, needle: number, offset: number) => void): void {
    const filter = this.#filter
    const last = text.length - PIECE
    if (last < 0) return
    let low = word(text, 0)
    let high = word(text, 4)
    for (let at = 0; ; at++) {
      const hash = hashOf(low, high)
      const bit = hash >>> (32 - FILTER_BITS)
      if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0) this.#look(low, high, hash, at, found)
      if (at === last) return
      low = (low >>> 8) | ((high & 0xff) << 24)
      high = (high >>> 8) | ((text[at + PIECE] ?? 0) << 24)
    }
  }

  #look(
    low: number,
    high: number,
    hash: number,
    at: number,
    found: (at: number, needle: number, offset: number) => void,
  ): void {
    for (let i = this.#heads.get(hash) ?? NONE; i !== NONE; i = this.#next[i] ?? NONE) {
      if (this.#low[i] === low && this.#high[i] === high) found(at, this.#needle[i] ?? 0, this.#offset[i] ?? 0)
    }
  }
}

/** Four bytes as a signed word, the first one lowest. */
const word = (text: Uint8Array, at: number): number =>
  (text[at] ?? 0) | ((text[at + 1] ?? 0) << 8) | ((text[at + 2] ?? 0) << 16) | ((text[at + 3] ?? 0) << 24)

const hashOf = (low: number, high: number): number => {
  const mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)
  return (mixed ^ (mixed >>> 15)) >>> 0
}
