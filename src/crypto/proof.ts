/**
 * Schnorr proofs of knowledge of a discrete logarithm (threshold.md 1.6), bound to session, context, prover and index: a proof
 * replayed for another of these does not verify. A proof is (T, z), never the short form.
 */
import { type Bytes, concat, u32be, utf8 } from "../bytes.ts"
import type { Speaker } from "./commit.ts"
import type { Curve, Point } from "./curve.ts"
import { HS } from "./frame.ts"
import { type Rng, randomScalar } from "./random.ts"

export interface ProofContext {
  readonly curve: Curve
  /** The session id, joined with the view where the proof must bind it. */
  readonly sid: Bytes
  readonly purpose: "coef" | "checkup"
  readonly prover: Speaker
  /** Which of the prover's statements this is. */
  readonly index: number
}

export interface Proof {
  readonly T: Point
  readonly z: bigint
}

/** Proves knowledge of a in A = aG. */
export function prove(context: ProofContext, a: bigint, A: Point, rng: Rng): Proof {
  const { curve } = context
  const r = randomScalar(rng, curve.order)
  const T = curve.multiplyBase(r)
  return { T, z: curve.mod(r + challenge(context, A, T) * a) }
}

/** zG - eA == T. Everything here is public. */
export function verifies(context: ProofContext, A: Point, proof: Proof): boolean {
  const { curve } = context
  const e = challenge(context, A, proof.T)
  return curve.equals(curve.checkedSum(proof.z, [A], [-e]), proof.T)
}

export const proofLength = (curve: Curve): number => curve.pointLength + 32

export const encodeProof = (curve: Curve, proof: Proof): Bytes =>
  concat(curve.encodePoint(proof.T), curve.encodeScalar(proof.z))

/** undefined for a T that is the identity or no point of the group, for z >= q, and for another length. */
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
