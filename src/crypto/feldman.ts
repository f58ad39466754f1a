/** Feldman's commitments to a polynomial (threshold.md 1.3): A_k = a_k G, and shares checked against them. */
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

/**
 * The committed polynomial of degree below ids.length that has these values at these ids: the inverse of evaluateCommitted;
 * all public, variable time. The ids must be distinct scalars in [1, q).
 */
export function interpolateCommitted(curve: Curve, ids: readonly bigint[], values: readonly Point[]): readonly Point[] {
  const basis = ids.map((xi) => {
    const others = ids.filter((x) => x !== xi)
    const scale = curve.invert(others.reduce((product, x) => curve.mod(product * (xi - x)), 1n))
    // prod (X - x_j), lowest coefficient first, built up one root at a time.
    const product = others.reduce<readonly bigint[]>(
      (poly, x) => poly.concat(0n).map((_, k) => curve.mod((poly[k - 1] ?? 0n) - x * (poly[k] ?? 0n))),
      [1n],
    )
    return product.map((coefficient) => curve.mod(coefficient * scale))
  })
  return ids.map((_, k) =>
    curve.sumOfProductsPublic(
      values,
      basis.map((polynomial) => polynomial[k] ?? 0n),
    ),
  )
}
