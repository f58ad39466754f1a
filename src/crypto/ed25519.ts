/**
 * Ed25519 keys that come from outside, and signatures under them. A key is taken in the one form that its owner's software
 * makes (threshold.md 1.1): canonical, on the curve, of the prime-order subgroup, not the identity. Under a key of small order anybody can
 * sign; a key with a torsion component, or written in a second form, is a second name for one key and splits verifiers that
 * differ in the cofactor (RFC 8032, 5.1.7 allows both equations).
 *
 * Signatures are verified by the runtime (BoringSSL): s < q, and R compared as bytes with what the equation without
 * cofactor gives. test/crypto/ed25519.test.ts holds it against noble with its ZIP-215 leniency off.
 */
import { verify } from "node:crypto"
import { toHex } from "../bytes.ts"
import { ED } from "./curve.ts"
import { publicKeyOf } from "./rawKeys.ts"

/** Keys that were found strict, oldest first: the check costs about three verifications, and the same few keys come all day. */
const strict = new Set<string>()
/** A stranger with many keys pushes others out, which costs their next check and nothing else. */
const REMEMBERED = 4096

/** Whether `publicKey` may be anybody's key: 32 bytes that ED.decodePoint takes. */
export function isStrictKey(publicKey: Uint8Array): boolean {
  const name = toHex(publicKey)
  if (strict.has(name)) return true
  if (ED.decodePoint(publicKey) === undefined) return false
  for (const oldest of strict) {
    if (strict.size < REMEMBERED) break
    strict.delete(oldest)
  }
  strict.add(name)
  return true
}

/** Ed25519 (RFC 8032). False for whatever is not a valid signature under a strict key. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32) return false
  try {
    // The key is checked last, because that check costs more: a flood of bad signatures fails before it.
    return verify(null, message, publicKeyOf("ed25519", publicKey), signature) && isStrictKey(publicKey)
  } catch {
    return false
  }
}
