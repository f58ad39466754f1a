/**
 * The arithmetic of RVOLE modulo the order q of secp256k1, a product's worth of OTs at a time (threshold.md 5.5, 5.6). Pads are as secret
 * as keys: this is constant time, and leaves nothing behind but its memory, which is wiped.
 *
 * The pads are hashed into the memory of a WebAssembly module, and its four functions do the rest. Integers in memory are little-endian;
 * pads are any 256-bit numbers, everything else is canonical.
 */
import { type Bytes, bigToLe, leToBig } from "../bytes.ts"
import { K1 } from "./curve.ts"
import { XI } from "./parameters.ts"
import { type Local, type WasmBody, type WasmBytes, WasmModule } from "./wasm.ts"
import { at, RESIDUE_WORDS, type Wide, WideWords, wordsOf } from "./wideWords.ts"

/** Nonce share, key share, check: numbers per OT. */
export const WIDTH = 3
export const SCALAR = 32
const Q = K1.order
/** 2^256 - q: what 2^256 is worth. */
const C = wordsOf((1n << 256n) - Q)
/** Bytes of a summand, which is below 2^320. */
const SUMMAND = 40
const CHOICES = 4 * Math.ceil(XI / 32)

/** Where things are in the module's memory. */
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

/** One product. Its memory is shared by all that this thread makes: a product is finished, or left, in one go. */
export class RvoleKernel implements Disposable {
  readonly #memory: WasmBytes
  readonly #part: (at: number, length: number) => WasmBytes
  readonly #functions: Record<(typeof FUNCTIONS)[number], () => void>
  /** Where pad w of OT j is hashed to: number WIDTH * j + w. */
  readonly pads: readonly WasmBytes[]
  /** Where the flipped pads are hashed to; afterwards ta. */
  readonly flipped: readonly WasmBytes[]
  /** All of these as one: the pads, the flipped ones or ta, the checks. */
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

  /** ta = pads - flipped + input w mod q, canonical. */
  mask(inputs: readonly bigint[]): void {
    // 2q: the difference of two pads is above -2^256, and the sum must not be negative.
    for (const [w, input] of inputs.entries()) this.#put(SUMMANDS + SUMMAND * w, input + 2n * Q, SUMMAND)
    this.#functions.mask()
    this.#part(SUMMANDS, WIDTH * SUMMAND).fill(0)
  }

  /** Pads become y: pad + ta under the OT's bit, and number 2 less etap under the bit; congruent, not canonical. */
  choose(choices: Uint32Array, etap: Uint8Array): void {
    this.#put(ETAP, K1.mod(-leToBig(etap)), SCALAR)
    this.#load(choices)
    this.#functions.choose()
  }

  /** checks = y_2 + theta_0 y_0 + theta_1 y_1 mod q for every OT; answers the sums of g_j y_w mod q for w = 0 and 1. */
  combine(gadget: Bytes, theta: readonly [bigint, bigint]): readonly [bigint, bigint] {
    this.#memory.set(gadget, GADGET)
    for (const w of [0, 1] as const) this.#put(THETA + SCALAR * w, theta[w], SCALAR)
    this.#functions.combine()
    const sum = (w: number): bigint => leToBig(this.#part(SUMS + SCALAR * w, SCALAR))
    return [sum(0), sum(1)]
  }

  /** The sum of the gadget's numbers whose bit is set, mod q. */
  select(gadget: Bytes, choices: Uint32Array): bigint {
    this.#memory.set(gadget, GADGET)
    this.#load(choices)
    this.#functions.select()
    return leToBig(this.#part(SUMS, SCALAR))
  }

  [Symbol.dispose](): void {
    this.#memory.fill(0, 0, END)
  }

  /** XI bits. */
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

/** This thread's, made at the first use. Whoever takes it disposes of it before anybody else can. */
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

/** Runs `inner` for every OT; `address` is then SCALAR * j or, with its own step, another multiple of j. */
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

/** Pushes nothing; `mask` is all ones where bit j is set, else 0. */
function loadMask(body: WasmBody, j: Local, mask: Local): void {
  // The word of bit j begins at byte 4 * (j >> 5).
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
