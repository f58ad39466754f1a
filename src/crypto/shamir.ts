/**
 * Shamir's secret sharing over the scalars of either curve (threshold.md 1.3). Share ids are any distinct scalars in [1, q); no code here
 * assumes that they are small or consecutive.
 */
import { type Bytes, beToBig } from "../bytes.ts"
import type { Curve } from "./curve.ts"
import { H } from "./frame.ts"
import { type Rng, randomScalar } from "./random.ts"

/** The coefficients a_0 to a_{t-1}, none of them 0. */
export type Polynomial = readonly bigint[]

/** The share id of a node in groups made by this software: 1 + OS2IP(first 16 bytes of H("x"; node id)). */
export const shareIdOf = (nodeId: Bytes): bigint => 1n + beToBig(H("x", nodeId).subarray(0, 16))

/** True if these can be the share ids of one group: canonical, not 0, pairwise distinct. */
export const areShareIds = (curve: Curve, ids: readonly bigint[]): boolean =>
  ids.every((id) => id > 0n && id < curve.order) && new Set(ids).size === ids.length

/** A random polynomial of degree exactly t-1, with the given constant term (a share to deal again) or a random one. */
export function randomPolynomial(
  curve: Curve,
  threshold: number,
  rng: Rng,
  constant: bigint = randomScalar(rng, curve.order),
): Polynomial {
  if (threshold < 1 || curve.mod(constant) === 0n) throw new RangeError("not a polynomial to share with")
  return [constant, ...Array.from({ length: threshold - 1 }, () => randomScalar(rng, curve.order))]
}

/** f(x) mod q, by Horner's rule. */
export const evaluate = (curve: Curve, polynomial: Polynomial, x: bigint): bigint =>
  polynomial.reduceRight((sum, coefficient) => curve.mod(sum * x + coefficient), 0n)

/**
 * The Lagrange coefficients lambda_{i,S} for every i in S, in the given order: sum lambda_i f(x_i) = f(0). Uses one inversion. Throws
 * RangeError unless areShareIds(ids): an id congruent to 0 would disclose f(0), and two congruent ids would divide by zero.
 */
export function lagrange(curve: Curve, ids: readonly bigint[]): readonly bigint[] {
  if (!areShareIds(curve, ids)) throw new RangeError("share ids are not distinct scalars in [1, q)")
  const all = ids.reduce((product, x) => curve.mod(product * x), 1n)
  const denominators = ids.map((xi) =>
    ids.reduce((product, xj) => (xj === xi ? product : curve.mod(product * (xj - xi))), xi),
  )
  return invertAll(curve, denominators).map((inverse) => curve.mod(all * inverse))
}

/** The inverses of n values with one inversion and 3n multiplications (Montgomery's trick). No value may be 0. */
function invertAll(curve: Curve, values: readonly bigint[]): readonly bigint[] {
  const prefixes: bigint[] = []
  let product = 1n
  for (const value of values) {
    prefixes.push(product)
    product = curve.mod(product * value)
  }
  let inverse = curve.invert(product)
  const out: bigint[] = []
  for (const [i, prefix] of [...prefixes.entries()].reverse()) {
    out.unshift(curve.mod(inverse * prefix))
    inverse = curve.mod(inverse * (values[i] ?? 0n))
  }
  return out
}
