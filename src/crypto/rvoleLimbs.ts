/**
 * Addition modulo the order q of secp256k1 on 16-bit little-endian limbs: the two sums that RVOLE makes of a pad for
 * every OT. Pads are as secret as keys: this is constant time and leaves no garbage, where BigInt is neither. With limbs
 * of 16 bits every sum stays a 32-bit integer, which the engine adds and shifts without a detour over doubles.
 */
import { K1 } from "./curve.ts"

export const LIMBS = 16
/** Limbs of `value`, `count` of them. */
export const limbsOf = (value: bigint, count: number): Uint16Array =>
  Uint16Array.from({ length: count }, (_, i) => Number((value >> BigInt(16 * i)) & 0xffffn))

/** 2^256 - q: what a carry out of the top limb is worth. */
const WRAP = limbsOf((1n << 256n) - K1.order, LIMBS)
const TWICE_ORDER = 2n * K1.order

/** A summand for `subtract`: scalar + 2q in 17 limbs, so that the difference never goes below zero. */
export const summand = (scalar: bigint): Uint16Array => limbsOf(scalar + TWICE_ORDER, LIMBS + 1)

/** out[at..] = a - b + summand mod q, canonical; a and b any 256-bit numbers. */
export function subtract(a: Uint16Array, b: Uint16Array, added: Uint16Array, out: Uint16Array, at: number): void {
  let carry = 0
  for (let i = 0; i < LIMBS; i++) {
    const sum = (a[i] ?? 0) - (b[i] ?? 0) + (added[i] ?? 0) + carry
    out[at + i] = sum
    carry = sum >> 16
  }
  const above = wrap(out, at, carry + (added[LIMBS] ?? 0))
  // 2^256 and more, or q and more: both are put right by 2^256 - q, and never both at once.
  wrap(out, at, above | reachesOrder(out, at))
}

/** a += b[at..] & mask modulo q, into any 256-bit number congruent to it. b is canonical; `mask` is 0 or -1. */
export function addMasked(a: Uint16Array, b: Uint16Array, at: number, mask: number): void {
  let carry = 0
  for (let i = 0; i < LIMBS; i++) {
    const sum = (a[i] ?? 0) + ((b[at + i] ?? 0) & mask) + carry
    a[i] = sum
    carry = sum >> 16
  }
  // What is left below 2^256 is less than b, so that adding 2^256 - q to it does not carry again.
  wrap(a, 0, carry)
}

/** Adds top * 2^256 modulo q; returns the carry that is left, 0 or 1. */
function wrap(out: Uint16Array, at: number, top: number): number {
  let carry = 0
  for (let i = 0; i < LIMBS; i++) {
    const sum = (out[at + i] ?? 0) + top * (WRAP[i] ?? 0) + carry
    out[at + i] = sum
    carry = sum >> 16
  }
  return carry
}

/** 1 if the number is q or more, else 0. */
function reachesOrder(out: Uint16Array, at: number): number {
  let carry = 0
  for (let i = 0; i < LIMBS; i++) carry = ((out[at + i] ?? 0) + (WRAP[i] ?? 0) + carry) >> 16
  return carry
}
