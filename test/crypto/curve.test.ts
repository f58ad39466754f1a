import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import { type Bytes, bigToBe, bigToLe, concat, copy, fromHex, u8 } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"

const P_ED = (1n << 255n) - 19n
const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0)

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

const G = secp256k1.Point.BASE
const NOT_K1: readonly (readonly [string, Bytes])[] = [
  ["nothing", new Uint8Array(0)],
  ["the identity, in 1 byte", u8(0)],
  ["the identity, in 33", new Uint8Array(33)],
  ["uncompressed", copy(G.toBytes(false))],
  ["hybrid", concat(u8(6), copy(G.toBytes(false)).subarray(1))],
  ["x alone", copy(G.toBytes()).subarray(1)],
  ["a prefix that is neither 2 nor 3", concat(u8(4), copy(G.toBytes()).subarray(1))],
  ["x off the curve", concat(u8(2), bigToBe(5n, 32))],
  ["x of p or more", concat(u8(2), bigToBe(secp256k1.Point.Fp.ORDER + 1n, 32))],
  ["one byte more", concat(copy(G.toBytes()), u8(0))],
]
for (const [what, bytes] of NOT_K1) {
  test(`secp256k1 does not decode ${what}`, () => expect(K1.decodePoint(bytes)).toBeUndefined())
}

/** The eight points of small order, and sums with them, are regression 17 ("baby sharks"). */
const TORSION = [
  "0100000000000000000000000000000000000000000000000000000000000000",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0000000000000000000000000000000000000000000000000000000000000080",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
test("regression 17: Ed25519 points of small order, and points with a part of small order, do not decode", () => {
  for (const torsion of TORSION) expect(ED.decodePoint(hex(torsion))).toBeUndefined()
  for (const torsion of TORSION.slice(1)) {
    const mixed = ed25519.Point.BASE.add(ed25519.Point.fromBytes(hex(torsion), true))
    expect(ED.decodePoint(copy(mixed.toBytes()))).toBeUndefined()
  }
})

const B = ed25519.Point.BASE
const NOT_ED: readonly (readonly [string, Bytes])[] = [
  ["y of p or more", bigToLe(P_ED + 3n, 32)],
  ["a second form of the identity, y = p + 1", bigToLe(P_ED + 1n, 32)],
  ["x = 0 with the sign bit", concat(u8(1), new Uint8Array(30), u8(128))],
  ["y off the curve", bigToLe(2n, 32)],
  ["31 bytes", copy(B.toBytes()).subarray(1)],
  ["33 bytes", concat(copy(B.toBytes()), u8(0))],
]
for (const [what, bytes] of NOT_ED) {
  test(`Ed25519 does not decode ${what}`, () => expect(ED.decodePoint(bytes)).toBeUndefined())
}
