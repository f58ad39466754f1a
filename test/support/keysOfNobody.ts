/**
 * 32 bytes that must be nobody's Ed25519 key, made from the curve's equation rather than listed: the eight points of small order in each encoding,
 * every encoding whose y is not reduced, and a proper key with each torsion component added.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { type Bytes, bigToLe, copy } from "../../src/bytes.ts"

const { Point } = ed25519
const p = Point.Fp.ORDER

/** y as 32 bytes, little-endian, with the sign bit. */
function encoded(y: bigint, sign: 0 | 1): Bytes {
  const bytes = bigToLe(y, 32)
  bytes[31] = (bytes[31] ?? 0) | (sign << 7)
  return bytes
}

const ORDER_8 = Point.fromBytes(Uint8Array.fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"))
export const SMALL_ORDER_POINTS = Array.from({ length: 8 }, (_, k) =>
  k === 0 ? Point.ZERO : ORDER_8.multiplyUnsafe(BigInt(k)),
)

/** Each point of small order, in its own encoding and in the others that lenient decoders take. */
export const SMALL_ORDER: readonly Bytes[] = SMALL_ORDER_POINTS.flatMap((point) => {
  const { y } = point.toAffine()
  return [y, y + p].filter((form) => form < 2n ** 255n).flatMap((form) => [encoded(form, 0), encoded(form, 1)])
})

/** All y from p to 2^255 - 1, with either sign: none is an encoding, whether a point has that y or not. */
export const NOT_REDUCED: readonly Bytes[] = Array.from({ length: 19 }, (_, k) => p + BigInt(k)).flatMap((y) => [
  encoded(y, 0),
  encoded(y, 1),
])

/** `publicKey` plus each point of small order but the identity: of order 2q, 4q or 8q. */
export const withTorsion = (publicKey: Uint8Array): readonly Bytes[] =>
  SMALL_ORDER_POINTS.slice(1).map((point) => copy(Point.fromBytes(publicKey).add(point).toBytes()))

/** Everything above. */
export const KEYS_OF_NOBODY: readonly Bytes[] = [...SMALL_ORDER, ...NOT_REDUCED, ...withTorsion(Point.BASE.toBytes())]

/**
 * What verifies as a signature over any message under a point A of small order, by an equation that multiplies A by a multiple of its order: R = identity, s = 0.
 */
export const UNSIGNED: Bytes = new Uint8Array(64).fill(1, 0, 1)
