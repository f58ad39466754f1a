/** What follows from all deals of a set-up: the public key and its committed polynomial, the public shares, the epoch id (threshold.md 3.3, 3.5). */
import { type Bytes, u32be } from "../../bytes.ts"
import type { Curve, Point } from "../../crypto/curve.ts"
import { evaluateCommitted, sumCommitted } from "../../crypto/feldman.ts"
import { H } from "../../crypto/frame.ts"
import type { GroupMember } from "../../keys/group.ts"
import { type Member, type PartyId, partyBytes } from "../../keys/party.ts"
import { sessionAbort } from "../blame.ts"

export interface Epoch {
  readonly epochId: Bytes
  /** enc(PK), enc(A_1) .. enc(A_{t-1}). */
  readonly commitments: readonly Bytes[]
  readonly members: readonly GroupMember[]
  readonly chainCode: Bytes
}

/** A sum that is the identity means an attack or an improbable accident, and nobody can be named for it. */
export function epochOf(
  curve: Curve,
  sid: Bytes,
  h2: Bytes,
  dealt: readonly (readonly Point[])[],
  members: readonly Member[],
  chainCode: Bytes,
): Epoch {
  const sums = sumCommitted(curve, dealt)
  const encode = (point: Point): Bytes => {
    if (curve.isIdentity(point)) throw sessionAbort("the deals cancel out")
    return curve.encodePoint(point)
  }
  const commitments = sums.map(encode)
  const publicKey = commitments[0] ?? new Uint8Array(0)
  const withShares = members.map(({ party, x }) => ({
    party,
    shareId: x,
    sharePublicKey: encode(evaluateCommitted(curve, sums, x)),
  }))
  return {
    epochId: epochIdOf(sid, h2, publicKey, withShares, chainCode),
    commitments,
    members: withShares,
    chainCode,
  }
}

/** H("epoch"; sid, h2, enc(PK), n, node id and enc(S_j) of each, chain code). */
export const epochIdOf = (
  sid: Bytes,
  h2: Bytes,
  publicKey: Bytes,
  members: readonly { readonly party: PartyId; readonly sharePublicKey: Bytes }[],
  chainCode: Bytes,
): Bytes => {
  const shares = members.flatMap(({ party, sharePublicKey }) => [partyBytes(party), sharePublicKey])
  return H("epoch", sid, h2, publicKey, u32be(members.length), ...shares, chainCode)
}
