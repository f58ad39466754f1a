/**
 * Points of the two curves in WebAssembly, for what is public: its time depends on the scalars. What is secret is noble's alone.
 *
 * Points are written into memory, doubled and added there by formulas without exceptional cases, and read again. A multiplication by
 * hundreds of bits is a loop over those two, here in JavaScript: a call costs a hundredth of an addition.
 */
import { bigToLe, leToBig } from "../bytes.ts"
import { type WasmBody, type WasmBytes, WasmModule } from "./wasm.ts"
import { RESIDUE_WORDS, WideWords, wordsOf } from "./wideWords.ts"

/**
 * X, Y, Z and T. Homogeneous: x = X/Z, y = Y/Z. T is XY/Z on the Edwards curve, and unused on the other, whose identity has Z = 0.
 */
export type Coordinates = readonly [bigint, bigint, bigint, bigint]

export interface WasmCurve {
  /** The field has p elements; 2^256 - c is a multiple of p, and c one word. */
  readonly p: bigint
  readonly c: bigint
  /** What the formulas multiply by. */
  readonly constant: bigint
  readonly generator: Coordinates
  readonly identity: Coordinates
  /** The coordinates whose signs differ between P and -P. */
  readonly negated: readonly number[]
  readonly double: Formula
  readonly add: Formula
  /** scalar * P as a sum of other points and shorter scalars, which may be negative, where the curve has a way to it. */
  readonly split: ((scalar: bigint) => readonly SplitScalar[]) | undefined
  /** Of the two parts of the thread's memory that are for curves. */
  readonly part: 0 | 1
}

interface SplitScalar {
  readonly scalar: bigint
  /** What the X of P is multiplied by, which makes another point of it. */
  readonly timesX: bigint
}

/** Steps of field arithmetic on named elements: `X1` to `T1` and `X2` to `T2` are the operands, `X3` to `T3` the result, `k` the constant, others temporary. */
type Formula = readonly (readonly [to: string, a: string, operation: "*" | "+" | "-", b: string])[]

/** "t = a * b; u = t + c", one step after the other. A result is written when no operand is read any more: it may be one of them. */
export const formula = (text: string): Formula =>
  text.split(";").map((step) => {
    const [, to = "", a = "", operation, b = ""] = /^\s*(\w+) = (\w+) ([*+-]) (\w+)\s*$/.exec(step) ?? []
    if (operation !== "*" && operation !== "+" && operation !== "-") throw new TypeError(`not a step: ${step}`)
    return [to, a, operation, b]
  })

const ELEMENT = 32
const POINT = 4 * ELEMENT
/** Behind what RVOLE has of the memory, in bytes; and the length of each part. */
const CURVES = 2 * 65536
const PART = 65536

/** Bits of a digit of a scalar: for points that come and go, and for the generator. A table has the odd multiples up to 2^(bits-1). */
const DIGIT = 5
const GENERATOR_DIGIT = 8
const tableLength = (bits: number): number => 1 << (bits - 2)
const TABLE = POINT * tableLength(DIGIT)
const GENERATOR_TABLE = POINT * tableLength(GENERATOR_DIGIT)
/** So many at once; more take turns. */
const MOST_POINTS = 32

/** Where things are in a curve's part. */
const TEMPORARY = 0
const MOST_TEMPORARY = 30
const ACCUMULATOR = ELEMENT * MOST_TEMPORARY
const OTHER = ACCUMULATOR + POINT
const GENERATOR_TABLES = OTHER + POINT
const TABLES = GENERATOR_TABLES + 2 * GENERATOR_TABLE

interface Part {
  readonly point: Coordinates
  readonly scalar: bigint
}

/** A point's table and its scalar's digits. */
interface ScalarDigits {
  readonly table: number
  readonly digits: readonly number[]
}

/** One curve, in this thread. */
export class WasmPoints {
  readonly #memory: WasmBytes
  readonly #curve: WasmCurve
  readonly #from: number
  readonly #functions: Record<(typeof FUNCTIONS)[number], (...addresses: readonly number[]) => void>

  constructor(curve: WasmCurve) {
    this.#curve = curve
    this.#from = CURVES + PART * curve.part
    const { memory, function: of } = makeModule(curve, this.#from).instantiate()
    this.#memory = memory
    this.#functions = { double: of("double"), add: of("add"), negate: of("negate") }
    this.#put(this.#from + TEMPORARY, curve.constant)
    this.#put(this.#from + TEMPORARY + ELEMENT, 0n)
    for (const [i, { point }] of this.#split(curve.generator, 1n).entries()) {
      this.#fill(this.#from + GENERATOR_TABLES + GENERATOR_TABLE * i, point, tableLength(GENERATOR_DIGIT))
    }
  }

  /** base * G + the sum of scalar * point; all scalars are public. */
  sum(base: bigint, points: readonly Coordinates[], scalars: readonly bigint[]): Coordinates {
    const parts = points.flatMap((point, i) => this.#split(point, scalars[i] ?? 0n))
    const generator = this.#split(this.#curve.generator, base).map(({ scalar }, i) => ({
      table: this.#from + GENERATOR_TABLES + GENERATOR_TABLE * i,
      digits: digitsOf(scalar, GENERATOR_DIGIT),
    }))
    return this.#sumOf(generator, parts)
  }

  #sumOf(generator: readonly ScalarDigits[], parts: readonly Part[], from = this.#curve.identity): Coordinates {
    const [now, later] = [parts.slice(0, MOST_POINTS), parts.slice(MOST_POINTS)]
    const before = later.length === 0 ? from : this.#sumOf([], later, from)
    const rows = now.map(({ point, scalar }, i): ScalarDigits => {
      const table = this.#from + TABLES + TABLE * i
      this.#fill(table, point, tableLength(DIGIT))
      return { table, digits: digitsOf(scalar, DIGIT) }
    })
    rows.push(...generator)
    const sum = this.#from + ACCUMULATOR
    this.#load(sum, this.#curve.identity)
    let isIdentity = true
    for (let bit = Math.max(0, ...rows.map(({ digits }) => digits.length)) - 1; bit >= 0; bit--) {
      if (!isIdentity) this.#functions.double(sum, sum)
      for (const { table, digits } of rows) {
        const digit = digits[bit] ?? 0
        if (digit === 0) continue
        this.#addMultiple(sum, table, digit)
        isIdentity = false
      }
    }
    const other = this.#from + OTHER
    this.#load(other, before)
    this.#functions.add(sum, sum, other)
    return this.#read(sum)
  }

  #split(point: Coordinates, scalar: bigint): readonly Part[] {
    const { p, split } = this.#curve
    if (split === undefined) return [{ point, scalar }]
    const [x, y, z, t] = point
    return split(scalar).map((part) => ({ scalar: part.scalar, point: [(x * part.timesX) % p, y, z, t] }))
  }

  /** sum += digit * P for the table of P; the digit is odd. */
  #addMultiple(sum: number, table: number, digit: number): void {
    const multiple = table + POINT * (Math.abs(digit) >> 1)
    if (digit > 0) return this.#functions.add(sum, sum, multiple)
    const other = this.#from + OTHER
    this.#functions.negate(other, multiple)
    this.#functions.add(sum, sum, other)
  }

  /** P, 3P, 5P and so on. */
  #fill(table: number, point: Coordinates, count: number): void {
    const twice = this.#from + OTHER
    this.#load(table, point)
    this.#functions.double(twice, table)
    for (let i = 1; i < count; i++) this.#functions.add(table + POINT * i, table + POINT * (i - 1), twice)
  }

  #load(to: number, point: Coordinates): void {
    point.forEach((coordinate, i) => void this.#put(to + ELEMENT * i, coordinate))
  }

  #read(from: number): Coordinates {
    const at = (i: number): bigint => this.#element(from + ELEMENT * i)
    return [at(0), at(1), at(2), at(3)]
  }

  #put(to: number, value: bigint): void {
    this.#memory.set(bigToLe(value, ELEMENT), to)
  }

  #element(from: number): bigint {
    return leToBig(this.#memory.subarray(from, from + ELEMENT)) % this.#curve.p
  }
}

const FUNCTIONS = ["double", "add", "negate"] as const

/**
 * Signed digits of `scalar`, the lowest bit first: each is 0 or odd and of fewer than `bits` bits besides its sign, and of any `bits`
 * in a row at most one is not 0.
 */
function digitsOf(scalar: bigint, bits: number): readonly number[] {
  // From here on small numbers: shifting a BigInt for each bit would cost as much as a tenth of the sum.
  const [sign, binary] = scalar < 0n ? [-1, (-scalar).toString(2)] : [1, scalar.toString(2)]
  const bitAt = (i: number): number => (binary.charCodeAt(binary.length - 1 - i) === ONE ? 1 : 0)
  const digits: number[] = []
  let carry = 0
  for (let i = 0; i < binary.length || carry === 1; ) {
    if (bitAt(i) === carry) {
      // 0, or 2: the carry goes on.
      digits.push(0)
      i++
      continue
    }
    let low = carry
    for (let k = 0; k < bits; k++) low += bitAt(i + k) * (1 << k)
    carry = low >> (bits - 1)
    digits.push(sign * (low - (carry << bits)))
    for (let k = 1; k < bits; k++) digits.push(0)
    i += bits
  }
  return digits
}

const ONE = "1".charCodeAt(0)

function makeModule(curve: WasmCurve, from: number): WasmModule {
  const made = new WasmModule()
  const c = wordsOf(curve.c)
  const binary = (write: (wide: WideWords, a: readonly [Wide4, Wide4]) => void) => (body: WasmBody) => {
    const wide = new WideWords(body)
    const [a, b] = [body.words(RESIDUE_WORDS), body.words(RESIDUE_WORDS)]
    wide.load(body.parameter(1), 0, a)
    wide.load(body.parameter(2), 0, b)
    write(wide, [a, b])
    wide.store(a, body.parameter(0), 0)
  }
  const mul = made.define(
    "mul",
    3,
    binary((wide, [a, b]) => {
      const product = wide.body.words(2 * RESIDUE_WORDS)
      wide.addProduct(product, a, b)
      wide.fold(product, 512, c, a)
    }),
  )
  const add = made.define(
    "fieldAdd",
    3,
    binary((wide, [a, b]) => {
      const sum = [...a, wide.body.word()]
      wide.add(sum, b)
      wide.fold(sum, 257, c, a)
    }),
  )
  const sub = made.define(
    "fieldSub",
    3,
    binary((wide, [a, b]) => {
      // With twice 2^256 - c before it, the difference is not negative.
      const difference = [...a, wide.body.word()]
      wide.addConstant(difference, wordsOf(2n * ((1n << 256n) - curve.c)))
      wide.sub(difference, b)
      wide.fold(difference, 258, c, a)
    }),
  )
  const functions = { "*": mul, "+": add, "-": sub }
  const write = (steps: Formula, operands: 1 | 2) => (body: WasmBody) =>
    writeFormula(body, steps, operands, functions, from)
  made.define("double", 2, write(curve.double, 1))
  made.define("add", 3, write(curve.add, 2))
  const signs = ["X", "Y", "Z", "T"].map((name, i) => {
    const isNegated = curve.negated.includes(i)
    return isNegated ? `${name}3 = zero - ${name}1` : `${name}3 = ${name}1 + zero`
  })
  made.define("negate", 2, write(formula(signs.join(";")), 1))
  return made
}

type Wide4 = ReturnType<WasmBody["words"]>

function writeFormula(
  body: WasmBody,
  steps: Formula,
  operands: 1 | 2,
  functions: Record<"*" | "+" | "-", Parameters<WasmBody["call"]>[0]>,
  from: number,
): void {
  const temporary = new Map([
    ["k", 0],
    ["zero", 1],
  ])
  const push = (name: string): void => {
    const [, coordinate, number] = /^([XYZT])([123])$/.exec(name) ?? []
    if (coordinate !== undefined) {
      const parameter = number === "3" ? 0 : Number(number)
      if (parameter > operands) throw new TypeError(`no operand ${name}`)
      body
        .get(body.parameter(parameter))
        .address(ELEMENT * "XYZT".indexOf(coordinate))
        .add32()
      return
    }
    const known = temporary.get(name) ?? temporary.size
    temporary.set(name, known)
    if (known >= MOST_TEMPORARY) throw new RangeError("too many temporary elements")
    body.address(from + TEMPORARY + ELEMENT * known)
  }
  for (const [to, a, operation, b] of steps) {
    for (const name of [to, a, b]) push(name)
    body.call(functions[operation])
  }
}
