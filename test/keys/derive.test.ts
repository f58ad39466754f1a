import { expect, test } from "bun:test"
import fc from "fast-check"
import { bigToBe, fromHex, toHex } from "../../src/bytes.ts"
import { curveNamed, ED, K1 } from "../../src/crypto/curve.ts"
import { addTweak, deriveTweak, leftTweak } from "../../src/keys/derive.ts"
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
