/**
 * RFC 9380 hash_to_curve P256_XMD:SHA-256_SSWU_RO_ for the base OT (tss.md 4.1), which needs 512 of them per pair.
 *
 * The map and the arithmetic are noble's. Expansion hashes natively, and the sum is left projective: noble's own
 * hashToCurve makes every result affine to check it once more, and a batch is normalised later anyhow.
 */
import { mapToCurveSimpleSWU } from "@noble/curves/abstract/hash-to-curve.js"
import { p256 } from "@noble/curves/nist.js"
import { beToBig, concat, u8, u16be, utf8 } from "../bytes.ts"
import { sha256 } from "./frame.ts"
import { OT_HASH_TO_CURVE_DST } from "./tags.ts"

export type P256Point = ReturnType<typeof p256.Point.fromBytes>

const { Fp } = p256.Point
const map = mapToCurveSimpleSWU(Fp, { A: p256.Point.CURVE().a, B: p256.Point.CURVE().b, Z: Fp.neg(10n) })

const DST = utf8(OT_HASH_TO_CURVE_DST)
const DST_PRIME = concat(DST, u8(DST.length))
const BLOCK = new Uint8Array(64)
/** L of RFC 9380 5.1: bytes per field element. */
const ELEMENT = 48

export function hashToP256(message: Uint8Array): P256Point {
  const uniform = expandMessageXmd(message, 2 * ELEMENT)
  const [first, second] = [0, 1].map((i) => {
    const element = beToBig(uniform.subarray(i * ELEMENT, (i + 1) * ELEMENT)) % Fp.ORDER
    return p256.Point.fromAffine(map(element))
  })
  if (first === undefined || second === undefined) throw new TypeError("two field elements are mapped")
  return first.add(second)
}

/** RFC 9380 5.3.1 with SHA-256 and the domain of the base OT. */
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
