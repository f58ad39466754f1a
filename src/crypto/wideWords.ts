/**
 * Unsigned integers as little-endian 64-bit words in the variables of a WebAssembly function: sums, products, and residues modulo 2^256 -
 * c. It emits straight-line code without branches, so the time does not depend on the values.
 */
import type { Local, WasmBody } from "./wasm.ts"

/** The variables of a number's words, lowest first. */
export type Wide = readonly Local[]

/** Number of words of a residue. */
export const RESIDUE_WORDS = 4

/** Emits arithmetic into one function. The variables of intermediate results are reused. */
export class WideWords {
  readonly #carry: Local
  readonly #mask: Local
  readonly #sum: Wide
  readonly #high: Wide

  constructor(readonly body: WasmBody) {
    this.#carry = body.word()
    this.#mask = body.word()
    this.#sum = body.words(RESIDUE_WORDS)
    this.#high = body.words(5)
  }

  load(address: Local, offset: number, into: Wide): void {
    into.forEach(
      (word, i) =>
        void this.body
          .get(address)
          .load(offset + 8 * i)
          .set(word),
    )
  }

  store(from: Wide, address: Local, offset: number): void {
    from.forEach((word, i) => void this.body.get(address, word).store(offset + 8 * i))
  }

  clear(into: Wide): void {
    for (const word of into) this.body.constant(0n).set(word)
  }

  copy(from: Wide, into: Wide): void {
    into.forEach((word, i) => void this.body.get(at(from, i)).set(word))
  }

  /** into += from, which has at most as many words. Returns the variable with the carry, valid until the next operation. */
  add(into: Wide, from: Wide): Local {
    return this.#carried(into, (i) => (i < from.length ? this.body.get(at(from, i)) : this.body.constant(0n)))
  }

  /** into += a constant of at most as many words. */
  addConstant(into: Wide, constant: readonly bigint[]): void {
    this.#carried(into, (i) => this.body.constant(constant[i] ?? 0n))
  }

  /** into += from & mask; mask is 0 or all ones. */
  addMasked(into: Wide, from: Wide, mask: Local): Local {
    return this.#carried(into, (i) =>
      i < from.length ? this.body.get(at(from, i), mask).and() : this.body.constant(0n),
    )
  }

  /** into -= from. If `into` is smaller, the result is modulo 2^(64 * its number of words). */
  sub(into: Wide, from: Wide): void {
    const { body } = this
    body.constant(0n).set(this.#carry)
    into.forEach((word, i) => {
      // Computes word - from - borrow in 128 bits. The high word is 0, or all ones after a borrow.
      body.get(word).constant(0n)
      if (i < from.length) body.get(at(from, i)).constant(0n)
      else body.constant(0n).constant(0n)
      body.sub128().get(this.#carry).constant(0n).sub128()
      body.constant(63n).shiftRight().set(this.#carry).set(word)
    })
  }

  /** into += a * b. The result must fit `into`. */
  addProduct(into: Wide, a: Wide, b: Wide): void {
    const { body } = this
    a.forEach((x, i) => {
      b.forEach((y, j) => {
        const word = at(into, i + j)
        // The sum is at most (2^64-1)^2 + 2 (2^64-1), which fits 128 bits.
        body.get(x, y).mulWide().get(word).constant(0n).add128()
        if (j > 0) body.get(this.#carry).constant(0n).add128()
        body.set(this.#carry).set(word)
      })
      this.#ripple(into, i + b.length)
    })
  }

  /** into = a * b; `into` has as many words as both together. */
  product(into: Wide, a: Wide, b: Wide): void {
    const { body } = this
    a.forEach((x, i) => {
      b.forEach((y, j) => {
        const word = at(into, i + j)
        body.get(x, y).mulWide()
        if (i > 0) body.get(word).constant(0n).add128()
        if (j > 0) body.get(this.#carry).constant(0n).add128()
        body.set(this.#carry).set(word)
      })
      body.get(this.#carry).set(at(into, i + b.length))
    })
  }

  /**
   * Reduces `value`, which is below 2^bits, modulo 2^256 - c: sets `residue` to a congruent number below 2^256, which need not be
   * canonical. `value` has five to nine words and is overwritten.
   */
  fold(value: Wide, bits: number, c: readonly bigint[], residue: Wide): void {
    let [now, bound] = [value, bits]
    while (now.length > RESIDUE_WORDS + 1) {
      const high = this.#high.slice(0, now.length - RESIDUE_WORDS)
      this.copy(now.slice(RESIDUE_WORDS), high)
      this.clear(now.slice(RESIDUE_WORDS))
      bound = Math.max(bound - 256 + bitsOf(c), 256) + 1
      now = now.slice(0, Math.ceil(bound / 64))
      this.#addConstantProduct(now, high, c)
    }
    // A number below 2^316 is below 2^256 + 2^190 after the first fold, and below 2^256 after the second. If its top is not 0 between them,
    // the rest is below 2^190, so the second sum changes only the first three words.
    this.#foldTop(now, c, RESIDUE_WORDS + 1)
    this.#foldTop(now, c, RESIDUE_WORDS - 1)
    this.copy(now.slice(0, RESIDUE_WORDS), residue)
  }

  /** Makes a residue below 2^256 canonical, that is below 2^256 - c. */
  canonical(residue: Wide, c: readonly bigint[]): void {
    const { body } = this
    this.copy(residue, this.#sum)
    // residue + c reaches 2^256 exactly if residue reaches the modulus. Its low 256 bits are the difference then.
    const carry = this.#carried(this.#sum, (i) => body.constant(c[i] ?? 0n))
    body.constant(0n).get(carry).sub().set(this.#mask)
    residue.forEach((word, i) => {
      body.get(word, word, at(this.#sum, i)).xor().get(this.#mask).and().xor().set(word)
    })
  }

  /** Folds the word above 2^256 by adding it times c. The sum changes only the first `count` words. */
  #foldTop(value: Wide, c: readonly bigint[], count: number): void {
    const [top] = this.#high
    const highest = at(value, RESIDUE_WORDS)
    if (top === undefined) throw new RangeError("no word")
    this.body.get(highest).set(top).constant(0n).set(highest)
    this.#addConstantProduct(value.slice(0, count), [top], c)
  }

  /** into += a * c; the sum fits `into`, so that a carry past its last word is 0. */
  #addConstantProduct(into: Wide, a: Wide, c: readonly bigint[]): void {
    const { body } = this
    c.forEach((factor, j) => {
      a.forEach((x, i) => {
        const word = at(into, i + j)
        body.get(x)
        if (factor === 1n) body.constant(0n)
        else body.constant(factor).mulWide()
        body.get(word).constant(0n).add128()
        if (i > 0) body.get(this.#carry).constant(0n).add128()
        body.set(this.#carry).set(word)
      })
      this.#ripple(into, j + a.length)
    })
  }

  /** Adds the carry to the words from `from` on. */
  #ripple(into: Wide, from: number): void {
    for (const word of into.slice(from)) {
      this.body.get(word).constant(0n).get(this.#carry).constant(0n).add128().set(this.#carry).set(word)
    }
  }

  #carried(into: Wide, push: (i: number) => void): Local {
    const { body } = this
    body.constant(0n).set(this.#carry)
    into.forEach((word, i) => {
      body.get(word).constant(0n)
      push(i)
      body.constant(0n).add128().get(this.#carry).constant(0n).add128().set(this.#carry).set(word)
    })
    return this.#carry
  }
}

/** The 64-bit words of `value`, as few as possible. */
export function wordsOf(value: bigint): readonly bigint[] {
  return value === 0n ? [] : [value & 0xffff_ffff_ffff_ffffn, ...wordsOf(value >> 64n)]
}

const bitsOf = (words: readonly bigint[]): number =>
  64 * (words.length - 1) + (words[words.length - 1] ?? 0n).toString(2).length

export function at(value: Wide, i: number): Local {
  const word = value[i]
  if (word === undefined) throw new RangeError("a number has fewer words")
  return word
}
