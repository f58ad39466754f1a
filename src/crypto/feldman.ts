/** Feldman commitments to a polynomial, A_k = a_k G, and the check of shares against them (threshold.md 1.3). */
import type { Curve, Point } from "./curve.ts"
import type { Polynomial } from "./shamir.ts"

export const commitments = (curve: Curve, polynomial: Polynomial): readonly Point[] =>
  polynomial.map((coefficient) => curve.multiplyBase(coefficient))

/**
 * f(x) G = sum x^k A_k by Horner's rule. All values are public; variable time. The result may be the identity, which is no error; it does
 * not match the share of any honest party.
 */
export const evaluateCommitted = (curve: Curve, points: readonly Point[], x: bigint): Point =>
  points.reduceRight((sum, point) => curve.add(curve.multiplyPublic(sum, x), point), curve.identity)

/** True if `share` is the value of the committed polynomial at x. */
export const shareMatches = (curve: Curve, points: readonly Point[], x: bigint, share: bigint): boolean =>
  curve.equals(curve.multiplyBase(share), evaluateCommitted(curve, points, x))

/** The commitment to the sum of several polynomials, coefficient by coefficient. All must have the same length. */
export function sumCommitted(curve: Curve, dealt: readonly (readonly Point[])[]): readonly Point[] {
  const length = dealt[0]?.length ?? 0
  if (dealt.some((points) => points.length !== length)) throw new RangeError("polynomials of different degree")
  return Array.from({ length }, (_, k) =>
    dealt.reduce((sum, points) => curve.add(sum, points[k] ?? curve.identity), curve.identity),
  )
}

/**
 * The commitment to the polynomial of degree below ids.length that has these committed values at these ids: the inverse of
 * evaluateCommitted. All values are public; variable time. The ids must be distinct scalars in [1, q).
 */
export function interpolateCommitted(curve: Curve, ids: readonly bigint[], values: readonly Point[]): readonly Point[] {
  const basis = ids.map((xi) => {
    const others = ids.filter((x) => x !== xi)
    const scale = curve.invert(others.reduce((product, x) => curve.mod(product * (xi - x)), 1n))
    // The coefficients of prod (X - x_j), lowest first; multiplied up one root at a time.
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
