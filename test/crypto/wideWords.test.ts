/** Sums, products and reductions in 64-bit words against BigInts, above all where carries go on through many words. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { bigToLe, leToBig } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { hasMemory, makeMemory, useMemory, type WasmBody, WasmModule } from "../../src/crypto/wasm.ts"
import { ED_WASM, K1_WASM } from "../../src/crypto/wasmCurves.ts"
import { RESIDUE_WORDS, WideWords, wordsOf } from "../../src/crypto/wideWords.ts"

if (!hasMemory()) useMemory(makeMemory())

/** The end of the memory, which no module of ours uses. */
const [TO, A, B] = [4 * 65536 - 512, 4 * 65536 - 384, 4 * 65536 - 256]
const TOP = 1n << 256n

/** The three moduli 2^256 - c that are in use. */
const MODULI = [
  { name: "secp256k1's field", c: K1_WASM.c },
  { name: "secp256k1's scalars", c: TOP - K1.order },
  { name: "twice Ed25519's field", c: ED_WASM.c },
]

/** Words that are all ones, all zeros, one, or any: so carries run, and numbers are close to the moduli and to powers of two. */
const word = fc.oneof(
  fc.constantFrom(0n, 1n, (1n << 64n) - 1n, (1n << 64n) - 2n, 1n << 63n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
)
const wide = (words: number) =>
  fc
    .array(word, { minLength: words, maxLength: words })
    .map((all) => all.reduceRight((sum, one) => (sum << 64n) | one, 0n))

for (const { name, c } of MODULI) {
  const p = TOP - c
  const near = fc.constantFrom(0n, 1n, c - 1n, c, c + 1n, p - 1n, p, p + 1n, TOP - 1n)
  const residue = fc.oneof(wide(4), near)
  const made = new WasmModule()
  const binary = (write: (wideWords: WideWords, a: Words, b: Words) => void) => (body: WasmBody) => {
    const wideWords = new WideWords(body)
    const [a, b] = [body.words(RESIDUE_WORDS), body.words(RESIDUE_WORDS)]
    wideWords.load(body.parameter(1), 0, a)
    wideWords.load(body.parameter(2), 0, b)
    write(wideWords, a, b)
    wideWords.store(a, body.parameter(0), 0)
  }
  const constant = wordsOf(c)
  made.define(
    "multiply",
    3,
    binary((wideWords, a, b) => {
      const product = wideWords.body.words(2 * RESIDUE_WORDS)
      wideWords.product(product, a, b)
      wideWords.fold(product, 512, constant, a)
    }),
  )
  // 517 bits, nine words: what a sum of products has.
  made.define(
    "squareSum",
    3,
    binary((wideWords, a, b) => {
      const sum = wideWords.body.words(2 * RESIDUE_WORDS + 1)
      for (let i = 0; i < 16; i++) {
        wideWords.addProduct(sum, a, a)
        wideWords.addProduct(sum, b, b)
      }
      wideWords.fold(sum, 517, constant, a)
      wideWords.canonical(a, constant)
    }),
  )
  // `a` above 2^256 by a word, as sums and products by a word are.
  made.define(
    "foldWord",
    3,
    binary((wideWords, a, [top]) => {
      if (top === undefined) throw new RangeError("no word")
      wideWords.fold([...a, top], 316, constant, a)
    }),
  )
  const { memory, function: of } = made.instantiate()
  const [multiply, squareSum, foldWord] = [of("multiply"), of("squareSum"), of("foldWord")]
  const run = (call: typeof multiply, a: bigint, b: bigint): bigint => {
    memory.set(bigToLe(a, 32), A)
    memory.set(bigToLe(b, 32), B)
    call(TO, A, B)
    return leToBig(memory.slice(TO, TO + 32))
  }

  test(`${name}: products and sums of products are congruent to BigInt's`, () => {
    fc.assert(
      fc.property(residue, residue, (a, b) => {
        expect((run(multiply, a, b) - a * b) % p).toBe(0n)
        expect(run(squareSum, a, b)).toBe((16n * (a * a + b * b)) % p)
      }),
      { seed: 5, numRuns: 1500 },
    )
  })

  test(`${name}: a word above 2^256 is folded, whatever is below it`, () => {
    fc.assert(
      fc.property(
        residue,
        fc.oneof(fc.constantFrom(0n, 1n, 2n, (1n << 60n) - 1n), fc.bigInt(0n, (1n << 60n) - 1n)),
        (a, top) => {
          expect((run(foldWord, a, top) - (top * TOP + a)) % p).toBe(0n)
        },
      ),
      { seed: 6, numRuns: 1500 },
    )
  })
}

type Words = ReturnType<WasmBody["words"]>
