/**
 * The arithmetic of RVOLE modulo the order q of secp256k1, for all OTs of one product at a time (threshold.md 5.5, 5.6). Pads are as secret
 * as keys, so all of it is constant time, and secrets are only in the module's memory, which is wiped.
 *
 * The caller hashes the pads into the memory of a WebAssembly module, whose four functions do the rest. Integers in memory are
 * little-endian. Pads are arbitrary 256-bit numbers; all other numbers are canonical.
 */
import { type Bytes, bigToLe, leToBig } from "../bytes.ts"
import { K1 } from "./curve.ts"
import { XI } from "./parameters.ts"
import { type Local, type WasmBody, type WasmBytes, WasmModule } from "./wasm.ts"
import { at, RESIDUE_WORDS, type Wide, WideWords, wordsOf } from "./wideWords.ts"

/** Numbers per OT: for the nonce share, the key share and the check. */
export const WIDTH = 3
export const SCALAR = 32
const Q = K1.order
/** 2^256 - q, which is 2^256 modulo q. */
const C = wordsOf((1n << 256n) - Q)
/** Bytes of an entry of SUMMANDS, which is below 2^320. */
const SUMMAND = 40
const CHOICES = 4 * Math.ceil(XI / 32)

/** The layout of the module's memory: offsets in bytes. */
const PADS = 0
const OTHERS = PADS + XI * WIDTH * SCALAR
const GADGET = OTHERS + XI * WIDTH * SCALAR
const CHECKS = GADGET + XI * SCALAR
const SUMMANDS = CHECKS + XI * SCALAR
const THETA = SUMMANDS + WIDTH * SUMMAND
const ETAP = THETA + 2 * SCALAR
const SUMS = ETAP + SCALAR
const BITS = SUMS + 2 * SCALAR
const END = BITS + CHOICES

/**
 * The arithmetic of one product. All products of a thread share its memory, so a product must be finished or dropped before the next
 * begins.
 */
export class RvoleKernel implements Disposable {
  readonly #memory: WasmBytes
  readonly #part: (at: number, length: number) => WasmBytes
  readonly #functions: Record<(typeof FUNCTIONS)[number], () => void>
  /** Entry WIDTH * j + w is the place for pad w of OT j. */
  readonly pads: readonly WasmBytes[]
  /** The places for the flipped pads, in the same order; `mask` replaces them by ta. */
  readonly flipped: readonly WasmBytes[]
  /** The same areas as one array each: the pads, ta, and the checks. */
  readonly allPads: WasmBytes
  readonly ta: WasmBytes
  readonly checks: WasmBytes

  constructor() {
    const instance = makeModule().instantiate()
    this.#memory = instance.memory
    this.#part = (at, length) => this.#memory.subarray(at, at + length)
    const [mask, choose, combine, select] = FUNCTIONS.map((name) => instance.function(name))
    if (!mask || !choose || !combine || !select) throw new TypeError("a function is missing")
    this.#functions = { mask, choose, combine, select }
    const each = (from: number) => Array.from({ length: XI * WIDTH }, (_, i) => this.#part(from + SCALAR * i, SCALAR))
    this.pads = each(PADS)
    this.flipped = each(OTHERS)
    this.allPads = this.#part(PADS, XI * WIDTH * SCALAR)
    this.ta = this.#part(OTHERS, XI * WIDTH * SCALAR)
    this.checks = this.#part(CHECKS, XI * SCALAR)
  }

  /** Computes ta = pads - flipped + input w mod q, canonical. */
  mask(inputs: readonly bigint[]): void {
    // Adds 2q, because the difference of two pads may be down to -2^256 and the sum must not be negative.
    for (const [w, input] of inputs.entries()) this.#put(SUMMANDS + SUMMAND * w, input + 2n * Q, SUMMAND)
    this.#functions.mask()
    this.#part(SUMMANDS, WIDTH * SUMMAND).fill(0)
  }

  /**
   * Replaces the pads by y: if the OT's bit is set, adds ta, and subtracts etap from the number with w = 2. Congruent, not canonical.
   */
  choose(choices: Uint32Array, etap: Uint8Array): void {
    this.#put(ETAP, K1.mod(-leToBig(etap)), SCALAR)
    this.#load(choices)
    this.#functions.choose()
  }

  /** Computes checks = y_2 + theta_0 y_0 + theta_1 y_1 mod q for every OT. Returns the sums of g_j y_w mod q for w = 0 and 1. */
  combine(gadget: Bytes, theta: readonly [bigint, bigint]): readonly [bigint, bigint] {
    this.#memory.set(gadget, GADGET)
    for (const w of [0, 1] as const) this.#put(THETA + SCALAR * w, theta[w], SCALAR)
    this.#functions.combine()
    const sum = (w: number): bigint => leToBig(this.#part(SUMS + SCALAR * w, SCALAR))
    return [sum(0), sum(1)]
  }

  /** The sum mod q of the gadget entries whose bit is set. */
  select(gadget: Bytes, choices: Uint32Array): bigint {
    this.#memory.set(gadget, GADGET)
    this.#load(choices)
    this.#functions.select()
    return leToBig(this.#part(SUMS, SCALAR))
  }

  [Symbol.dispose](): void {
    this.#memory.fill(0, 0, END)
  }

  /** Sets the XI choice bits. */
  #load(choices: Uint32Array): void {
    for (let i = 0; i < CHOICES / 4; i++) {
      const word = choices[i] ?? 0
      for (let byte = 0; byte < 4; byte++) this.#memory[BITS + 4 * i + byte] = word >>> (8 * byte)
    }
  }

  #put(to: number, value: bigint, length: number): void {
    const bytes = bigToLe(value, length)
    this.#memory.set(bytes, to)
    bytes.fill(0)
  }
}

const FUNCTIONS = ["mask", "choose", "combine", "select"] as const

let kernel: RvoleKernel | undefined

/** The kernel of this thread, made at the first use. A caller must dispose it before the next caller takes it. */
export function rvoleKernel(): RvoleKernel {
  kernel ??= new RvoleKernel()
  return kernel
}

function makeModule(): WasmModule {
  const made = new WasmModule()
  made.define("mask", 0, writeMask)
  made.define("choose", 0, writeChoose)
  made.define("combine", 0, writeCombine)
  made.define("select", 0, writeSelect)
  return made
}

/** Emits a loop that runs `inner` for every OT j. `at(step)` is a variable with the value step * j. */
function forEachOt(body: WasmBody, inner: (j: Local, at: (step: number) => Local) => void): void {
  const j = body.counter()
  const addresses = new Map<number, Local>()
  const address = (step: number): Local => {
    const known = addresses.get(step) ?? body.counter()
    addresses.set(step, known)
    return known
  }
  body.repeat(j, XI, () => {
    inner(j, address)
    for (const [step, local] of addresses) body.get(local).address(step).add32().set(local)
  })
}

function writeMask(body: WasmBody): void {
  const wide = new WideWords(body)
  const zero = body.counter()
  const difference = body.words(RESIDUE_WORDS + 1)
  const other = body.words(RESIDUE_WORDS)
  const summands = Array.from({ length: WIDTH }, (_, w) => {
    const words = body.words(SUMMAND / 8)
    wide.load(zero, SUMMANDS + SUMMAND * w, words)
    return words
  })
  forEachOt(body, (_, address) => {
    const ot = address(WIDTH * SCALAR)
    summands.forEach((summand, w) => {
      wide.copy(summand, difference)
      wide.load(ot, PADS + SCALAR * w, other)
      wide.add(difference, other)
      wide.load(ot, OTHERS + SCALAR * w, other)
      wide.sub(difference, other)
      wide.fold(difference, 259, C, other)
      wide.canonical(other, C)
      wide.store(other, ot, OTHERS + SCALAR * w)
    })
  })
}

/** Sets `mask` to all ones if bit j is set, otherwise to 0. Leaves the stack as it is. */
function loadMask(body: WasmBody, j: Local, mask: Local): void {
  // Bit j is in the word at byte 4 * (j >> 5).
  body.constant(0n).get(j).address(5).shiftRight32().address(2).shiftLeft32().load32(BITS)
  body.get(j).address(31).and32().shiftRight32().address(1).and32().extend().sub().set(mask)
}

function writeChoose(body: WasmBody): void {
  const wide = new WideWords(body)
  const zero = body.counter()
  const mask = body.word()
  const y = body.words(RESIDUE_WORDS + 1)
  const residue = y.slice(0, RESIDUE_WORDS)
  const top = at(y, RESIDUE_WORDS)
  const added = body.words(RESIDUE_WORDS)
  const etap = body.words(RESIDUE_WORDS)
  wide.load(zero, ETAP, etap)
  const plus = (summand: Wide): void => {
    body.constant(0n).set(top)
    wide.addMasked(y, summand, mask)
    wide.fold(y, 257, C, residue)
  }
  forEachOt(body, (j, address) => {
    const ot = address(WIDTH * SCALAR)
    loadMask(body, j, mask)
    for (let w = 0; w < WIDTH; w++) {
      wide.load(ot, PADS + SCALAR * w, residue)
      wide.load(ot, OTHERS + SCALAR * w, added)
      plus(added)
      if (w === 2) plus(etap)
      wide.store(residue, ot, PADS + SCALAR * w)
    }
  })
}

/** Words of a sum of XI products. */
const SUM_WORDS = 9
const SUM_BITS = 512 + XI.toString(2).length

function writeCombine(body: WasmBody): void {
  const wide = new WideWords(body)
  const zero = body.counter()
  const theta = [body.words(RESIDUE_WORDS), body.words(RESIDUE_WORDS)]
  theta.forEach((words, w) => void wide.load(zero, THETA + SCALAR * w, words))
  const sums = [body.words(SUM_WORDS), body.words(SUM_WORDS)]
  const check = body.words(SUM_WORDS)
  const y = body.words(RESIDUE_WORDS)
  const g = body.words(RESIDUE_WORDS)
  forEachOt(body, (_, address) => {
    const ot = address(WIDTH * SCALAR)
    const number = address(SCALAR)
    wide.clear(check)
    wide.load(ot, PADS + 2 * SCALAR, check.slice(0, RESIDUE_WORDS))
    wide.load(number, GADGET, g)
    for (const [w, sum] of sums.entries()) {
      wide.load(ot, PADS + SCALAR * w, y)
      wide.addProduct(check, y, theta[w] ?? [])
      wide.addProduct(sum, y, g)
    }
    wide.fold(check, 514, C, y)
    wide.canonical(y, C)
    wide.store(y, number, CHECKS)
  })
  sums.forEach((sum, w) => {
    wide.fold(sum, SUM_BITS, C, y)
    wide.canonical(y, C)
    wide.store(y, zero, SUMS + SCALAR * w)
  })
}

function writeSelect(body: WasmBody): void {
  const wide = new WideWords(body)
  const zero = body.counter()
  const mask = body.word()
  const sum = body.words(RESIDUE_WORDS + 1)
  const g = body.words(RESIDUE_WORDS)
  forEachOt(body, (j, address) => {
    loadMask(body, j, mask)
    wide.load(address(SCALAR), GADGET, g)
    wide.addMasked(sum, g, mask)
  })
  wide.fold(sum, 256 + XI.toString(2).length, C, g)
  wide.canonical(g, C)
  wide.store(g, zero, SUMS)
}
