/** Keys from outside and signatures under them: what must be refused, made from the curve's equation; noble with ZIP-215 off as the second opinion. */
import { expect, test } from "bun:test"
import { verify } from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { bigToLe, concat, copy, leToBig, utf8 } from "../../src/bytes.ts"
import { isStrictKey, verifyEd25519 } from "../../src/crypto/ed25519.ts"
import { sha512 } from "../../src/crypto/frame.ts"
import { publicKeyOf } from "../../src/crypto/rawKeys.ts"
import {
  KEYS_OF_NOBODY,
  NOT_REDUCED,
  SMALL_ORDER,
  SMALL_ORDER_POINTS,
  UNSIGNED,
  withTorsion,
} from "../support/keysOfNobody.ts"

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })
const q = ed25519.Point.Fn.ORDER
const noble = (key: Uint8Array, message: Uint8Array, signature: Uint8Array) =>
  ed25519.verify(signature, message, key, { zip215: false })

test("the eight points of small order are nobody's key, in any encoding, and without this check anybody signs for them", () => {
  expect(new Set(SMALL_ORDER_POINTS.map((point) => point.toHex())).size).toBe(8)
  const forged = SMALL_ORDER.filter((key) =>
    [...Array(64).keys()].some((n) => verify(null, utf8(`m${n}`), publicKeyOf("ed25519", key), UNSIGNED)),
  )
  // The runtime's own verification takes all eight points, one of them in two encodings more.
  expect(forged.length).toBeGreaterThanOrEqual(8)
  for (const key of SMALL_ORDER) {
    expect(isStrictKey(key)).toBe(false)
    for (let n = 0; n < 64; n++) expect(verifyEd25519(key, utf8(`m${n}`), UNSIGNED)).toBe(false)
  }
})

test("a y that is not reduced, a torsion component, another length: nobody's key", () => {
  for (const key of NOT_REDUCED) expect(isStrictKey(key)).toBe(false)
  fc.assert(
    fc.property(seeds, (seed) => {
      const key = ed25519.getPublicKey(seed)
      expect(isStrictKey(key)).toBe(true)
      for (const other of withTorsion(key)) expect(isStrictKey(other)).toBe(false)
      expect(isStrictKey(key.subarray(1))).toBe(false)
      expect(isStrictKey(concat(key, Uint8Array.of(0)))).toBe(false)
    }),
    { seed: 1, numRuns: 20 },
  )
})

test("a signature with a torsion component in the key is refused although the equation holds", () => {
  // a is known to whoever adds T to aG: challenges divisible by 8 make T vanish, and the plain equation holds.
  const { scalar, pointBytes, prefix } = ed25519.utils.getExtendedPublicKey(new Uint8Array(32).fill(3))
  const [twisted = pointBytes] = withTorsion(pointBytes)
  const R = ed25519.Point.BASE.multiply(leToBig(prefix) % q)
  const challenge = (message: Uint8Array) => leToBig(sha512(concat(R.toBytes(), twisted, message))) % q
  const messages = Array.from({ length: 200 }, (_, n) => utf8(`message ${n}`)).filter((m) => challenge(m) % 8n === 0n)
  expect(messages.length).toBeGreaterThan(0)
  for (const message of messages) {
    const s = ((leToBig(prefix) % q) + challenge(message) * scalar) % q
    const signature = concat(R.toBytes(), bigToLe(s, 32))
    expect(verify(null, message, publicKeyOf("ed25519", twisted), signature)).toBe(true)
    expect(verifyEd25519(twisted, message, signature)).toBe(false)
  }
})

test("signatures: as noble without ZIP-215, for good ones, damaged ones, s + q, and R of small order", () => {
  fc.assert(
    fc.property(
      seeds,
      fc.uint8Array({ maxLength: 64 }),
      fc.nat(63),
      fc.integer({ min: 1, max: 255 }),
      (seed, message, at, flip) => {
        const key = copy(ed25519.getPublicKey(seed))
        const good = copy(ed25519.sign(message, seed))
        const damaged = copy(good)
        damaged[at] = (damaged[at] ?? 0) ^ flip
        const longer = concat(good.subarray(0, 32), bigToLe(leToBig(good.subarray(32)) + q, 32))
        const small = SMALL_ORDER.map((r) => concat(r, good.subarray(32)))
        expect(verifyEd25519(key, message, good)).toBe(true)
        for (const signature of [damaged, longer, ...small, good.subarray(1), new Uint8Array(64)]) {
          expect(verifyEd25519(key, message, signature)).toBe(false)
          if (signature.length === 64) expect(noble(key, message, signature)).toBe(false)
        }
      },
    ),
    { seed: 2, numRuns: 30 },
  )
})

test("what is remembered of strict keys lets no other key in", () => {
  for (let n = 0; n < 3; n++) for (const key of KEYS_OF_NOBODY) expect(isStrictKey(key)).toBe(false)
})
