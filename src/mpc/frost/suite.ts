/**
 * The two ciphersuites of FROST (RFC 9591): FROST(Ed25519, SHA-512), whose signatures are those of RFC 8032, and
 * FROST-secp256k1-SHA256-TR, whose signatures are those of BIP-340. This file holds all their differences; sign.ts serves both.
 */

import { verify } from "node:crypto"
import { schnorr } from "@noble/curves/secp256k1.js"
import { type Bytes, beToBig, concat, equal, leToBig, u8, u16be, utf8 } from "../../bytes.ts"
import { type Curve, ED, K1 } from "../../crypto/curve.ts"
import { sha256, sha512 } from "../../crypto/frame.ts"
import { publicKeyOf } from "../../crypto/rawKeys.ts"
import { taggedHash } from "../signingKey.ts"

export interface Suite {
  readonly curve: Curve
  /** Binding factor, nonce, message digest, digest of the commitment list (RFC 9591 section 6). */
  H1(bytes: Bytes): bigint
  H3(bytes: Bytes): bigint
  H4(bytes: Bytes): Bytes
  H5(bytes: Bytes): Bytes
  /** Both points as they stand in the signature and its key. */
  challenge(R: Bytes, publicKey: Bytes, message: Bytes): bigint
  /** R as it stands in a signature, from enc(R): all of it, or its x. */
  inSignature(encodedR: Bytes): Bytes
  /** Whether the nonces must be negated, so that R is the point that the signature names by its x. */
  negatesNonces(encodedR: Bytes): boolean
  /** Verifies with arithmetic and hashing that had no part in making the signature: the runtime's native verifier, or `checkedSum` and noble's hash. */
  verify(publicKey: Bytes, message: Bytes, signature: Bytes): boolean
}

const ED_CONTEXT = "FROST-ED25519-SHA512-v1"
const edScalar = (...parts: readonly Bytes[]): bigint => ED.mod(leToBig(sha512(concat(...parts))))
const edTagged = (tag: string) => utf8(ED_CONTEXT + tag)

export const ED25519_SHA512: Suite = {
  curve: ED,
  H1: (bytes) => edScalar(edTagged("rho"), bytes),
  H3: (bytes) => edScalar(edTagged("nonce"), bytes),
  H4: (bytes) => sha512(concat(edTagged("msg"), bytes)),
  H5: (bytes) => sha512(concat(edTagged("com"), bytes)),
  challenge: edScalar,
  inSignature: (encodedR) => encodedR,
  negatesNonces: () => false,
  verify(publicKey, message, signature) {
    return verify(null, message, publicKeyOf("ed25519", publicKey), signature)
  },
}

const TR_CONTEXT = "FROST-secp256k1-SHA256-TR-v1"
const TR_RHO = utf8(`${TR_CONTEXT}rho`)
const TR_NONCE = utf8(`${TR_CONTEXT}nonce`)

export const SECP256K1_SHA256_TR: Suite = {
  curve: K1,
  H1: (bytes) => trScalar(bytes, TR_RHO),
  H3: (bytes) => trScalar(bytes, TR_NONCE),
  H4: (bytes) => sha256(concat(utf8(`${TR_CONTEXT}msg`), bytes)),
  H5: (bytes) => sha256(concat(utf8(`${TR_CONTEXT}com`), bytes)),
  challenge: (R, publicKey, message) => K1.mod(beToBig(taggedHash("BIP0340/challenge", R, publicKey, message))),
  inSignature: (encodedR) => encodedR.subarray(1),
  negatesNonces: (encodedR) => encodedR[0] === 3,
  verify: verifyBip340,
}

/** BIP-340, "Verification": R = sG - eP has even y and the signature's x, which is thereby a canonical one. */
function verifyBip340(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  const [r, s] = [signature.slice(0, 32), K1.decodeScalar(signature.subarray(32))]
  const P = K1.decodePoint(concat(u8(2), publicKey))
  if (P === undefined || s === undefined) return false
  const e = beToBig(schnorr.utils.taggedHash("BIP0340/challenge", r, publicKey, message))
  const R = K1.checkedSum(s, [P], [-e])
  return !K1.isIdentity(R) && equal(K1.encodePoint(R), concat(u8(2), r))
}

/** RFC 9380 hash_to_field with one element of L = 48 bytes, hashed natively: noble's version costs 30 times as much. */
function trScalar(message: Bytes, tag: Bytes): bigint {
  const dst = concat(tag, u8(tag.length))
  const first = sha256(concat(new Uint8Array(64), message, u16be(48), u8(0), dst))
  const b1 = sha256(concat(first, u8(1), dst))
  const b2 = sha256(
    concat(
      first.map((byte, i) => byte ^ (b1[i] ?? 0)),
      u8(2),
      dst,
    ),
  )
  const scalar = K1.mod(beToBig(concat(b1, b2).subarray(0, 48)))
  for (const bytes of [first, b1, b2]) bytes.fill(0)
  return scalar
}
