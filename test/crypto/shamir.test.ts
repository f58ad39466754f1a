import { expect, test } from "bun:test"
import fc from "fast-check"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { commitments, evaluateCommitted, shareMatches, sumCommitted } from "../../src/crypto/feldman.ts"
import { areShareIds, evaluate, lagrange, randomPolynomial, shareIdOf } from "../../src/crypto/shamir.ts"
import { seededRng } from "../mpc/network.ts"

const CURVES = [K1, ED]
const SEED = { seed: 20_261_122, numRuns: 60 }

/** Edge ids and anything up to 256 bits below q. */
const idsBelow = (order: bigint) =>
  fc.uniqueArray(
    fc.oneof(
      fc.constantFrom(1n, 2n, order - 1n, order - 2n, order >> 1n, (order >> 1n) + 1n),
      fc.bigInt({ min: 1n, max: order - 1n }),
    ),
    { minLength: 2, maxLength: 9 },
  )

for (const curve of CURVES) {
  test(`${curve.name}: any threshold many shares give the secret, and the same in the exponent`, () => {
    fc.assert(
      fc.property(idsBelow(curve.order), fc.nat(), fc.string(), (ids, cut, seed) => {
        const threshold = 1 + (cut % ids.length)
        const polynomial = randomPolynomial(curve, threshold, seededRng(seed))
        const subset = ids.slice(0, threshold)
        const lambdas = lagrange(curve, subset)
        const secret = subset.reduce((sum, x, i) => sum + (lambdas[i] ?? 0n) * evaluate(curve, polynomial, x), 0n)
        expect(curve.mod(secret)).toBe(polynomial[0] ?? -1n)
        expect(curve.mod(lambdas.reduce((a, b) => a + b))).toBe(1n)
      }),
      SEED,
    )
  })

  test(`${curve.name}: one share fewer gives another value`, () => {
    const polynomial = randomPolynomial(curve, 3, seededRng("fewer"))
    const ids = [5n, curve.order - 1n]
    const lambdas = lagrange(curve, ids)
    const value = ids.reduce((sum, x, i) => sum + (lambdas[i] ?? 0n) * evaluate(curve, polynomial, x), 0n)
    expect(curve.mod(value)).not.toBe(polynomial[0] ?? -1n)
  })

  test(`${curve.name}: ids that are 0, q, congruent to another or equal to it are refused`, () => {
    const bad = [
      [0n, 1n],
      [curve.order, 1n],
      [1n, 1n],
      [1n, curve.order + 1n],
      [-1n, 2n],
    ]
    for (const ids of bad) {
      expect(areShareIds(curve, ids)).toBe(false)
      expect(() => lagrange(curve, ids)).toThrow(RangeError)
    }
    expect(areShareIds(curve, [1n, curve.order - 1n])).toBe(true)
  })

  test(`${curve.name}: a committed polynomial accepts its own values alone`, () => {
    const polynomial = randomPolynomial(curve, 3, seededRng("feldman"))
    const points = commitments(curve, polynomial)
    for (const x of [1n, 2n, 1n << 127n, curve.order - 1n]) {
      const share = evaluate(curve, polynomial, x)
      expect(shareMatches(curve, points, x, share)).toBe(true)
      expect(shareMatches(curve, points, x, share + 1n)).toBe(false)
      expect(shareMatches(curve, points, x === 1n ? 2n : x - 1n, share)).toBe(false)
      expect(shareMatches(curve, points.slice(0, 2), x, share)).toBe(false)
      expect(curve.equals(evaluateCommitted(curve, points, x), curve.multiplyBase(share))).toBe(true)
    }
  })

  test(`${curve.name}: a committed polynomial with a root at x evaluates to the identity without throwing`, () => {
    const points = commitments(curve, [curve.mod(-7n), 1n])
    expect(curve.isIdentity(evaluateCommitted(curve, points, 7n))).toBe(true)
    expect(shareMatches(curve, points, 7n, 0n)).toBe(true)
    expect(shareMatches(curve, points, 7n, 1n)).toBe(false)
  })

  test(`${curve.name}: polynomials add up coefficient by coefficient, and only when they have one length`, () => {
    const a = randomPolynomial(curve, 2, seededRng("a"))
    const b = randomPolynomial(curve, 2, seededRng("b"))
    const sum = sumCommitted(curve, [commitments(curve, a), commitments(curve, b)])
    const at = curve.multiplyBase(evaluate(curve, a, 9n) + evaluate(curve, b, 9n))
    expect(curve.equals(evaluateCommitted(curve, sum, 9n), at)).toBe(true)
    const longer = randomPolynomial(curve, 3, seededRng("c"))
    expect(() => sumCommitted(curve, [commitments(curve, a), commitments(curve, longer)])).toThrow(RangeError)
  })

  test(`${curve.name}: a secret that is 0 is not dealt, a given one is`, () => {
    expect(() => randomPolynomial(curve, 2, seededRng("x"), curve.order)).toThrow(RangeError)
    expect(randomPolynomial(curve, 2, seededRng("x"), 5n)[0]).toBe(5n)
    expect(randomPolynomial(curve, 4, seededRng("x"))).toHaveLength(4)
  })
}

test("share ids of node ids: 1 to 2^128, fixed by a known answer", () => {
  const id = shareIdOf(new Uint8Array(32).fill(1))
  expect(id).toBe(82905042260717642569600858242914855133n)
  expect(id <= 1n << 128n).toBe(true)
})
