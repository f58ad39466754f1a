/**
 * The key that a message is signed under, as a map of the root's shares (threshold.md 5.11, 7.2): s' = ±s_i + offset, the same
 * for all parties, so PK' = ±PK + offset*G and S'_j = ±S_j + offset*G. Derivation, BIP-340's even y and BIP-341's tweak are all
 * such maps.
 */
import { type Bytes, beToBig, concat, u8, utf8 } from "../bytes.ts"
import { type Curve, curveNamed, type Point } from "../crypto/curve.ts"
import { sha256 } from "../crypto/frame.ts"
import { DerivationCache } from "../keys/derive.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { Algorithm, MessageToSign } from "./session.ts"

export interface SigningKey {
  readonly negate: boolean
  /** Added after the sign, in [0, q). */
  readonly offset: bigint
  /** PK', and enc(PK'); with even y for bip340. */
  readonly point: Point
  readonly encoded: Bytes
  /** The key that verifies: 33 bytes (ecdsa), 32 (eddsa), 32 x-only (bip340; the output key under Taproot). */
  readonly publicKey: Bytes
}

/** The root's share, or another scalar that maps in the same way, under the child key. */
export const signingScalar = (curve: Curve, key: SigningKey, scalar: bigint): bigint =>
  curve.mod((key.negate ? -scalar : scalar) + key.offset)

/** The same in the exponent; public, variable time. */
export const signingPoint = (curve: Curve, key: SigningKey, point: Point): Point =>
  curve.add(key.negate ? curve.negate(point) : point, curve.multiplyBasePublic(key.offset))

/**
 * The keys of a batch, in its order. Takes nodes from `derived` if it has them. Throws E-KEY-nnn for a path that has no key, RangeError
 * for a merkle root that is neither empty nor 32 bytes.
 */
export function signingKeys(
  group: GroupPublic,
  algorithm: Algorithm,
  messages: readonly Pick<MessageToSign, "path" | "taproot">[],
  derived = new DerivationCache(),
): readonly SigningKey[] {
  const curve = curveNamed(group.curve)
  const root = group.commitments[0] ?? new Uint8Array(0)
  return messages.map(({ path, taproot }) => {
    const { tweak, point, publicKey } = derived.nodeAt(curve, root, group.chainCode, path)
    const key: SigningKey = { negate: false, offset: tweak, point, encoded: publicKey, publicKey }
    if (algorithm !== "bip340") return key
    const even = evenKey(curve, key)
    return taproot === undefined ? even : evenKey(curve, outputKey(curve, even, taproot))
  })
}

/** BIP-340 identifies keys by x alone and means the point with even y. */
function evenKey(curve: Curve, key: SigningKey): SigningKey {
  const publicKey = key.encoded.subarray(1)
  if (key.encoded[0] === 2) return { ...key, publicKey }
  return {
    negate: !key.negate,
    offset: curve.mod(-key.offset),
    point: curve.negate(key.point),
    encoded: concat(u8(2), publicKey),
    publicKey,
  }
}

/** BIP-341: Q = P + int(hash_TapTweak(x(P) || merkle root))*G, P of even y. */
function outputKey(curve: Curve, key: SigningKey, merkleRoot: Bytes): SigningKey {
  if (merkleRoot.length !== 0 && merkleRoot.length !== 32) throw new RangeError("a merkle root has 32 bytes")
  const t = beToBig(taggedHash("TapTweak", key.publicKey, merkleRoot))
  if (t >= curve.order) throw new RangeError("this key has no Taproot output key")
  const point = curve.add(key.point, curve.multiplyBasePublic(t))
  if (curve.isIdentity(point)) throw new RangeError("this key has no Taproot output key")
  return { ...key, offset: curve.mod(key.offset + t), point, encoded: curve.encodePoint(point) }
}

/** BIP-340's tagged hash. */
export function taggedHash(tag: string, ...parts: readonly Bytes[]): Bytes {
  const prefix = sha256(utf8(tag))
  return sha256(concat(prefix, prefix, ...parts))
}
