/**
 * Ed25519 public keys from outside, and signatures under them. A key is accepted only in the form that key generation produces
 * (threshold.md 1.1): canonical, on the curve, in the prime-order subgroup, not the identity. Under a key of small order anybody can sign.
 * A key with a torsion component, or in a second encoding, is a second name for one key, and verifiers that treat the cofactor differently
 * disagree about it (RFC 8032, 5.1.7 allows both equations).
 *
 * The runtime (BoringSSL) verifies signatures: it requires s < q, and compares R as bytes with the result of the equation without cofactor.
 * test/crypto/ed25519.test.ts compares it with noble in its strict mode (zip215: false).
 */
import { verify } from "node:crypto"
import { toHex } from "../bytes.ts"
import { ED } from "./curve.ts"
import { publicKeyOf } from "./rawKeys.ts"

/** Cache of keys that passed the strict check, oldest first. The check costs about three verifications, and the same few keys recur. */
const strict = new Set<string>()
/** The size of the cache. A stranger with many keys can only evict others, which costs one more check of them. */
const REMEMBERED = 4096

/** True if `publicKey` is an acceptable key: 32 bytes that ED.decodePoint accepts. */
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

/** Verifies an Ed25519 signature (RFC 8032). False unless the signature is valid and the key is strict. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32) return false
  try {
    // The key is checked last, because that check costs more: a flood of invalid signatures fails before it.
    return verify(null, message, publicKeyOf("ed25519", publicKey), signature) && isStrictKey(publicKey)
  } catch {
    return false
  }
}
