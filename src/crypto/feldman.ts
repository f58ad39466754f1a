/** Feldman's commitments to a polynomial (tss.md 1.3): A_k = a_k G, and shares checked against them. */
import type { Curve, Point } from "./curve.ts"
import type { Polynomial } from "./shamir.ts"

export const commitments = (curve: Curve, polynomial: Polynomial): readonly Point[] =>
  polynomial.map((coefficient) => curve.multiplyBase(coefficient))

/**
 * sum x^k A_k, by Horner's rule in the exponent; all public, variable time. The identity is a possible value, not an
 * error: no honest share meets it.
 */
export const evaluateCommitted = (curve: Curve, points: readonly Point[], x: bigint): Point =>
  points.reduceRight((sum, point) => curve.add(curve.multiplyPublic(sum, x), point), curve.identity)

/** Whether `share` is the committed polynomial's value at x. */
export const shareMatches = (curve: Curve, points: readonly Point[], x: bigint, share: bigint): boolean =>
  curve.equals(curve.multiplyBase(share), evaluateCommitted(curve, points, x))

/** The sum of several committed polynomials, coefficient by coefficient. All must have the same length. */
export function sumCommitted(curve: Curve, dealt: readonly (readonly Point[])[]): readonly Point[] {
  const length = dealt[0]?.length ?? 0
  if (dealt.some((points) => points.length !== length)) throw new RangeError("polynomials of different degree")
  return Array.from({ length }, (_, k) =>
    dealt.reduce((sum, points) => curve.add(sum, points[k] ?? curve.identity), curve.identity),
  )
}
