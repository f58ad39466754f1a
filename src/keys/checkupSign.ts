/**
 * The share check-up signature (threshold.md 8, external form): a node signs with its own share, and nobody else's, to show
 * that it still holds it. The caller gives message bytes, never a digest; the node hashes them itself.
 *
 * It is safe only under these conditions: h = SHA-256(message) is computed here, nonces are hedged and never come from the caller, and
 * the untweaked share signs. The task decides who may ask and how often, and writes the journal.
 */
import { createPublicKey, verify } from "node:crypto"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, concat, copy, leToBig } from "../bytes.ts"
import { type CurveName, curveNamed, ED } from "../crypto/curve.ts"
import { H512, sha256, sha512 } from "../crypto/frame.ts"
import type { Rng } from "../crypto/random.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"

export const MAX_MESSAGE = 4096
const SIGNATURE = 64

/** h, the signed digest: SHA-256 of the message. */
export const checkupDigest = (message: Uint8Array): Bytes => sha256(message)

/**
 * 64 bytes: r || s big-endian and low-s on secp256k1, R || z in the form of RFC 8032 on Ed25519. Both are over h, and verified
 * before they are returned. `share` is sc(s_i), `rng` gives the hedge of the nonce. Throws E-KEY-009 for a message that
 * is empty or too long, and E-CLI-001 if the share does not belong to `sharePublicKey`.
 */
export function signCheckup(
  curve: CurveName,
  share: Secret,
  sharePublicKey: Uint8Array,
  message: Uint8Array,
  rng: Rng,
): Bytes {
  if (message.length < 1 || message.length > MAX_MESSAGE) {
    throw new CosignerError("E-KEY-009", { length: message.length, max: MAX_MESSAGE })
  }
  const digest = checkupDigest(message)
  const signature =
    curve === "secp256k1" ? signEcdsa(share, digest, rng) : signEd25519(share, sharePublicKey, digest, rng)
  if (!verifyCheckup(curve, sharePublicKey, message, signature)) {
    throw new CosignerError("E-CLI-001", { what: "a check-up signature does not verify under its own public share" })
  }
  return signature
}

/** Whether `signature` is that of `sharePublicKey` (enc(S_i)) over the message. False for anything malformed. */
export function verifyCheckup(
  curve: CurveName,
  sharePublicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (message.length < 1 || message.length > MAX_MESSAGE || signature.length !== SIGNATURE) return false
  if (curveNamed(curve).decodePoint(sharePublicKey) === undefined) return false
  const digest = checkupDigest(message)
  if (curve === "secp256k1") return secp256k1.verify(signature, digest, sharePublicKey, { prehash: false, lowS: true })
  const x = Buffer.from(sharePublicKey).toString("base64url")
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" })
  return verify(null, digest, key, signature)
}

function signEcdsa(share: Secret, digest: Bytes, rng: Rng): Bytes {
  using extraEntropy = Secret.take(rng(32))
  const options = { prehash: false, lowS: true, extraEntropy: extraEntropy.expose() }
  return copy(secp256k1.sign(digest, share.expose(), options))
}

// A scalar share has no seed: the nonce comes from a prefix of the share, fresh randomness and the digest together.
function signEd25519(share: Secret, sharePublicKey: Uint8Array, digest: Bytes, rng: Rng): Bytes {
  const scalar = ED.decodeScalar(share.expose())
  if (scalar === undefined) throw new RangeError("a share is 32 bytes below the group order")
  using prefix = Secret.take(H512("checkup", share.expose()))
  using hedge = Secret.take(rng(32))
  using preimage = Secret.take(concat(prefix.expose().subarray(0, 32), hedge.expose(), digest))
  using nonceBytes = Secret.take(sha512(preimage.expose()))
  const nonce = ED.mod(leToBig(nonceBytes.expose()))
  const commitment = ED.encodePoint(ED.multiplyBase(nonce))
  const challenge = ED.mod(leToBig(sha512(concat(commitment, sharePublicKey, digest))))
  return concat(commitment, ED.encodeScalar(nonce + challenge * scalar))
}
