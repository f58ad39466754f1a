/**
 * The end of a session: turns everybody's shares into signatures and verifies each before it is returned. A signature is low-s, as
 * chains demand, and verified with its recovery id.
 */
import { type Bytes, beToBig, concat, equal } from "../../bytes.ts"
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
  const low = high ? K1.order - s : s
  const { digest, publicKey } = message
  if (!recovers(digest, r, low, recoveryId, publicKey)) return undefined
  return { publicKey, signature: concat(K1.encodeScalar(r), K1.encodeScalar(low)), recoveryId }
}

/**
 * (z/s)G + (r/s)PK must be the point that r and the recovery id name. This is the verifier's equation with the whole point instead of its
 * x, and the same as that recovery leads to PK (SEC 1, 4.1.6). The code had no part in making the signature.
 */
export function recovers(digest: Bytes, r: bigint, s: bigint, recoveryId: number, publicKey: Bytes): boolean {
  const key = K1.decodePoint(publicKey)
  if (key === undefined || r === 0n || s === 0n) return false
  const inverse = K1.invert(s)
  const R = K1.checkedSum(beToBig(digest) * inverse, [key], [r * inverse])
  if (K1.isIdentity(R)) return false
  const encoded = K1.encodePoint(R)
  const x = (recoveryId & 2) === 0 ? r : r + K1.order
  return encoded[0] === 2 + (recoveryId & 1) && beToBig(encoded.subarray(1)) === x
}
