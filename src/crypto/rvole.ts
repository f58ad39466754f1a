/**
 * Random vector OLE (threshold.md 5.5, 5.6): from `xi` OTs per block, Alice with inputs a_{n,0}, a_{n,1} and Bob with the
 * b_n that his choice bits encode come to c_{n,w} + d_{n,w} = a_{n,w} * b_n mod q, in one message from Alice.
 *
 * Words are little-endian scalars. Sums of products are reduced once at the end. BigInts are not constant time in
 * JavaScript and cannot be wiped: they stay inside these functions (threshold.md 5.12).
 */
import { type Bytes, secretEqual, u8, u32be } from "../bytes.ts"
import { COLUMN_WORDS } from "./bits.ts"
import { K1 } from "./curve.ts"
import { H, HS } from "./frame.ts"
import type { Extended, OtReceived } from "./otExtension.ts"
import { XI } from "./parameters.ts"
import { addMasked, LIMBS, limbsOf, subtract, summand } from "./rvoleLimbs.ts"
import { sha256Into } from "./xof.ts"

/** Nonce share, key share, check. */
const WIDTH = 3
const SCALAR = 32
const Q = K1.order

/** [w = 0, w = 1]. */
export type Products = readonly [bigint, bigint]

/** g_j of one direction of a pair: public, fixed for an epoch, worth keeping. `limbs` holds them again, LIMBS each. */
export interface Gadget {
  readonly scalars: readonly bigint[]
  readonly limbs: Uint16Array
}

export function gadget(pairId: Bytes, xBob: Bytes, xAlice: Bytes): Gadget {
  const scalars = Array.from({ length: XI }, (_, j) => HS(Q, "rvole/g", pairId, xBob, xAlice, u32be(j)))
  const limbs = new Uint16Array(XI * LIMBS)
  for (const [j, scalar] of scalars.entries()) limbs.set(limbsOf(scalar, LIMBS), LIMBS * j)
  return { scalars, limbs }
}

/** Lengths of Alice's ta and etap for `blocks` products. */
export const taLength = (blocks: number): number => blocks * XI * WIDTH * SCALAR
export const etapLength = (blocks: number): number => blocks * SCALAR

/**
 * Bob's multipliers b_n, encoded by his choice bits. Summed in masked limbs: the time of a BigInt sum would tell how many
 * bits are set. A column of XI limbs stays below 2^26.
 */
export function multipliers(choices: Uint32Array, g: Gadget, blocks: number): readonly bigint[] {
  const columns = new Int32Array(LIMBS)
  const words = new BigUint64Array(SUM_WORDS)
  const limbs = new Uint16Array(words.buffer)
  const sums = Array.from({ length: blocks }, (_, n) => {
    columns.fill(0)
    for (let j = 0; j < XI; j++) {
      const mask = -bitOf(choices, n * XI + j)
      for (let i = 0; i < LIMBS; i++) columns[i] = (columns[i] ?? 0) + ((g.limbs[LIMBS * j + i] ?? 0) & mask)
    }
    let carry = 0
    for (let i = 0; i < LIMBS; i++, carry >>= 16) {
      carry += columns[i] ?? 0
      limbs[i] = carry
    }
    limbs[LIMBS] = carry
    return (((words[4] ?? 0n) << 256n) | read(words, 0)) % Q
  })
  columns.fill(0)
  limbs.fill(0)
  return sums
}

/** 64-bit words of a sum of XI scalars. */
const SUM_WORDS = 5

export interface AliceMessage {
  readonly ta: Bytes
  readonly etap: Bytes
  readonly mu: Bytes
}
interface AliceResult {
  readonly message: AliceMessage
  /** c_{n,w} per product. */
  readonly shares: readonly Products[]
}

/** What Alice puts into one product: a_{n,0}, a_{n,1} and eta_n, a fresh random scalar that hides them in etap. */
export type Inputs = readonly [bigint, bigint, bigint]

export function multiplyAsAlice(psid2: Bytes, ot: OtReceived, g: Gadget, inputs: readonly Inputs[]): AliceResult {
  const { ta, alpha, shares } = maskInputs(psid2, ot, g, inputs)
  const { digest, theta } = challenges(psid2, ta)
  const etap = new Uint8Array(etapLength(inputs.length))
  const etapWords = new BigUint64Array(etap.buffer)
  const checks = new Uint8Array(inputs.length * XI * SCALAR)
  const checkWords = new BigUint64Array(checks.buffer)
  for (const [n, [a0, a1, eta]] of inputs.entries()) {
    const [t0, t1] = theta(n)
    write((eta + t0 * a0 + t1 * a1) % Q, etapWords, 4 * n)
    for (let j = n * XI; j < (n + 1) * XI; j++) {
      const at = WIDTH * j
      write(((alpha[at + 2] ?? 0n) + t0 * (alpha[at] ?? 0n) + t1 * (alpha[at + 1] ?? 0n)) % Q, checkWords, 4 * j)
    }
  }
  const mu = H("rvole/mu", psid2, digest, checks)
  checks.fill(0)
  return { message: { ta, etap, mu }, shares }
}

interface Masked {
  readonly ta: Bytes
  /** alpha0_{j,w} at 3j + w. */
  readonly alpha: readonly bigint[]
  readonly shares: readonly Products[]
}

/** ta_{j,w} = alpha0 - alpha1 + input w, and Alice's shares c_w = -sum g_j alpha0_{j,w}. */
function maskInputs(psid2: Bytes, ot: OtReceived, g: Gadget, inputs: readonly Inputs[]): Masked {
  const ta = new Uint8Array(taLength(inputs.length))
  const taLimbs = new Uint16Array(ta.buffer)
  const alpha = new Array<bigint>(inputs.length * XI * WIDTH)
  using pads = new Pads(psid2)
  const shares = inputs.map((input, n): Products => {
    const summands = input.map(summand)
    let [c0, c1] = [0n, 0n]
    for (let j = n * XI; j < (n + 1) * XI; j++) {
      pads.aim(j, ot.columns)
      pads.aimFlipped(j, ot.columns, ot.delta)
      for (let w = 0; w < WIDTH; w++) {
        pads.hash(w)
        alpha[WIDTH * j + w] = pads.value()
        subtract(pads.limbs, pads.hashFlipped(w), summands[w] ?? NO_SUMMAND, taLimbs, LIMBS * (WIDTH * j + w))
      }
      const factor = g.scalars[j - n * XI] ?? 0n
      c0 += factor * (alpha[WIDTH * j] ?? 0n)
      c1 += factor * (alpha[WIDTH * j + 1] ?? 0n)
    }
    for (const limbs of summands) limbs.fill(0)
    return [minus(c0), minus(c1)]
  })
  return { ta, alpha, shares }
}

/** Whether every scalar of ta and etap is below q; anything else is Alice's FAULT, found before any secret is used. */
export function isCanonical(message: Pick<AliceMessage, "ta" | "etap">): boolean {
  for (const bytes of [message.ta, message.etap]) {
    const words = new BigUint64Array(bytes.slice().buffer)
    for (let at = 0; at < words.length; at += 4) if (!belowOrder(words, at)) return false
  }
  return true
}

interface BobResult {
  /** The one bit that may leave: false means BAN. */
  readonly passed: boolean
  /** d_{n,w} per product. */
  readonly shares: readonly Products[]
}

/** Bob: finishes on a canonical message of `blocks` products. */
export function multiplyAsBob(psid2: Bytes, ot: Extended, g: Gadget, blocks: number, message: AliceMessage): BobResult {
  const { digest, theta } = challenges(psid2, message.ta)
  const ta = new Uint16Array(message.ta.slice().buffer)
  const etap = new BigUint64Array(message.etap.slice().buffer)
  const checks = new Uint8Array(blocks * XI * SCALAR)
  const checkWords = new BigUint64Array(checks.buffer)
  const shares: Products[] = []
  using pads = new Pads(psid2)
  for (let n = 0; n < blocks; n++) {
    const [t0, t1] = theta(n)
    const minusEtap = limbsOf(minus(read(etap, 4 * n)), LIMBS)
    let [d0, d1] = [0n, 0n]
    for (let j = n * XI; j < (n + 1) * XI; j++) {
      const bit = bitOf(ot.choices, j)
      pads.aim(j, ot.columns)
      const y0 = pads.plus(0, ta, LIMBS * WIDTH * j, -bit)
      const y1 = pads.plus(1, ta, LIMBS * (WIDTH * j + 1), -bit)
      pads.plus(2, ta, LIMBS * (WIDTH * j + 2), -bit)
      const y2 = pads.plusAgain(minusEtap, -bit)
      write((y2 + t0 * y0 + t1 * y1) % Q, checkWords, 4 * j)
      const factor = g.scalars[j - n * XI] ?? 0n
      d0 += factor * y0
      d1 += factor * y1
    }
    shares.push([d0 % Q, d1 % Q])
  }
  const passed = secretEqual(H("rvole/mu", psid2, digest, checks), message.mu)
  checks.fill(0)
  return { passed, shares }
}

/** theta_{n,w}: bound to all of ta, so that Alice cannot choose an entry after it. */
function challenges(psid2: Bytes, ta: Bytes): { readonly digest: Bytes; readonly theta: (n: number) => Products } {
  const digest = H("rvole/theta0", psid2, ta)
  const at = (n: number, w: number): bigint => HS(Q, "rvole/theta", digest, u32be(n), u8(w))
  return { digest, theta: (n) => [at(n, 0), at(n, 1)] }
}

/** Pads SHA-256(psid2 || u32le j || u8 w || column), a fixed layout; 53 bytes, one compression each, with N_C = 128. */
class Pads implements Disposable {
  /** The pad hashed last, as a 256-bit integer that is used modulo q. */
  readonly limbs = new Uint16Array(LIMBS)
  readonly #bytes = new Uint8Array(this.limbs.buffer)
  readonly #words = new BigUint64Array(this.limbs.buffer)
  readonly #input: PadInput
  readonly #flippedLimbs = new Uint16Array(LIMBS)
  readonly #flippedBytes = new Uint8Array(this.#flippedLimbs.buffer)
  readonly #flippedInput: PadInput

  constructor(psid2: Bytes) {
    this.#input = padInput(psid2)
    this.#flippedInput = padInput(psid2)
  }

  /** From here on the pads of OT j. */
  aim(j: number, columns: Uint32Array): void {
    aim(this.#input, j, columns, NO_DELTA)
  }

  /** From here on the flipped pads are those of OT j's column XOR `delta`. */
  aimFlipped(j: number, columns: Uint32Array, delta: Uint32Array): void {
    aim(this.#flippedInput, j, columns, delta)
  }

  hash(w: number): void {
    this.#input.bytes[36] = w
    sha256Into(this.#input.bytes, this.#bytes)
  }

  hashFlipped(w: number): Uint16Array {
    this.#flippedInput.bytes[36] = w
    sha256Into(this.#flippedInput.bytes, this.#flippedBytes)
    return this.#flippedLimbs
  }

  value(): bigint {
    return read(this.#words, 0)
  }

  /** Pad w + (b[at..] & mask), modulo q but not reduced. */
  plus(w: number, b: Uint16Array, at: number, mask: number): bigint {
    this.hash(w)
    addMasked(this.limbs, b, at, mask)
    return this.value()
  }

  /** The last sum + (b & mask); b is canonical. */
  plusAgain(b: Uint16Array, mask: number): bigint {
    addMasked(this.limbs, b, 0, mask)
    return this.value()
  }

  [Symbol.dispose](): void {
    for (const bytes of [this.#input.bytes, this.#flippedInput.bytes, this.#bytes, this.#flippedBytes]) bytes.fill(0)
  }
}

/** What a pad is the hash of, and the column at its end as words: it begins three bytes into its buffer, so that these are aligned. */
interface PadInput {
  readonly bytes: Uint8Array
  readonly column: Uint32Array
}

function padInput(psid2: Bytes): PadInput {
  const buffer = new ArrayBuffer(40 + 4 * COLUMN_WORDS)
  const bytes = new Uint8Array(buffer, 3)
  bytes.set(psid2)
  return { bytes, column: new Uint32Array(buffer, 40) }
}

function aim({ bytes, column }: PadInput, j: number, columns: Uint32Array, delta: Uint32Array): void {
  bytes[32] = j
  bytes[33] = j >>> 8
  bytes[34] = j >>> 16
  bytes[35] = j >>> 24
  const at = COLUMN_WORDS * j
  for (let w = 0; w < COLUMN_WORDS; w++) column[w] = (columns[at + w] ?? 0) ^ (delta[w] ?? 0)
}

const NO_SUMMAND = new Uint16Array(LIMBS + 1)
const NO_DELTA = new Uint32Array(COLUMN_WORDS)

const bitOf = (bits: Uint32Array, j: number): number => ((bits[j >> 5] ?? 0) >>> (j & 31)) & 1

const minus = (a: bigint): bigint => (Q - (a % Q)) % Q

/** The 256-bit little-endian integer at word `at`. */
function read(words: BigUint64Array, at: number): bigint {
  const low = ((words[at + 1] ?? 0n) << 64n) | (words[at] ?? 0n)
  const high = ((words[at + 3] ?? 0n) << 64n) | (words[at + 2] ?? 0n)
  return (high << 128n) | low
}

function write(value: bigint, words: BigUint64Array, at: number): void {
  words[at] = value
  words[at + 1] = value >> 64n
  words[at + 2] = value >> 128n
  words[at + 3] = value >> 192n
}

// The message is public to both sides: comparing it may be fast.
function belowOrder(words: BigUint64Array, at: number): boolean {
  return (words[at + 3] ?? 0n) < TOP_OF_ORDER || read(words, at) < Q
}

/** The top 64 bits of q. */
const TOP_OF_ORDER = Q >> 192n
