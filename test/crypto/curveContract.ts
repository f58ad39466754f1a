/** What both curves promise, in a thread that computes with noble alone and in one that was given memory for WebAssembly. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { bigToBe, bigToLe } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"

export function curveContract(): void {
  for (const curve of [K1, ED]) {
    test(`${curve.name}: points and scalars survive their encoding`, () => {
      fc.assert(
        fc.property(fc.bigInt({ min: 1n, max: curve.order - 1n }), (k) => {
          const point = curve.multiplyBase(k)
          const decoded = curve.decodePoint(curve.encodePoint(point))
          expect(decoded && curve.equals(decoded, point)).toBe(true)
          expect(curve.decodeScalar(curve.encodeScalar(k))).toBe(k)
          expect(curve.equals(curve.multiplyBasePublic(k), point)).toBe(true)
          expect(curve.equals(curve.multiplyPublic(curve.generator, k), curve.multiply(curve.generator, k))).toBe(true)
          expect(curve.equals(curve.multiplyBaseOnce(k), point)).toBe(true)
          expect(curve.equals(curve.multiplyOnce(point, k), curve.multiply(point, k))).toBe(true)
        }),
        { seed: 1, numRuns: 15 },
      )
    })

    test(`${curve.name}: every kind of multiplication at the edges: scalars 0, 1, 2, q-1 and q, and the identity`, () => {
      const point = curve.multiplyBase(77n)
      for (const k of [0n, 1n, 2n, curve.order - 1n, curve.order, curve.order + 1n]) {
        let expected = curve.identity
        for (let i = 0n; i < curve.mod(k) % (curve.order - 1n); i++) expected = curve.add(expected, point)
        if (curve.mod(k) === curve.order - 1n) expected = curve.negate(point)
        for (const multiply of [curve.multiply, curve.multiplyOnce, curve.multiplyPublic]) {
          expect(curve.equals(multiply(point, k), expected)).toBe(true)
          expect(curve.isIdentity(multiply(curve.identity, k))).toBe(true)
        }
        for (const multiply of [curve.multiplyBase, curve.multiplyBaseOnce, curve.multiplyBasePublic]) {
          expect(curve.equals(multiply(k), curve.multiply(curve.generator, k))).toBe(true)
        }
      }
    })

    test(`${curve.name}: a sum of products is the sum of the products`, () => {
      const points = [3n, 5n, 7n].map((k) => curve.multiplyBase(k))
      const scalars = [curve.order - 1n, 0n, 1n << 200n]
      const expected = curve.multiplyBase(3n * (curve.order - 1n) + (7n << 200n))
      expect(curve.equals(curve.sumOfProductsPublic(points, scalars), expected)).toBe(true)
      for (const k of [0n, 1n, curve.order - 1n, curve.order + 5n]) {
        const [point] = points
        expect(curve.equals(curve.sumOfProductsPublic([point!], [k]), curve.multiplyBase(3n * k))).toBe(true)
      }
      expect(curve.isIdentity(curve.sumOfProductsPublic([], []))).toBe(true)
      expect(curve.equals(curve.checkedSum(9n, points, scalars), curve.add(expected, curve.multiplyBase(9n)))).toBe(
        true,
      )
      expect(curve.equals(curve.checkedSum(-9n, points, [-1n, 0n, -2n]), curve.multiplyBase(-26n))).toBe(true)
      expect(curve.isIdentity(curve.checkedSum(0n, [], []))).toBe(true)
    })

    test(`${curve.name}: points encoded together are encoded as each alone, and the identity not at all`, () => {
      const points = [1n, 2n, curve.order - 1n, 1n << 200n].map((k) => curve.multiplyBase(k))
      const decoded = points.map((point) => curve.decodePoint(curve.encodePoint(point))!)
      const all = [...points, ...decoded, curve.add(points[1]!, decoded[3]!)]
      expect(curve.encodePoints(all)).toEqual(all.map(curve.encodePoint))
      expect(curve.encodePoints([])).toEqual([])
      expect(() => curve.encodePoints([points[0]!, curve.identity])).toThrow(RangeError)
    })

    test(`${curve.name}: nothing is reduced silently`, () => {
      const encode = (k: bigint) => (curve.name === "ed25519" ? bigToLe(k, 32) : bigToBe(k, 32))
      for (const k of [curve.order, curve.order + 1n, (1n << 256n) - 1n]) {
        expect(curve.decodeScalar(encode(k))).toBeUndefined()
      }
      expect(curve.decodeScalar(encode(curve.order - 1n))).toBe(curve.order - 1n)
      expect(curve.decodeScalar(new Uint8Array(31))).toBeUndefined()
      expect(curve.decodeScalar(new Uint8Array(33))).toBeUndefined()
    })

    test(`${curve.name}: the identity is neither encoded nor decoded`, () => {
      expect(() => curve.encodePoint(curve.identity)).toThrow(RangeError)
      expect(curve.isIdentity(curve.multiplyBase(0n))).toBe(true)
      expect(curve.isIdentity(curve.multiplyBaseOnce(0n))).toBe(true)
      expect(curve.isIdentity(curve.multiplyOnce(curve.generator, curve.order))).toBe(true)
      expect(curve.isIdentity(curve.multiplyPublic(curve.generator, 0n))).toBe(true)
    })
  }
}
