/**
 * API keys, with which callers of the REST API sign their requests (formats.md 7.1). WaaS stores only public keys; their length tells
 * the curve: 64 hex digits for Ed25519, 66 for compressed secp256k1.
 */

import { randomBytes } from "node:crypto"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, copy, fromHex, toHex } from "../bytes.ts"
import { isStrictKey, verifyEd25519 } from "../crypto/ed25519.ts"
import { privateKeyOf } from "../crypto/rawKeys.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"
import { type Signer, signerOf } from "../wire/signed.ts"

export type ApiKeyCurve = "ed25519" | "secp256k1"

const NOT_A_KEY = "it is no point of the prime-order group in its canonical form, so no software made it as a key"

/** The Ed25519 signer of a 32-byte seed. */
export const ed25519Signer = (seed: Secret): Signer => signerOf(privateKeyOf("ed25519", seed.expose()))

/** Returns the public key in lower-case hex. Throws E-WAA-008 for anything that is not a key. */
export function parseApiKey(text: string): string {
  const hex = text.toLowerCase()
  const bytes = fromHex(hex)
  if (bytes === undefined) throw new CosignerError("E-WAA-008", { problem: "it is not hex" })
  if (bytes.length === 32) {
    if (!isStrictKey(bytes)) throw new CosignerError("E-WAA-008", { problem: NOT_A_KEY })
    return hex
  }
  if (bytes.length !== 33) throw new CosignerError("E-WAA-008", { problem: "it has neither 64 nor 66 digits" })
  if (!secp256k1.utils.isValidPublicKey(bytes)) throw new CosignerError("E-WAA-008", { problem: "it is not a point" })
  return hex
}

/** Whether the signature over `hash` (32 bytes) verifies: Ed25519 (64 bytes), or low-s ECDSA in DER on secp256k1. */
export function verifiesApiSignature(publicKey: string, hash: Bytes, signature: Bytes): boolean {
  const key = fromHex(publicKey)
  if (key === undefined) return false
  if (key.length === 32) return verifyEd25519(key, hash, signature)
  try {
    return secp256k1.verify(signature, hash, key, { prehash: false, lowS: true, format: "der" })
  } catch {
    return false
  }
}

/** The public key is hex; the secret is a 32-byte seed (Ed25519) or scalar (secp256k1), the form that the vendor's SDKs take. */
export interface ApiKeyPair {
  readonly curve: ApiKeyCurve
  readonly publicKey: string
  readonly secret: Secret
}

export function newApiKeyPair(curve: ApiKeyCurve): ApiKeyPair {
  const secret =
    curve === "ed25519" ? Secret.take(copy(randomBytes(32))) : Secret.take(copy(secp256k1.utils.randomSecretKey()))
  return { curve, publicKey: apiPublicKey(curve, secret), secret }
}

/** The public key of the secret, hex. */
export const apiPublicKey = (curve: ApiKeyCurve, secret: Secret): string =>
  curve === "ed25519" ? toHex(ed25519Signer(secret).publicKey) : toHex(secp256k1.getPublicKey(secret.expose(), true))

/** Signs the 32-byte hash of a request. */
export const signApiHash = (curve: ApiKeyCurve, secret: Secret, hash: Bytes): Bytes =>
  curve === "ed25519"
    ? ed25519Signer(secret).sign(hash)
    : copy(secp256k1.sign(hash, secret.expose(), { prehash: false, lowS: true, format: "der" }))
