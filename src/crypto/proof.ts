/**
 * Schnorr proofs of knowledge of a discrete logarithm (threshold.md 1.6). A proof is bound to session, context, prover and index, so it
 * does not verify if it is replayed for another of these. It is encoded as (T, z), never in the short form (e, z).
 */
import { type Bytes, concat, u32be, utf8 } from "../bytes.ts"
import type { Speaker } from "./commit.ts"
import type { Curve, Point } from "./curve.ts"
import { HS } from "./frame.ts"
import { type Rng, randomScalar } from "./random.ts"

export interface ProofContext {
  readonly curve: Curve
  /** The session id; followed by the view if the proof must bind that too. */
  readonly sid: Bytes
  readonly purpose: "coef" | "checkup"
  readonly prover: Speaker
  /** The number of this statement among the prover's statements. */
  readonly index: number
}

export interface Proof {
  readonly T: Point
  readonly z: bigint
}

/** Proves knowledge of a where A = aG. */
export function prove(context: ProofContext, a: bigint, A: Point, rng: Rng): Proof {
  const { curve } = context
  const r = randomScalar(rng, curve.order)
  const T = curve.multiplyBase(r)
  return { T, z: curve.mod(r + challenge(context, A, T) * a) }
}

/** True if zG - eA == T. All values are public. */
export function verifies(context: ProofContext, A: Point, proof: Proof): boolean {
  const { curve } = context
  const e = challenge(context, A, proof.T)
  return curve.equals(curve.checkedSum(proof.z, [A], [-e]), proof.T)
}

export const proofLength = (curve: Curve): number => curve.pointLength + 32

export const encodeProof = (curve: Curve, proof: Proof): Bytes =>
  concat(curve.encodePoint(proof.T), curve.encodeScalar(proof.z))

/** Decodes a proof. Undefined for a wrong length, for z >= q, and if T is the identity or no point of the group. */
export function decodeProof(curve: Curve, bytes: Bytes): Proof | undefined {
  if (bytes.length !== proofLength(curve)) return undefined
  const T = curve.decodePoint(bytes.subarray(0, curve.pointLength))
  const z = curve.decodeScalar(bytes.subarray(curve.pointLength))
  return T === undefined || z === undefined ? undefined : { T, z }
}

function challenge({ curve, sid, purpose, prover, index }: ProofContext, A: Point, T: Point): bigint {
  const points = [curve.generator, A, T].map((point) => curve.encodePoint(point))
  return HS(curve.order, "pok", sid, utf8(purpose), prover.nodeId, prover.shareId, u32be(index), ...points)
}
