/**
 * Endemic OT (Masny-Rindal) over P-256: N random base OTs of one ordered pair in two messages (threshold.md 4.1). The receiver gets one key
 * per OT and the sender gets both. The sender does not learn which key the receiver has, and the receiver does not learn the other one.
 *
 * Multiplications by secrets use the runtime's native, constant-time ECDH. Decoding, addition and hash-to-curve use noble, on points that
 * are public or already blinded. Every selection by a choice bit is a mask.
 */
import { createECDH, type ECDH } from "node:crypto"
import { normalizeZ } from "@noble/curves/abstract/curve.js"
import { p256 } from "@noble/curves/nist.js"
import { type Bytes, bigToBe, concat, copy, u8, u16be } from "../bytes.ts"
import { H } from "./frame.ts"
import { hashToP256, type P256Point } from "./otBaseHash.ts"
import { N_C } from "./parameters.ts"
import { type Rng, randomScalar } from "./random.ts"

const KEY_LENGTH = 32
const POINT = 33
export const FIRST_LENGTH = N_C * 2 * POINT
export const SECOND_LENGTH = POINT

const Point = p256.Point

/** The mask of slot `slot` of OT `index`: the RFC 9380 hash to P-256 of the point in the other slot. */
function slotMask(sidOt: Bytes, index: number, slot: number, other: Uint8Array): P256Point {
  return hashToP256(concat(sidOt, u16be(index), u8(slot), other))
}

const slotKey = (sidOt: Bytes, index: number, slot: number, b: Uint8Array, m: Uint8Array, x: Uint8Array): Bytes =>
  H("ot/key", sidOt, u16be(index), u8(slot), b, m, x)

/** dec of threshold.md 4: undefined unless the bytes are compressed, canonical, on the curve and not the identity. */
function decodePoint(bytes: Uint8Array): P256Point | undefined {
  if (bytes.length !== POINT) return undefined
  try {
    const point = Point.fromBytes(bytes)
    return point.equals(Point.ZERO) ? undefined : point
  } catch {
    return undefined
  }
}

/** One native ECDH object that is reused. It cannot be wiped, so its last key is overwritten at the end. */
class NativeScalar implements Disposable {
  readonly #ecdh: ECDH = createECDH("prime256v1")

  set(scalar: Uint8Array): void {
    this.#ecdh.setPrivateKey(scalar)
  }
  /** Compressed and uncompressed encodings of scalar * G. */
  publicPoint(): { readonly compressed: Uint8Array; readonly plain: Uint8Array } {
    const plain = this.#ecdh.getPublicKey()
    return { compressed: concat(u8(2 + ((plain[64] ?? 0) & 1)), plain.subarray(1, POINT)), plain }
  }
  /** The x coordinate of scalar * point, 32 bytes. */
  shared(point: Uint8Array): Uint8Array {
    return this.#ecdh.computeSecret(point)
  }
  [Symbol.dispose](): void {
    this.#ecdh.setPrivateKey(bigToBe(1n, 32))
  }
}

/** The receiver's state between the two messages: choice bits, scalars and their points. Must be disposed on every path. */
export class BaseOtReceiver implements Disposable {
  /** The choice bits, 0 or 1 per OT. */
  readonly choices: Bytes
  /** The message to the sender, FIRST_LENGTH bytes. */
  readonly first: Bytes
  readonly #sidOt: Bytes
  readonly #alphas = new Uint8Array(N_C * KEY_LENGTH)
  readonly #alphaPoints: Uint8Array[] = []

  constructor(sidOt: Bytes, rng: Rng) {
    this.#sidOt = sidOt
    const packed = rng(N_C / 8)
    this.choices = Uint8Array.from({ length: N_C }, (_, m) => ((packed[m >> 3] ?? 0) >> (m & 7)) & 1)
    packed.fill(0)
    using native = new NativeScalar()
    const free: Uint8Array[] = []
    const bound: P256Point[] = []
    for (let m = 0; m < N_C; m++) {
      const choice = this.choices[m] ?? 0
      const u = scalarBytes(rng)
      native.set(u)
      u.fill(0)
      const other = native.publicPoint().compressed
      native.set(this.#drawAlpha(m, rng))
      const { compressed, plain } = native.publicPoint()
      this.#alphaPoints.push(compressed)
      free.push(other)
      bound.push(Point.fromBytes(plain).subtract(slotMask(sidOt, m, choice, other)))
    }
    this.first = this.#arrange(encodeAll(bound), free)
  }

  /** The keys K_{m,c_m}, 32 bytes each; undefined if B does not decode. */
  finish(second: Uint8Array): Bytes | undefined {
    const b = decodePoint(second)
    if (b === undefined) return undefined
    const plain = b.toBytes(false)
    using native = new NativeScalar()
    const keys = new Uint8Array(N_C * KEY_LENGTH)
    for (let m = 0; m < N_C; m++) {
      native.set(this.#alphas.subarray(m * KEY_LENGTH, (m + 1) * KEY_LENGTH))
      const x = native.shared(plain)
      const key = slotKey(this.#sidOt, m, this.choices[m] ?? 0, second, this.#alphaPoints[m] ?? new Uint8Array(0), x)
      keys.set(key, m * KEY_LENGTH)
      key.fill(0)
      x.fill(0)
    }
    return keys
  }

  [Symbol.dispose](): void {
    this.#alphas.fill(0)
    this.choices.fill(0)
    for (const point of this.#alphaPoints) point.fill(0)
  }

  #drawAlpha(m: number, rng: Rng): Uint8Array {
    const alpha = scalarBytes(rng)
    const kept = this.#alphas.subarray(m * KEY_LENGTH, (m + 1) * KEY_LENGTH)
    kept.set(alpha)
    alpha.fill(0)
    return kept
  }

  /** Puts the two points of each OT into slots 0 and 1, selected by mask. */
  #arrange(bound: readonly Uint8Array[], free: readonly Uint8Array[]): Bytes {
    const out = new Uint8Array(FIRST_LENGTH)
    for (let m = 0; m < N_C; m++) {
      const x = bound[m]
      const y = free[m]
      if (x === undefined || y === undefined) throw new TypeError("a base OT is missing")
      // Also computes the mask of the other slot, so that both choices cost the same (a SHOULD of threshold.md 4.1).
      slotMask(this.#sidOt, m, 1 - (this.choices[m] ?? 0), x)
      const mask = (this.choices[m] ?? 0) - 1
      for (let i = 0; i < POINT; i++) {
        const swap = mask & ((x[i] ?? 0) ^ (y[i] ?? 0))
        out[2 * m * POINT + i] = (y[i] ?? 0) ^ swap
        out[(2 * m + 1) * POINT + i] = (x[i] ?? 0) ^ swap
      }
    }
    return out
  }
}

interface BaseOtSent {
  /** The message to the receiver, SECOND_LENGTH bytes. */
  readonly second: Bytes
  /** K_{m,0} and K_{m,1}, 32 bytes each. The caller wipes them. */
  readonly keys: readonly [Bytes, Bytes]
}

/** The sender's only step, with one scalar b for the whole batch. Undefined if a point in `first` does not decode. */
export function answerBaseOt(sidOt: Bytes, first: Uint8Array, rng: Rng): BaseOtSent | undefined {
  const blinded: P256Point[] = []
  for (let m = 0; m < N_C; m++) {
    const slots = [0, 1].map((c) => first.subarray((2 * m + c) * POINT, (2 * m + c + 1) * POINT))
    for (const [c, slot] of slots.entries()) {
      const point = decodePoint(slot)
      const sum = point?.add(slotMask(sidOt, m, c, slots[1 - c] ?? slot))
      if (sum === undefined || sum.equals(Point.ZERO)) return undefined
      blinded.push(sum)
    }
  }
  using native = new NativeScalar()
  const b = scalarBytes(rng)
  native.set(b)
  b.fill(0)
  const second = copy(native.publicPoint().compressed)
  const keys = [new Uint8Array(N_C * KEY_LENGTH), new Uint8Array(N_C * KEY_LENGTH)] as const
  for (const [i, point] of normalizeZ(Point, blinded).entries()) {
    const x = native.shared(point.toBytes(false))
    const slot = i & 1
    const key = slotKey(sidOt, i >> 1, slot, second, point.toBytes(), x)
    ;(slot === 0 ? keys[0] : keys[1]).set(key, (i >> 1) * KEY_LENGTH)
    key.fill(0)
    x.fill(0)
  }
  return { second, keys }
}

const encodeAll = (points: P256Point[]): Uint8Array[] => normalizeZ(Point, points).map((point) => point.toBytes())

/** A nonzero scalar of P-256, 32 bytes big-endian. */
const scalarBytes = (rng: Rng): Bytes => bigToBe(randomScalar(rng, Point.Fn.ORDER), 32)
