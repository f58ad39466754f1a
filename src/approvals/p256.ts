/**
 * ECDSA on P-256 with SHA-256 (FIPS 186-5), as OpenSSH keys and passkeys use it. A key is an uncompressed point of the curve. Both
 * values of s are accepted: neither format asks for the low one, and replay is prevented by the statement's nonce, not by the signature.
 */
import { p256 } from "@noble/curves/nist.js"

/** Whether `point` is 65 bytes of an uncompressed point on the curve. */
export function isP256Key(point: Uint8Array): boolean {
  if (point.length !== 65 || point[0] !== 4) return false
  try {
    p256.Point.fromBytes(point).assertValidity()
    return true
  } catch {
    return false
  }
}

/** compact: r and s, 32 bytes each. der: an ECDSA-Sig-Value of X.509, in DER; other BER is refused. */
export function verifyP256(
  point: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  format: "compact" | "der",
): boolean {
  if (!isP256Key(point)) return false
  try {
    return p256.verify(signature, message, point, { prehash: true, lowS: false, format })
  } catch {
    return false
  }
}
