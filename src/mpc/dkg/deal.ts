/** One dealer's deal: the dealer makes it, and everybody else checks it (threshold.md 3.1 to 3.3). Every failed check is the dealer's FAULT. */
import { type Bytes, concat } from "../../bytes.ts"
import { commitTo, opens, SALT_LENGTH, type Speaker } from "../../crypto/commit.ts"
import type { Curve, Point } from "../../crypto/curve.ts"
import { commitments, shareMatches } from "../../crypto/feldman.ts"
import { type ProofContext, prove, verifies } from "../../crypto/proof.ts"
import type { Rng } from "../../crypto/random.ts"
import { type Polynomial, randomPolynomial } from "../../crypto/shamir.ts"
import { type Member, partyBytes } from "../../keys/party.ts"
import { fault } from "../blame.ts"
import type { Opening } from "./messages.ts"

/** The values that a deal is bound to. */
export interface DealContext {
  readonly curve: Curve
  readonly sid: Bytes
  readonly threshold: number
}

export interface OwnDeal {
  readonly polynomial: Polynomial
  readonly points: readonly Point[]
  readonly encoded: Bytes
  readonly chainCode: Bytes
  readonly salt: Bytes
  readonly commitment: Bytes
}

/** A deal as received over rounds 1 and 2. */
export interface ReceivedDeal {
  readonly dealer: Member
  readonly commitment: Bytes
  readonly opening: Opening
  readonly chainCode: Bytes
  /** f(x) at this party's share id; undefined if this party is not a member. */
  readonly share: bigint | undefined
}

/** `constant` is given when an old share is dealt again. */
export function makeDeal(
  context: DealContext,
  dealer: Member,
  constant: bigint | undefined,
  chainCode: Bytes,
  rng: Rng,
): OwnDeal {
  const polynomial = randomPolynomial(context.curve, context.threshold, rng, constant)
  const points = commitments(context.curve, polynomial)
  const encoded = concat(...points.map((point) => context.curve.encodePoint(point)))
  const salt = rng(SALT_LENGTH)
  const commitment = commitTo(context.sid, speaker(context.curve, dealer), "deal", concat(encoded, chainCode), salt)
  return { polynomial, points, encoded, chainCode, salt, commitment }
}

/** The proofs are made only now, because they bind h1; what they prove can no longer change. */
export function openDeal(context: DealContext, dealer: Member, deal: OwnDeal, h1: Bytes, rng: Rng): Opening {
  const proofs = deal.polynomial.map((coefficient, k) =>
    prove(proofContext(context, dealer, h1, k), coefficient, deal.points[k] ?? context.curve.identity, rng),
  )
  return { salt: deal.salt, encoded: deal.encoded, points: deal.points, proofs }
}

/** `constant`: the A_0 that the deal must show, if that is fixed. `member`: this party, if it receives a share. */
export function checkDeal(
  context: DealContext,
  { dealer, commitment, opening, chainCode, share }: ReceivedDeal,
  h1: Bytes,
  constant: Point | undefined,
  member: Member | undefined,
): void {
  const { curve, sid, threshold } = context
  const { salt, encoded, points, proofs } = opening
  const wrong = (reason: string) => fault(dealer.party, reason)
  if (points.length !== threshold || proofs.length !== threshold) throw wrong("not threshold many points and proofs")
  if (!opens(commitment, sid, speaker(curve, dealer), "deal", concat(encoded, chainCode), salt)) {
    throw wrong("its commitment does not open")
  }
  const [first] = points
  if (constant !== undefined && (first === undefined || !curve.equals(first, constant))) {
    throw wrong("it deals another secret than its share")
  }
  for (const [k, point] of points.entries()) {
    const proof = proofs[k]
    if (proof === undefined || !verifies(proofContext(context, dealer, h1, k), point, proof)) {
      throw wrong(`its proof of coefficient ${k} is wrong`)
    }
  }
  if (member !== undefined && (share === undefined || !shareMatches(curve, points, member.x, share))) {
    throw wrong("the share that it dealt is not on its polynomial")
  }
}

const proofContext = (context: DealContext, dealer: Member, h1: Bytes, index: number): ProofContext => ({
  curve: context.curve,
  sid: concat(context.sid, h1),
  purpose: "coef",
  prover: speaker(context.curve, dealer),
  index,
})

const speaker = (curve: Curve, member: Member): Speaker => ({
  nodeId: partyBytes(member.party),
  shareId: curve.encodeScalar(member.x),
})
