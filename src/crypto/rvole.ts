/**
 * Random vector OLE (threshold.md 5.5, 5.6). Alice has a_{n,0} and a_{n,1}; Bob has b_n, which his choice bits encode. With `xi` OTs per
 * product and one message from Alice they get additive shares c_{n,w} + d_{n,w} = a_{n,w} * b_n mod q.
 *
 * Scalars are little-endian. rvoleKernel.ts does the arithmetic for every OT. BigInts are not constant time in JavaScript and cannot be
 * wiped, so they hold only the few values per product, and do not leave these functions (threshold.md 5.12).
 */
import { type Bytes, bigToLe, concat, secretEqual, u8, u32be } from "../bytes.ts"
import { COLUMN_WORDS } from "./bits.ts"
import { K1 } from "./curve.ts"
import { H, HS } from "./frame.ts"
import type { Extended, OtReceived } from "./otExtension.ts"
import { XI } from "./parameters.ts"
import { type RvoleKernel, rvoleKernel, SCALAR, WIDTH } from "./rvoleKernel.ts"
import type { WasmBytes } from "./wasm.ts"
import { sha256Into } from "./xof.ts"

const Q = K1.order
/** Bytes of ta, and words of choice bits, for one product. */
const TA_LENGTH = XI * WIDTH * SCALAR
const CHOICE_WORDS = XI / 32

/** [w = 0, w = 1]. */
export type Products = readonly [bigint, bigint]

/** The gadget vector g_j of one direction of a pair, SCALAR bytes each. It is public and fixed for an epoch, so it is kept. */
export type Gadget = Bytes

export const gadget = (pairId: Bytes, xBob: Bytes, xAlice: Bytes): Gadget =>
  concat(...Array.from({ length: XI }, (_, j) => bigToLe(HS(Q, "rvole/g", pairId, xBob, xAlice, u32be(j)), SCALAR)))

/** Lengths of Alice's ta and etap for `blocks` products. */
export const taLength = (blocks: number): number => blocks * TA_LENGTH
export const etapLength = (blocks: number): number => blocks * SCALAR

/** Bob's multipliers b_n, encoded by his choice bits. */
export function multipliers(choices: Uint32Array, g: Gadget, blocks: number): readonly bigint[] {
  using kernel = rvoleKernel()
  return Array.from({ length: blocks }, (_, n) => kernel.select(g, choicesOf(choices, n)))
}

const choicesOf = (choices: Uint32Array, n: number): Uint32Array =>
  choices.subarray(CHOICE_WORDS * n, CHOICE_WORDS * (n + 1))

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

/** Alice's inputs to one product: a_{n,0}, a_{n,1}, and a fresh random scalar eta_n that hides them in etap. */
export type Inputs = readonly [bigint, bigint, bigint]

export function multiplyAsAlice(psid2: Bytes, ot: OtReceived, g: Gadget, inputs: readonly Inputs[]): AliceResult {
  using kernel = rvoleKernel()
  // theta is hashed from all of ta, so the pads are kept here until all of ta is made.
  const alpha = new Uint8Array(taLength(inputs.length))
  const ta = new Uint8Array(alpha.length)
  maskInputs(kernel, psid2, ot, inputs, alpha, ta)
  const { digest, theta } = challenges(psid2, ta)
  const checks = new Uint8Array(inputs.length * XI * SCALAR)
  const made = inputs.map(([a0, a1, eta], n) => {
    const [t0, t1] = theta(n)
    kernel.allPads.set(alpha.subarray(n * TA_LENGTH, (n + 1) * TA_LENGTH))
    const [c0, c1] = kernel.combine(g, [t0, t1])
    checks.set(kernel.checks, n * XI * SCALAR)
    const shares: Products = [K1.mod(-c0), K1.mod(-c1)]
    return { shares, etap: K1.mod(eta + t0 * a0 + t1 * a1) }
  })
  const etap = concat(...made.map((one) => bigToLe(one.etap, SCALAR)))
  const mu = H("rvole/mu", psid2, digest, checks)
  for (const bytes of [alpha, checks]) bytes.fill(0)
  return { message: { ta, etap, mu }, shares: made.map(({ shares }) => shares) }
}

/** ta_{j,w} = alpha0 - alpha1 + input w; `alpha` is alpha0 in the same order. */
function maskInputs(
  kernel: RvoleKernel,
  psid2: Bytes,
  ot: OtReceived,
  inputs: readonly Inputs[],
  alpha: Bytes,
  ta: Bytes,
): void {
  using pads = new Pads(psid2)
  using flipped = new Pads(psid2)
  for (const [n, input] of inputs.entries()) {
    for (let j = 0; j < XI; j++) {
      pads.hash(n * XI + j, ot.columns, NO_DELTA, kernel.pads, WIDTH * j)
      flipped.hash(n * XI + j, ot.columns, ot.delta, kernel.flipped, WIDTH * j)
    }
    kernel.mask(input)
    alpha.set(kernel.allPads, n * TA_LENGTH)
    ta.set(kernel.ta, n * TA_LENGTH)
  }
}

/** True if every scalar of ta and etap is below q. Otherwise it is Alice's FAULT. Check it before any secret is used. */
export function isCanonical(message: Pick<AliceMessage, "ta" | "etap">): boolean {
  for (const bytes of [message.ta, message.etap]) {
    const words = new BigUint64Array(bytes.slice().buffer)
    for (let at = 0; at < words.length; at += 4) if (!belowOrder(words, at)) return false
  }
  return true
}

interface BobResult {
  /** The verdict of the check, the only value that may be disclosed. False means BAN. */
  readonly passed: boolean
  /** d_{n,w} per product. */
  readonly shares: readonly Products[]
}

/** Bob's last step, on a canonical message of `blocks` products. */
export function multiplyAsBob(psid2: Bytes, ot: Extended, g: Gadget, blocks: number, message: AliceMessage): BobResult {
  const { digest, theta } = challenges(psid2, message.ta)
  const checks = new Uint8Array(blocks * XI * SCALAR)
  using kernel = rvoleKernel()
  using pads = new Pads(psid2)
  const shares = Array.from({ length: blocks }, (_, n): Products => {
    for (let j = 0; j < XI; j++) pads.hash(n * XI + j, ot.columns, NO_DELTA, kernel.pads, WIDTH * j)
    kernel.ta.set(message.ta.subarray(n * TA_LENGTH, (n + 1) * TA_LENGTH))
    kernel.choose(choicesOf(ot.choices, n), message.etap.subarray(n * SCALAR, (n + 1) * SCALAR))
    const sums = kernel.combine(g, theta(n))
    checks.set(kernel.checks, n * XI * SCALAR)
    return sums
  })
  const passed = secretEqual(H("rvole/mu", psid2, digest, checks), message.mu)
  checks.fill(0)
  return { passed, shares }
}

/** The challenges theta_{n,w}. They depend on all of ta, so Alice cannot choose an entry after she knows them. */
function challenges(psid2: Bytes, ta: Bytes): { readonly digest: Bytes; readonly theta: (n: number) => Products } {
  const digest = H("rvole/theta0", psid2, ta)
  const at = (n: number, w: number): bigint => HS(Q, "rvole/theta", digest, u32be(n), u8(w))
  return { digest, theta: (n) => [at(n, 0), at(n, 1)] }
}

/**
 * The pads SHA-256(psid2 || u32le j || u8 w || column). The layout is fixed: 53 bytes, one compression, with N_C = 128. The pads are used
 * as integers modulo q.
 */
class Pads implements Disposable {
  // Begins 3 bytes into its buffer, so that the column at its end is aligned to words.
  readonly #buffer = new ArrayBuffer(40 + 4 * COLUMN_WORDS)
  readonly #input = new Uint8Array(this.#buffer, 3)
  readonly #column = new Uint32Array(this.#buffer, 40)

  constructor(psid2: Bytes) {
    this.#input.set(psid2)
  }

  /** The pads of OT j, whose column is XORed with `delta`, to out[at], out[at + 1] and so on. */
  hash(j: number, columns: Uint32Array, delta: Uint32Array, out: readonly WasmBytes[], at: number): void {
    const input = this.#input
    input[32] = j
    input[33] = j >>> 8
    input[34] = j >>> 16
    input[35] = j >>> 24
    const from = COLUMN_WORDS * j
    for (let i = 0; i < COLUMN_WORDS; i++) this.#column[i] = (columns[from + i] ?? 0) ^ (delta[i] ?? 0)
    for (let w = 0; w < WIDTH; w++) {
      const pad = out[at + w]
      if (pad === undefined) throw new RangeError("no place for a pad")
      input[36] = w
      sha256Into(input, pad)
    }
  }

  [Symbol.dispose](): void {
    this.#input.fill(0)
  }
}

const NO_DELTA = new Uint32Array(COLUMN_WORDS)

/** The 256-bit little-endian integer at word `at`. */
function read(words: BigUint64Array, at: number): bigint {
  const low = ((words[at + 1] ?? 0n) << 64n) | (words[at] ?? 0n)
  const high = ((words[at + 3] ?? 0n) << 64n) | (words[at + 2] ?? 0n)
  return (high << 128n) | low
}

// Both sides know the message, so the comparison need not be constant time.
function belowOrder(words: BigUint64Array, at: number): boolean {
  return (words[at + 3] ?? 0n) < TOP_OF_ORDER || read(words, at) < Q
}

/** The top 64 bits of q. */
const TOP_OF_ORDER = Q >> 192n
