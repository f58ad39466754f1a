/** Points in WebAssembly against noble's; and what the curves promise (curveContract.ts), again in a thread that was given memory. */
import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import { type Bytes, beToBig, bigToBe, concat, copy, fromHex, toHex } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { hasMemory, makeMemory, useMemory } from "../../src/crypto/wasm.ts"
import { ED_WASM, K1_WASM } from "../../src/crypto/wasmCurves.ts"
import { type Coordinates, WasmPoints } from "../../src/crypto/wasmPoints.ts"
import { recovers } from "../../src/mpc/dkls/combine.ts"
import { SECP256K1_SHA256_TR } from "../../src/mpc/frost/suite.ts"
import { curveContract } from "./curveContract.ts"
import { TORSION } from "./torsion.ts"

if (!hasMemory()) useMemory(makeMemory())
curveContract()

const scalars = (order: bigint) =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: order - 1n }),
    fc.constantFrom(0n, 1n, 2n, 3n, order - 1n, order - 2n, 1n << 128n, (1n << 128n) - 1n, (1n << 252n) - 1n),
  )

const CURVES = [
  { name: "secp256k1", curve: K1_WASM, Point: secp256k1.Point, of: ({ X, Y, Z }: never) => [X, Y, Z, 0n] },
  { name: "ed25519", curve: ED_WASM, Point: ed25519.Point, of: ({ X, Y, Z, T }: never) => [X, Y, Z, T] },
] as const

for (const { name, curve, Point, of } of CURVES) {
  const wasm = new WasmPoints(curve)
  const coordinates = (point: unknown) => of(point as never) as unknown as Coordinates
  const times = (point: { multiplyUnsafe(k: bigint): unknown }, k: bigint) =>
    point.multiplyUnsafe(k) as typeof Point.BASE
  /** X1 Z2 = X2 Z1 and Y1 Z2 = Y2 Z1. */
  const same = (a: Coordinates, b: Coordinates) =>
    [0, 1].every((i) => (a[i as 0] * b[2] - b[i as 0] * a[2]) % curve.p === 0n) && (a[2] === 0n) === (b[2] === 0n)

  test(`${name}: sums of multiples are noble's`, () => {
    const k = scalars(Point.Fn.ORDER)
    fc.assert(
      fc.property(k, fc.array(fc.tuple(k, k), { maxLength: 5 }), (base, terms) => {
        const points = terms.map(([dlog]) => times(Point.BASE, dlog))
        const sum = wasm.sum(
          base,
          points.map(coordinates),
          terms.map(([, scalar]) => scalar),
        )
        const all = terms.reduce((total, [dlog, scalar]) => total + dlog * scalar, base) % Point.Fn.ORDER
        expect(same(sum, coordinates(times(Point.BASE, all)))).toBe(true)
      }),
      { seed: 3, numRuns: 40 },
    )
  })

  test(`${name}: a point with itself, with its negative and with the identity: no sum is an exception`, () => {
    const point = times(Point.BASE, 77n)
    const [P, minusP] = [coordinates(point), coordinates(point.negate())]
    for (const scalar of [1n, 2n, 31n, Point.Fn.ORDER - 1n]) {
      expect(same(wasm.sum(0n, [P, minusP], [scalar, scalar]), curve.identity)).toBe(true)
      expect(same(wasm.sum(0n, [P, P], [scalar, 1n]), coordinates(times(point, (scalar + 1n) % Point.Fn.ORDER)))).toBe(
        true,
      )
      expect(same(wasm.sum(0n, [curve.identity, P], [scalar, 1n]), P)).toBe(true)
    }
    expect(same(wasm.sum(0n, [], []), curve.identity)).toBe(true)
  })

  test(`${name}: more points than fit at once`, () => {
    const points = Array.from({ length: 70 }, (_, i) => times(Point.BASE, BigInt(i + 1)))
    const sum = wasm.sum(
      5n,
      points.map(coordinates),
      points.map((_, i) => BigInt(i)),
    )
    const expected = points.reduce((total, _, i) => total + BigInt(i + 1) * BigInt(i), 5n)
    expect(same(sum, coordinates(times(Point.BASE, expected)))).toBe(true)
  })
}

test("a square root squares to what it is of, and a number without one does no harm", () => {
  const wasm = new WasmPoints(K1_WASM)
  const { p } = K1_WASM
  fc.assert(
    fc.property(fc.oneof(fc.bigInt({ min: 0n, max: p - 1n }), fc.constantFrom(0n, 1n, p - 1n, 1n << 255n)), (a) => {
      expect(wasm.root((a * a) % p) ** 2n % p).toBe((a * a) % p)
      // -1 is no square, so the negative of one is none.
      if (a !== 0n) expect(wasm.root(((-a * a) % p) + p) ** 2n % p).toBe((a * a) % p)
    }),
    { seed: 7, numRuns: 200 },
  )
})

test("bytes decode to a point of secp256k1 exactly where noble decodes them: half of all x have none", () => {
  const { p } = K1_WASM
  const x = fc.oneof(
    fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }),
    fc.bigInt({ min: -8n, max: 40n }).map((i) => p + i),
  )
  let [points, none] = [0, 0]
  fc.assert(
    fc.property(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 255), x, (prefix, value) => {
      const bytes = concat(Uint8Array.of(prefix), bigToBe(value, 32))
      let expected: string | undefined
      try {
        expected = secp256k1.Point.fromBytes(bytes).toHex()
      } catch {}
      const decoded = K1.decodePoint(bytes)
      expect(decoded && toHex(K1.encodePoint(decoded))).toBe(expected)
      if (prefix === 2 || prefix === 3) expected === undefined ? none++ : points++
    }),
    { seed: 8, numRuns: 600 },
  )
  expect(Math.min(points, none)).toBeGreaterThan(30)
})

test("a point of Ed25519 decodes exactly where noble finds it torsion free", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: ED.order - 1n }), fc.nat({ max: TORSION.length - 1 }), (k, at) => {
      const small = ed25519.Point.fromBytes(fromHex(TORSION[at] ?? "") ?? new Uint8Array(0), true)
      const point = ed25519.Point.BASE.multiply(k).add(small)
      const decoded = ED.decodePoint(copy(point.toBytes()))
      expect(decoded !== undefined).toBe(point.isTorsionFree())
      expect(decoded !== undefined).toBe(at === 0)
    }),
    { seed: 4, numRuns: 60 },
  )
})

/** `bytes` with one bit changed. */
function flipped(bytes: Bytes, bit: number): Bytes {
  const out = copy(bytes)
  const at = (bit >> 3) % out.length
  out[at] = (out[at] ?? 0) ^ (1 << (bit & 7))
  return out
}

const keys = Array.from({ length: 6 }, (_, i) => sha256(Uint8Array.of(i)))

test("BIP-340: what noble signs verifies, and no signature, message or key that differs in a bit", () => {
  for (const [i, key] of keys.entries()) {
    const message = sha256(key)
    const [publicKey, signature] = [copy(schnorr.getPublicKey(key)), copy(schnorr.sign(message, key))]
    const { verify } = SECP256K1_SHA256_TR
    expect(verify(publicKey, message, signature)).toBe(true)
    for (let bit = i; bit < 512; bit += 37) {
      expect(verify(publicKey, message, flipped(signature, bit))).toBe(false)
      expect(verify(publicKey, flipped(message, bit), signature)).toBe(false)
      const other = flipped(publicKey, bit)
      expect(verify(other, message, signature)).toBe(false)
    }
    expect(verify(publicKey, message, signature.subarray(0, 63))).toBe(false)
    expect(verify(publicKey.subarray(1), message, signature)).toBe(false)
    const large = concat(signature.slice(0, 32), new Uint8Array(32).fill(255))
    expect(verify(publicKey, message, large)).toBe(false)
  }
})

test("ECDSA: a recovery id is right exactly where noble recovers the key with it", () => {
  for (const key of keys) {
    const digest = sha256(key)
    const publicKey = copy(secp256k1.getPublicKey(key))
    const recoverable = copy(secp256k1.sign(digest, key, { prehash: false, format: "recovered" }))
    const [r, s] = [beToBig(recoverable.slice(1, 33)), beToBig(recoverable.slice(33))]
    for (const id of [0, 1, 2, 3]) {
      expect(recovers(digest, r, s, id, publicKey)).toBe(id === recoverable[0])
      expect(recovers(digest, r, K1.order - s, id ^ 1, publicKey)).toBe(id === recoverable[0])
    }
    const id = recoverable[0] ?? 0
    for (let bit = 0; bit < 256; bit += 51) {
      expect(recovers(flipped(digest, bit), r, s, id, publicKey)).toBe(false)
      expect(recovers(digest, r ^ (1n << BigInt(bit)), s, id, publicKey)).toBe(false)
      expect(recovers(digest, r, s ^ (1n << BigInt(bit)), id, publicKey)).toBe(false)
      expect(recovers(digest, r, s, id, flipped(publicKey, bit + 8))).toBe(false)
    }
    expect(recovers(digest, 0n, s, id, publicKey)).toBe(false)
    expect(recovers(digest, r, 0n, id, publicKey)).toBe(false)
  }
})
