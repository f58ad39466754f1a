/**
 * secp256k1 and Ed25519 behind one interface, so that DKG, FROST and resharing are written once (threshold.md 1.1). noble does the
 * arithmetic. This file adds strict decoding: canonical, on the curve, not the identity, torsion free.
 *
 * Sums of public values can be computed by WebAssembly instead (wasmPoints.ts), three times as fast, in threads that were given memory for
 * it. That is used only where a second implementation verifies the result, or where it verifies the result of another one: see
 * `sumOfProductsPublic` and `checkedSum`. Square roots for decoding come from there too, because noble checks the point that they make.
 */
import {
  type CurvePoint,
  type CurvePointCons,
  mulAddUnsafe,
  normalizeZ,
  ScalarMultiplier,
} from "@noble/curves/abstract/curve.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, beToBig, bigToBe, bigToLe, copy, leToBig } from "../bytes.ts"
import { hasMemory } from "./wasm.ts"
import { ED_WASM, K1_WASM } from "./wasmCurves.ts"
import { type Coordinates, type WasmCurve, WasmPoints } from "./wasmPoints.ts"

export type CurveName = "secp256k1" | "ed25519"

declare const pointOf: unique symbol
/** A point of one of the two groups. Only a Curve creates or inspects it. */
export interface Point {
  readonly [pointOf]: CurveName
}

export interface Curve {
  readonly name: CurveName
  /** The group's prime order q. */
  readonly order: bigint
  /** Bytes of enc(P): 33 (compressed SEC1) or 32 (RFC 8032). */
  readonly pointLength: 33 | 32
  readonly generator: Point
  readonly identity: Point

  /** enc(P). Throws RangeError for the identity, which no message may contain. */
  encodePoint(point: Point): Bytes
  /** enc of each point, with one inversion for all of them. Throws as encodePoint does. */
  encodePoints(points: readonly Point[]): readonly Bytes[]
  /** dec(b); undefined for bytes that threshold.md 1.1 rejects. */
  decodePoint(bytes: Uint8Array): Point | undefined
  /** sc(a): 32 bytes, big-endian on secp256k1 and little-endian on Ed25519. */
  encodeScalar(scalar: bigint): Bytes
  /** The scalar; undefined unless it is 32 bytes and below q. Nothing is reduced silently. */
  decodeScalar(bytes: Uint8Array): bigint | undefined

  add(a: Point, b: Point): Point
  negate(a: Point): Point
  equals(a: Point, b: Point): boolean
  isIdentity(a: Point): boolean
  /** k*G for a secret k; 0 gives the identity. */
  multiplyBase(k: bigint): Point
  /** k*P for a secret k; 0 gives the identity. */
  multiply(point: Point, k: bigint): Point
  /**
   * k*G and k*P for a secret k that is used in one multiplication and then wiped (nonces, products, session multipliers). Constant time
   * like the two above, but without their blinding, which protects a scalar that is used many times.
   */
  multiplyBaseOnce(k: bigint): Point
  multiplyOnce(point: Point, k: bigint): Point
  /** k*P in variable time: for public scalars only. */
  multiplyPublic(point: Point, k: bigint): Point
  /** k*G in variable time: for public scalars only. */
  multiplyBasePublic(k: bigint): Point
  /**
   * sum k_i*P_i in variable time: for public scalars only. On Ed25519 it uses WebAssembly if the thread has it, because BoringSSL verifies
   * the resulting signatures. On secp256k1 it always uses noble, because `checkedSum` verifies the results by WebAssembly.
   */
  sumOfProductsPublic(points: readonly Point[], scalars: readonly bigint[]): Point
  /**
   * base*G + sum k_i*P_i in variable time, for verifying proofs and signatures: for public scalars only. It uses WebAssembly if the thread
   * has it, which had no part in making them.
   */
  checkedSum(base: bigint, points: readonly Point[], scalars: readonly bigint[]): Point
  /** a mod q, in [0, q). */
  mod(a: bigint): bigint
  /** 1/a mod q; throws on 0. */
  invert(a: bigint): bigint
}

interface CurveShape {
  readonly name: CurveName
  readonly pointLength: 33 | 32
  readonly littleEndian: boolean
}

/** Converts points to coordinates for WebAssembly, and back. */
interface Fast<P> {
  readonly curve: WasmCurve
  readonly coordinates: (point: P) => Coordinates
  readonly point: (coordinates: Coordinates) => P
  /** Reads a point with a square root of `root`, which may be wrong: the point is not checked yet. Throws on malformed bytes. */
  readonly read: ((bytes: Uint8Array, root: (square: bigint) => bigint) => P) | undefined
}

// `Point` is a brand over noble's point class. Only this function converts between them.
function curveOver<F, P extends CurvePoint<F, P>>(
  curvePointCons: CurvePointCons<P>,
  shape: CurveShape,
  unblinded: (point: P, k: bigint) => P,
  fast: Fast<P>,
): Curve {
  const order = curvePointCons.Fn.ORDER
  const out = (point: P): Point => point as unknown as Point
  const into = (point: Point): P => point as unknown as P
  const mod = (a: bigint): bigint => {
    const r = a % order
    return r < 0n ? r + order : r
  }
  const multiply = (point: P, k: bigint): P => {
    const reduced = mod(k)
    return reduced === 0n ? curvePointCons.ZERO : point.multiply(reduced)
  }
  const multiplyOnce = (point: P, k: bigint): P => {
    const reduced = mod(k)
    return reduced === 0n ? curvePointCons.ZERO : unblinded(point, reduced)
  }
  let made: WasmPoints | undefined
  const wasm = (): WasmPoints => {
    made ??= new WasmPoints(fast.curve)
    return made
  }
  /** The sum computed by WebAssembly; undefined if this thread was given no memory for it. */
  const fastSum = (base: bigint, points: readonly P[], scalars: readonly bigint[]): P | undefined => {
    return hasMemory() ? fast.point(wasm().sum(base, points.map(fast.coordinates), scalars)) : undefined
  }
  const isTorsionFree = (point: P): boolean =>
    shape.name === "secp256k1"
      ? point.isTorsionFree()
      : (fastSum(0n, [point], [order])?.equals(curvePointCons.ZERO) ?? point.isTorsionFree())
  const checked = (bytes: Uint8Array, read: () => P): P | undefined => {
    try {
      const p = read()
      p.assertValidity()
      if (p.equals(curvePointCons.ZERO) || !isTorsionFree(p)) return undefined
      // Each point has one encoding. noble accepts no other today; this check keeps it so.
      return Buffer.compare(p.toBytes(), bytes) === 0 ? p : undefined
    } catch {
      return undefined
    }
  }
  const slowSum = (points: readonly P[], scalars: readonly bigint[]): P => {
    const [point, ...more] = points
    // For one point noble uses secp256k1's endomorphism, which is faster; for several points it never does.
    if (shape.name === "secp256k1" && point !== undefined && more.length === 0) {
      return point.multiplyUnsafe(mod(scalars[0] ?? 0n))
    }
    return mulAddUnsafe(curvePointCons, [...points], scalars.map(mod))
  }
  const requireEncodable = (point: P): void => {
    if (point.equals(curvePointCons.ZERO)) throw new RangeError("the identity has no encoding")
  }
  /** noble would invert Z twice for each point: to check it and to encode it. */
  const encodeAll = (points: readonly P[]): readonly Bytes[] => {
    points.forEach(requireEncodable)
    return normalizeZ(curvePointCons, [...points]).map((point) => copy(point.toBytes()))
  }
  return {
    name: shape.name,
    order,
    pointLength: shape.pointLength,
    generator: out(curvePointCons.BASE),
    identity: out(curvePointCons.ZERO),
    encodePoint(point) {
      const [encoded = new Uint8Array(0)] = encodeAll([into(point)])
      return encoded
    },
    encodePoints: (points) => encodeAll(points.map(into)),
    decodePoint(bytes) {
      if (bytes.length !== shape.pointLength) return undefined
      const { read } = fast
      // A wrong root makes a point that fails noble's checks. Then noble reads the bytes, and it alone rejects them.
      const quick = read && hasMemory() ? checked(bytes, () => read(bytes, (square) => wasm().root(square))) : undefined
      const p = quick ?? checked(bytes, () => curvePointCons.fromBytes(bytes))
      return p && out(p)
    },
    encodeScalar: (scalar) => (shape.littleEndian ? bigToLe(mod(scalar), 32) : bigToBe(mod(scalar), 32)),
    decodeScalar(bytes) {
      if (bytes.length !== 32) return undefined
      const scalar = shape.littleEndian ? leToBig(bytes) : beToBig(bytes)
      return scalar < order ? scalar : undefined
    },
    add: (a, b) => out(into(a).add(into(b))),
    negate: (a) => out(into(a).negate()),
    equals: (a, b) => into(a).equals(into(b)),
    isIdentity: (a) => into(a).equals(curvePointCons.ZERO),
    multiplyBase: (k) => out(multiply(curvePointCons.BASE, k)),
    multiply: (point, k) => out(multiply(into(point), k)),
    multiplyBaseOnce: (k) => out(multiplyOnce(curvePointCons.BASE, k)),
    multiplyOnce: (point, k) => out(multiplyOnce(into(point), k)),
    multiplyPublic: (point, k) => out(into(point).multiplyUnsafe(mod(k))),
    multiplyBasePublic: (k) => out(curvePointCons.BASE.multiplyUnsafe(mod(k))),
    sumOfProductsPublic(points, scalars) {
      const all = points.map(into)
      return out((shape.name === "ed25519" ? fastSum(0n, all, scalars.map(mod)) : undefined) ?? slowSum(all, scalars))
    },
    checkedSum(base, points, scalars) {
      const all = points.map(into)
      const sum = fastSum(mod(base), all, scalars.map(mod))
      return out(sum ?? curvePointCons.BASE.multiplyUnsafe(mod(base)).add(slowSum(all, scalars)))
    },
    mod,
    invert: (a) => curvePointCons.Fn.inv(mod(a)),
  }
}

// Wider tables of G than noble's default. They are built once, at the first use, in about 20 ms, and make every k*G a fifth faster.
secp256k1.Point.BASE.precompute(8)
ed25519.Point.BASE.precompute(8)

// noble's constant-time multiplication without blinding. It has its own tables of G, built at the first use.
const k1Once = new ScalarMultiplier(secp256k1.Point)
const edOnce = new ScalarMultiplier(ed25519.Point)

export const K1: Curve = curveOver(
  secp256k1.Point,
  { name: "secp256k1", pointLength: 33, littleEndian: false },
  (point, k) => k1Once.mulCT(point, k, (points) => normalizeZ(secp256k1.Point, points)).p,
  {
    curve: K1_WASM,
    coordinates: ({ X, Y, Z }) => [X, Y, Z, 0n],
    point: ([X, Y, Z]) => (Z === 0n ? secp256k1.Point.ZERO : new secp256k1.Point(X, Y, Z)),
    read(bytes, root) {
      const { Fp } = secp256k1.Point
      const x = beToBig(bytes.subarray(1))
      const y = root(Fp.add(Fp.mul(Fp.sqr(x), x), secp256k1.Point.CURVE().b))
      return new secp256k1.Point(x, Number(y & 1n) === (bytes[0] ?? 0) % 2 ? y : Fp.neg(y), 1n)
    },
  },
)
export const ED: Curve = curveOver(
  ed25519.Point,
  { name: "ed25519", pointLength: 32, littleEndian: true },
  (point, k) => edOnce.mulCT(point, k, (points) => normalizeZ(ed25519.Point, points)).p,
  {
    curve: ED_WASM,
    coordinates: ({ X, Y, Z, T }) => [X, Y, Z, T],
    point: ([X, Y, Z, T]) => new ed25519.Point(X, Y, Z, T),
    read: undefined,
  },
)

export const curveNamed = (name: CurveName): Curve => (name === "secp256k1" ? K1 : ED)
