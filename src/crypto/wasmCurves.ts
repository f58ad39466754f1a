/** The two curves for WebAssembly: their constants, and complete addition formulas from the literature, which have no exceptional cases. */
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Coordinates, formula, type WasmCurve } from "./wasmPoints.ts"

const K1_P = secp256k1.Point.Fp.ORDER
const ED_P = ed25519.Point.Fp.ORDER
/** The constant d of the curve -x^2 + y^2 = 1 + d x^2 y^2. */
const D = ed25519.Point.CURVE().d
const homogeneous = (x: bigint, y: bigint, p: bigint): Coordinates => [x, y, 1n, (x * y) % p]

/** Renes, Costello and Batina, eprint 2015/1060, algorithms 7 and 9, complete for a = 0; the constant is 3b = 21. */
export const K1_WASM: WasmCurve = {
  p: K1_P,
  c: (1n << 256n) - K1_P,
  constant: 21n,
  generator: homogeneous(secp256k1.Point.BASE.x, secp256k1.Point.BASE.y, K1_P),
  identity: [0n, 1n, 0n, 0n],
  negated: [1],
  split: splitScalar,
  part: 0,
  add: formula(`t0 = X1 * X2; t1 = Y1 * Y2; t2 = Z1 * Z2; t3 = X1 + Y1; t4 = X2 + Y2; t3 = t3 * t4; t4 = t0 + t1; t3 = t3 - t4;
    t4 = Y1 + Z1; x = Y2 + Z2; t4 = t4 * x; x = t1 + t2; t4 = t4 - x; x = X1 + Z1; y = X2 + Z2; x = x * y; y = t0 + t2; y = x - y;
    x = t0 + t0; t0 = x + t0; t2 = t2 * k; z = t1 + t2; t1 = t1 - t2; y = y * k; x = t4 * y; t2 = t3 * t1; X3 = t2 - x; y = y * t0;
    t1 = t1 * z; Y3 = t1 + y; t0 = t0 * t3; z = z * t4; Z3 = z + t0`),
  double:
    formula(`t0 = Y1 * Y1; z = t0 + t0; z = z + z; z = z + z; t1 = Y1 * Z1; t2 = Z1 * Z1; t2 = t2 * k; x = t2 * z; y = t0 + t2;
    z = t1 * z; t1 = t2 + t2; t2 = t1 + t2; t0 = t0 - t2; y = t0 * y; t1 = X1 * Y1; Y3 = x + y; x = t0 * t1; X3 = x + x; Z3 = z + zero`),
  // X1^((p+1)/4). In `aN` the exponent has N ones; that of the root has 223 ones, a zero, 22 ones, four zeros, two ones and two zeros.
  root: formula(`b = X1 ^ 1; a2 = b * X1; b = a2 ^ 1; a3 = b * X1; b = a3 ^ 3; a6 = b * a3; b = a6 ^ 3; a9 = b * a3; b = a9 ^ 2; a11 = b * a2;
    b = a11 ^ 11; a22 = b * a11; b = a22 ^ 22; a44 = b * a22; b = a44 ^ 44; a88 = b * a44; b = a88 ^ 88; a176 = b * a88;
    b = a176 ^ 44; a220 = b * a44; b = a220 ^ 3; a223 = b * a3; b = a223 ^ 23; b = b * a22; b = b ^ 6; b = b * a2; X3 = b ^ 2`),
}

/** Hisil, Wong, Carter and Dawson, eprint 2008/522, add-2008-hwcd-3 and dbl-2008-hwcd for a = -1; the constant is 2d. */
export const ED_WASM: WasmCurve = {
  p: ED_P,
  c: (1n << 256n) - 2n * ED_P,
  constant: (2n * D) % ED_P,
  generator: homogeneous(ed25519.Point.BASE.x, ed25519.Point.BASE.y, ED_P),
  identity: [0n, 1n, 1n, 0n],
  negated: [0, 3],
  split: undefined,
  root: undefined,
  part: 1,
  add: formula(`a = Y1 - X1; b = Y2 - X2; a = a * b; b = Y1 + X1; c = Y2 + X2; b = b * c; c = T1 * k; c = c * T2; d = Z1 + Z1; d = d * Z2;
    e = b - a; f = d - c; g = d + c; h = b + a; X3 = e * f; Y3 = g * h; T3 = e * h; Z3 = f * g`),
  double:
    formula(`a = X1 * X1; b = Y1 * Y1; c = Z1 * Z1; c = c + c; s = X1 + Y1; e = s * s; e = e - a; e = e - b; g = b - a; f = g - c;
    d = zero - a; h = d - b; X3 = e * f; Y3 = g * h; T3 = e * h; Z3 = f * g`),
}

/** A cube root of 1 in the field: (beta x, y) = lambda * (x, y), where lambda is a cube root of 1 modulo the group's order. */
const BETA = 0x7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501een
/** Short vectors (a, b) with a + b lambda = 0 modulo the order (Gallant, Lambert and Vanstone, CRYPTO 2001). */
const [A1, B1] = [0x3086d221a7d46bcde86c90e49284eb15n, -0xe4437ed6010e88286f547fa90abfe4c3n]
const [A2, B2] = [0x114ca50f7a8e2f3f657c1108d9d44cfd8n, A1]

/** Splits k = k1 + k2 lambda. Both parts have about half the length of k and may be negative. */
function splitScalar(k: bigint): ReturnType<NonNullable<WasmCurve["split"]>> {
  const q = secp256k1.Point.Fn.ORDER
  const nearest = (numerator: bigint): bigint => (numerator + q / 2n) / q
  const [c1, c2] = [nearest(B2 * k), nearest(-B1 * k)]
  return [
    { scalar: k - c1 * A1 - c2 * A2, timesX: 1n },
    { scalar: -c1 * B1 - c2 * B2, timesX: BETA },
  ]
}
