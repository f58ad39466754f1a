import { expect, test } from "bun:test"
import fc from "fast-check"
import { bigToBe, fromHex, toHex } from "../../src/bytes.ts"
import { curveNamed, ED, K1 } from "../../src/crypto/curve.ts"
import { addTweak, DerivationCache, deriveTweak, leftTweak } from "../../src/keys/derive.ts"
import ed25519 from "../vectors/ed25519-derivation.json"
import { codeOf } from "./codeOf.ts"

const CHAIN = new Uint8Array(32).fill(7)

test("Ed25519 vectors: public keys, chain codes, and the tweak that leads from scalar to scalar", () => {
  for (const chain of ed25519.chains) {
    const root = chain[0]!
    const path: number[] = []
    for (const row of chain.slice(1)) {
      path.push(row.index!)
      const child = deriveTweak("ed25519", fromHex(root.publicKey)!, fromHex(root.chainCode)!, path)
      expect(toHex(child.publicKey)).toBe(row.publicKey)
      expect(toHex(child.chainCode)).toBe(row.chainCode)
      expect(toHex(bigToBe(ED.mod(BigInt(`0x${root.scalar}`) + child.tweak), 32))).toBe(row.scalar)
    }
  }
})

test("child scalar = root scalar + tweak, on both curves and for every path", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(K1, ED),
      fc.bigInt({ min: 1n, max: ED.order - 1n }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(fc.integer({ min: 0, max: 0x7fff_ffff }), { maxLength: 5 }),
      (curve, scalar, chain, path) => {
        const root = curve.encodePoint(curve.multiplyBase(scalar))
        const child = deriveTweak(curve.name, root, chain, path)
        expect(toHex(child.publicKey)).toBe(toHex(curve.encodePoint(curve.multiplyBase(scalar + child.tweak))))
        expect(child.tweak >= 0n && child.tweak < curve.order).toBe(true)
      },
    ),
    { seed: 511, numRuns: 40 },
  )
})

test("a path derives in one go as level by level", () => {
  const root = K1.encodePoint(K1.multiplyBase(5n))
  const whole = deriveTweak("secp256k1", root, CHAIN, [1, 2, 3])
  const first = deriveTweak("secp256k1", root, CHAIN, [1])
  const rest = deriveTweak("secp256k1", first.publicKey, first.chainCode, [2, 3])
  expect(rest.publicKey).toEqual(whole.publicKey)
  expect(K1.mod(first.tweak + rest.tweak)).toBe(whole.tweak)
})

test("what a cache of any size gives is what deriving gives, whichever keys and paths came before", () => {
  const roots = [K1, ED].flatMap((curve) =>
    [3n, 5n].map((k) => ({ curve, publicKey: curve.encodePoint(curve.multiplyBase(k)) })),
  )
  const asked = fc.array(
    fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 1 }), fc.array(fc.nat({ max: 2 }), { maxLength: 3 })),
  )
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 5, 4096), asked, (capacity, all) => {
      const cache = new DerivationCache(capacity)
      for (const [root, chain, path] of all) {
        const { curve, publicKey } = roots[root]!
        const chainCode = new Uint8Array(32).fill(chain)
        const { point, ...derived } = cache.nodeAt(curve, publicKey, chainCode, path)
        expect(derived).toEqual(deriveTweak(curve.name, publicKey, chainCode, path))
        expect(curve.encodePoint(point)).toEqual(derived.publicKey)
      }
    }),
    { seed: 512, numRuns: 25 },
  )
})

test("a cache derives once, keeps what is used, and never holds more than its capacity", () => {
  const root = K1.encodePoint(K1.multiplyBase(3n))
  const cache = new DerivationCache(4)
  const at = (...path: number[]) => cache.nodeAt(K1, root, CHAIN, path)
  const [first, second] = [at(0), at(1)]
  expect(at(0)).toBe(first)
  at(2) // with the root and 0, 1, 2: full
  at(3) // drops 1, which was used longest ago
  expect(at(0)).toBe(first)
  expect(at(1)).not.toBe(second)
  expect(cache.size).toBe(4)
})

test("a cache refuses what deriving refuses, before and after it knows the key", () => {
  const cache = new DerivationCache()
  const bad = new Uint8Array(33).fill(4)
  expect(codeOf(() => cache.nodeAt(K1, bad, CHAIN, []))).toBe("E-KEY-004")
  const root = K1.encodePoint(K1.multiplyBase(3n))
  for (let i = 0; i < 2; i++) {
    expect(codeOf(() => cache.nodeAt(K1, root, CHAIN, [1, 2 ** 31]))).toBe("E-KEY-002")
    expect(() => cache.nodeAt(K1, root, CHAIN, [-1])).toThrow(RangeError)
  }
})

test("the empty path is the key itself, checked, and copied", () => {
  for (const curve of [K1, ED]) {
    const root = curve.encodePoint(curve.generator)
    const same = deriveTweak(curve.name, root, CHAIN, [])
    expect(same).toEqual({ tweak: 0n, publicKey: root, chainCode: CHAIN })
    same.chainCode.fill(0)
    expect(CHAIN[0]).toBe(7)
  }
})

test("bad parents are refused, also for the empty path", () => {
  const k1 = K1.encodePoint(K1.generator)
  const ed = ED.encodePoint(ED.generator)
  // The identity (1, y = 1) and a point of order 8: on the curve, and no key.
  const torsion = fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")!
  for (const path of [[], [0]]) {
    expect(codeOf(() => deriveTweak("secp256k1", ed, CHAIN, path))).toBe("E-KEY-004")
    expect(codeOf(() => deriveTweak("ed25519", k1, CHAIN, path))).toBe("E-KEY-004")
    expect(codeOf(() => deriveTweak("ed25519", new Uint8Array(32).fill(1, 0, 1), CHAIN, path))).toBe("E-KEY-004")
    expect(codeOf(() => deriveTweak("ed25519", torsion, CHAIN, path))).toBe("E-KEY-004")
    expect(() => deriveTweak("secp256k1", k1, CHAIN.subarray(1), path)).toThrow(RangeError)
  }
})

test("hardened and impossible indices are refused", () => {
  for (const curve of [K1, ED]) {
    const root = curve.encodePoint(curve.generator)
    expect(codeOf(() => deriveTweak(curve.name, root, CHAIN, [0x8000_0000]))).toBe("E-KEY-002")
    for (const index of [-1, 0.5, Number.NaN]) {
      expect(() => deriveTweak(curve.name, root, CHAIN, [index])).toThrow(RangeError)
    }
  }
})

test("the edges where BIP-32 has no child, which no search would ever meet", () => {
  expect(leftTweak(K1, bigToBe(K1.order, 32))).toBeUndefined()
  expect(leftTweak(K1, new Uint8Array(32).fill(255))).toBeUndefined()
  expect(leftTweak(K1, bigToBe(K1.order - 1n, 32))).toBe(K1.order - 1n)
  expect(leftTweak(ED, bigToBe(ED.order + 5n, 32))).toBe(5n)
  for (const { name } of [K1, ED]) {
    const curve = curveNamed(name)
    const seven = curve.multiplyBase(7n)
    expect(addTweak(curve, seven, curve.order - 7n)).toBeUndefined()
    expect(curve.equals(addTweak(curve, seven, 0n)!, seven)).toBe(true)
  }
})
