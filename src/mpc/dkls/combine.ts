/**
 * The end of a session: turns everybody's shares into signatures and verifies each before it is returned. A signature is low-s, as
 * chains demand, and recovering the key proves its recovery id.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, concat, equal, u8 } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import type { MessageSignature } from "../session.ts"
import { at } from "./commit.ts"
import type { Released } from "./release.ts"
import { type EcdsaMessage, type SignerContext, unattributed } from "./signerContext.ts"

/** A message whose signature does not verify ends the session without output; only a cheating party can cause this. */
export const combine = (signer: SignerContext, { R, r, shares }: Released): readonly MessageSignature[] =>
  signer.context.messages.map((message, n) => {
    const u = K1.mod(shares.reduce((sum, share) => sum + at(share.u, n), 0n))
    const w = K1.mod(shares.reduce((sum, share) => sum + at(share.w, n), 0n))
    const signed = u === 0n || w === 0n ? undefined : assemble(message, at(R, n), at(r, n), w * K1.invert(u))
    if (signed === undefined) throw unattributed(signer, "the signature does not verify")
    return signed
  })

/** undefined unless (r, s) and the recovery id lead to the message's key. */
function assemble(message: EcdsaMessage, R: Bytes, r: bigint, quotient: bigint): MessageSignature | undefined {
  const s = K1.mod(quotient)
  const high = s > K1.order >> 1n
  // Compressed encodings are 2 + parity of y; x(R) >= q only if reducing it changed it.
  const parity = (R[0] ?? 0) & 1
  const overflow = equal(R.subarray(1), K1.encodeScalar(r)) ? 0 : 2
  const recoveryId = (high ? parity ^ 1 : parity) | overflow
  const signature = concat(K1.encodeScalar(r), K1.encodeScalar(high ? K1.order - s : s))
  const { digest, publicKey } = message
  return recovers(digest, signature, recoveryId, publicKey) ? { publicKey, signature, recoveryId } : undefined
}

/**
 * Recovery finds the one key under which the signature verifies with that nonce point. It implies the verifier's equation
 * and costs one verification instead of two.
 */
function recovers(digest: Bytes, signature: Bytes, recoveryId: number, publicKey: Bytes): boolean {
  try {
    return equal(secp256k1.recoverPublicKey(concat(u8(recoveryId), signature), digest, { prehash: false }), publicKey)
  } catch {
    return false
  }
}
