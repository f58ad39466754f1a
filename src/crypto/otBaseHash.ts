/**
 * RFC 9380 hash_to_curve P256_XMD:SHA-256_SSWU_RO_ for the base OT (threshold.md 4.1), which needs 512 of them per pair.
 *
 * Field arithmetic and square root are noble's. The expansion uses the native hash, and points stay projective: noble's own hashToCurve
 * divides three times per hash, which is a third of its cost, and the whole batch is normalised later anyway. Inputs are public. Tests
 * compare every step with noble's hashToCurve.
 */
import { SWUFpSqrtRatio } from "@noble/curves/abstract/hash-to-curve.js"
import { p256 } from "@noble/curves/nist.js"
import { beToBig, concat, u8, u16be, utf8 } from "../bytes.ts"
import { sha256 } from "./frame.ts"
import { OT_HASH_TO_CURVE_DST } from "./tags.ts"

export type P256Point = ReturnType<typeof p256.Point.fromBytes>

const { Fp } = p256.Point
const { a: A, b: B } = p256.Point.CURVE()
/** The parameters of RFC 9380, 8.2. */
const Z = Fp.neg(10n)
const sqrtRatio = SWUFpSqrtRatio(Fp, Z)

const DST = utf8(OT_HASH_TO_CURVE_DST)
const DST_PRIME = concat(DST, u8(DST.length))
const BLOCK = new Uint8Array(64)
/** L of RFC 9380 5.1: bytes per field element. */
const ELEMENT = 48

export function hashToP256(message: Uint8Array): P256Point {
  const uniform = expandMessageXmd(message, 2 * ELEMENT)
  const [first, second] = [0, 1].map((i) => {
    const element = beToBig(uniform.subarray(i * ELEMENT, (i + 1) * ELEMENT)) % Fp.ORDER
    return mapToCurve(element)
  })
  if (first === undefined || second === undefined) throw new TypeError("two field elements are mapped")
  return first.add(second)
}

/** Simplified SWU, RFC 9380 F.2 step by step, without the division at its end: x = numerator / denominator. */
function mapToCurve(u: bigint): P256Point {
  const zu2 = Fp.mul(Z, Fp.sqr(u))
  const sum = Fp.add(Fp.sqr(zu2), zu2)
  const first = Fp.mul(Fp.add(sum, Fp.ONE), B)
  const denominator = Fp.mul(Fp.cmov(Z, Fp.neg(sum), !Fp.is0(sum)), A)
  // g(x) of the first candidate as a fraction: numerator over the cube of the denominator.
  const squared = Fp.sqr(denominator)
  const cubed = Fp.mul(squared, denominator)
  const g = Fp.add(Fp.mul(Fp.add(Fp.sqr(first), Fp.mul(A, squared)), first), Fp.mul(B, cubed))
  const { isValid, value } = sqrtRatio(g, cubed)
  const numerator = Fp.cmov(Fp.mul(zu2, first), first, isValid)
  const root = Fp.cmov(Fp.mul(Fp.mul(zu2, u), value), value, isValid)
  const y = (u & 1n) === (root & 1n) ? root : Fp.neg(root)
  return new p256.Point(numerator, Fp.mul(y, denominator), denominator)
}

/** expand_message_xmd of RFC 9380, 5.3.1, with SHA-256 and the domain of the base OT. */
function expandMessageXmd(message: Uint8Array, length: number): Uint8Array {
  const first = sha256(concat(BLOCK, message, u16be(length), u8(0), DST_PRIME))
  const blocks: Uint8Array[] = []
  let last: Uint8Array = new Uint8Array(32)
  for (let i = 1; i <= Math.ceil(length / 32); i++) {
    last = sha256(
      concat(
        first.map((byte, k) => byte ^ (last[k] ?? 0)),
        u8(i),
        DST_PRIME,
      ),
    )
    blocks.push(last)
  }
  return concat(...blocks)
}
