/**
 * Sums of points of the two curves in WebAssembly. For public values only, because its time depends on the scalars; noble computes with
 * secrets.
 *
 * Points are written into memory, doubled and added there by complete formulas, and read again. The loop over the bits of a scalar is here
 * in JavaScript, because a call costs only a hundredth of an addition.
 */
import { bigToLe } from "../bytes.ts"
import { type WasmBody, WasmModule } from "./wasm.ts"
import { RESIDUE_WORDS, WideWords, wordsOf } from "./wideWords.ts"

/**
 * The homogeneous coordinates X, Y, Z and T: x = X/Z, y = Y/Z. T = XY/Z on the Edwards curve. On secp256k1 T is unused, and the identity
 * has Z = 0.
 */
export type Coordinates = readonly [bigint, bigint, bigint, bigint]

export interface WasmCurve {
  /** The field has p elements. 2^256 - c is a multiple of p, and c fits one word. */
  readonly p: bigint
  readonly c: bigint
  /** The constant `k` of the formulas. */
  readonly constant: bigint
  readonly generator: Coordinates
  readonly identity: Coordinates
  /** The coordinates whose sign changes from P to -P. */
  readonly negated: readonly number[]
  readonly double: Formula
  readonly add: Formula
  /** X3 is a square root of X1 if X1 has one; absent where nobody asks for it. */
  readonly root: Formula | undefined
  /** Splits scalar * P into a sum with shorter scalars, which may be negative; absent if the curve has no endomorphism for that. */
  readonly split: ((scalar: bigint) => readonly SplitScalar[]) | undefined
  /** Which of the two curve areas in the thread's memory belongs to this curve. */
  readonly part: 0 | 1
}

interface SplitScalar {
  readonly scalar: bigint
  /** A factor for the X coordinate of P, which gives the point that the endomorphism maps P to. */
  readonly timesX: bigint
}

/**
 * Steps of field arithmetic on named elements: `X1` to `T1` and `X2` to `T2` are the operands, `X3` to `T3` the result, `k` as a second
 * factor is the constant, `zero` is 0, others are temporary. "a ^ 5" squares five times.
 */
type Formula = readonly (readonly [to: string, a: string, operation: "*" | "+" | "-" | "^", b: string])[]

/** Parses steps such as "t = a * b; u = t + c". A step reads its operands before it writes the result, so the result may be an operand. */
export const formula = (text: string): Formula =>
  text.split(";").map((step) => {
    const [, to = "", a = "", operation, b = ""] = /^\s*(\w+) = (\w+) ([*+^-]) (\w+)\s*$/.exec(step) ?? []
    if (operation !== "*" && operation !== "+" && operation !== "-" && operation !== "^")
      throw new TypeError(`not a step: ${step}`)
    return [to, a, operation, b]
  })

const ELEMENT = 32
const POINT = 4 * ELEMENT
/** Offset of the first curve area, after the memory of RVOLE, and the length of an area; in bytes. */
const CURVES = 2 * 65536
const PART = 65536

/** Bits of a digit of a scalar, for arbitrary points and for the generator. A table holds the odd multiples up to 2^(bits-1). */
const DIGIT = 5
const GENERATOR_DIGIT = 8
const tableLength = (bits: number): number => 1 << (bits - 2)
const TABLE = POINT * tableLength(DIGIT)
const GENERATOR_TABLE = POINT * tableLength(GENERATOR_DIGIT)
/** The most points in one pass; more points take several passes. */
const MOST_POINTS = 32

/** The layout of a curve's area: offsets in bytes. */
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

/** The table of a point and the digits of its scalar. */
interface ScalarDigits {
  readonly table: number
  readonly digits: Int8Array
}

/** The arithmetic of one curve in this thread. */
export class WasmPoints {
  readonly #view: DataView
  readonly #curve: WasmCurve
  readonly #from: number
  readonly #functions: Record<(typeof FUNCTIONS)[number], (...addresses: readonly number[]) => void>

  constructor(curve: WasmCurve) {
    this.#curve = curve
    this.#from = CURVES + PART * curve.part
    const { memory, function: of } = makeModule(curve, this.#from).instantiate()
    this.#view = new DataView(memory.buffer)
    this.#functions = { double: of("double"), add: of("add"), negate: of("negate"), root: of("root") }
    this.#put(this.#from + TEMPORARY, 0n)
    for (const [i, { point }] of this.#split(curve.generator, 1n).entries()) {
      this.#fill(this.#from + GENERATOR_TABLES + GENERATOR_TABLE * i, point, tableLength(GENERATOR_DIGIT))
    }
  }

  /** base * G + sum of scalars[i] * points[i]. All scalars are public. */
  sum(base: bigint, points: readonly Coordinates[], scalars: readonly bigint[]): Coordinates {
    const parts = points.flatMap((point, i) => this.#split(point, scalars[i] ?? 0n))
    const generator = this.#split(this.#curve.generator, base).map(({ scalar }, i) => ({
      table: this.#from + GENERATOR_TABLES + GENERATOR_TABLE * i,
      digits: digitsOf(scalar, GENERATOR_DIGIT),
    }))
    return this.#sumOf(generator, parts)
  }

  /** A square root of `square` if there is one, and some number if there is none: the caller checks. */
  root(square: bigint): bigint {
    const at = this.#from + OTHER
    this.#put(at, square)
    this.#functions.root(at, at)
    return this.#element(at)
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

  /** Adds digit * P to the sum, from the table of P. The digit must be odd. */
  #addMultiple(sum: number, table: number, digit: number): void {
    const multiple = table + POINT * (Math.abs(digit) >> 1)
    if (digit > 0) return this.#functions.add(sum, sum, multiple)
    const other = this.#from + OTHER
    this.#functions.negate(other, multiple)
    this.#functions.add(sum, sum, other)
  }

  /** Writes the table P, 3P, 5P and so on. */
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

  /** `value` is of the field. */
  #put(to: number, value: bigint): void {
    for (let at = 0, rest = value; at < ELEMENT; at += 8, rest >>= 64n) this.#view.setBigUint64(to + at, rest, true)
  }

  #element(from: number): bigint {
    let value = 0n
    for (let at = ELEMENT - 8; at >= 0; at -= 8) value = (value << 64n) | this.#view.getBigUint64(from + at, true)
    return value % this.#curve.p
  }
}

const FUNCTIONS = ["double", "add", "negate", "root"] as const

/** Bytes of a scalar, besides its sign. */
const SCALAR = 32

/**
 * The non-adjacent form of `scalar` with width `bits` (wNAF), lowest bit first: each digit is 0 or odd, its absolute value is below
 * 2^(bits-1), and of any `bits` consecutive digits at most one is not 0. `bits` is at most 8. Throws RangeError for a scalar of more
 * than 256 bits.
 */
function digitsOf(scalar: bigint, bits: number): ScalarDigits["digits"] {
  // Uses small numbers from here on, because shifting a BigInt for each bit would cost a tenth of the whole sum.
  const [sign, bytes] = scalar < 0n ? [-1, bigToLe(-scalar, SCALAR)] : [1, bigToLe(scalar, SCALAR)]
  // The last carry is at most `bits` above the highest bit.
  const digits = new Int8Array(8 * SCALAR + 8)
  let [length, carry] = [0, 0]
  for (let i = 0; i < digits.length; ) {
    const at = i >> 3
    const window = ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)) >> (i & 7)
    if ((window & 1) === carry) {
      // The sum is 0 or 2: the carry stays as it is.
      i++
      continue
    }
    const low = (window & ((1 << bits) - 1)) + carry
    carry = low >> (bits - 1)
    digits[i] = sign * (low - (carry << bits))
    length = i + 1
    i += bits
  }
  return digits.slice(0, length)
}

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
      wide.product(product, a, b)
      wide.fold(product, 512, c, a)
    }),
  )
  // On secp256k1 the constant is one word, and this costs a third of `mul`.
  const timesConstant = made.define("timesConstant", 2, (body) => {
    const wide = new WideWords(body)
    const a = body.words(RESIDUE_WORDS)
    wide.load(body.parameter(1), 0, a)
    const constant = wordsOf(curve.constant).map((value) => {
      const word = body.word()
      body.constant(value).set(word)
      return word
    })
    const product = body.words(RESIDUE_WORDS + constant.length)
    wide.product(product, a, constant)
    wide.fold(product, 256 + curve.constant.toString(2).length, c, a)
    wide.store(a, body.parameter(0), 0)
  })
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
      // Adds 2 * (2^256 - c) first, so that the difference is not negative.
      const difference = [...a, wide.body.word()]
      wide.addConstant(difference, wordsOf(2n * ((1n << 256n) - curve.c)))
      wide.sub(difference, b)
      wide.fold(difference, 258, c, a)
    }),
  )
  const functions = { "*": mul, "+": add, "-": sub, timesConstant }
  const write = (steps: Formula, operands: 1 | 2) => (body: WasmBody) =>
    writeFormula(body, steps, operands, functions, from)
  made.define("double", 2, write(curve.double, 1))
  made.define("add", 3, write(curve.add, 2))
  const signs = ["X", "Y", "Z", "T"].map((name, i) => {
    const isNegated = curve.negated.includes(i)
    return isNegated ? `${name}3 = zero - ${name}1` : `${name}3 = ${name}1 + zero`
  })
  made.define("negate", 2, write(formula(signs.join(";")), 1))
  made.define("root", 2, write(curve.root ?? [], 1))
  return made
}

type Wide4 = ReturnType<WasmBody["words"]>

function writeFormula(
  body: WasmBody,
  steps: Formula,
  operands: 1 | 2,
  functions: Record<"*" | "+" | "-" | "timesConstant", Parameters<WasmBody["call"]>[0]>,
  from: number,
): void {
  const temporary = new Map([["zero", 0]])
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
    if (name === "k") throw new TypeError("the constant is a second factor, and nothing else")
    const known = temporary.get(name) ?? temporary.size
    temporary.set(name, known)
    if (known >= MOST_TEMPORARY) throw new RangeError("too many temporary elements")
    body.address(from + TEMPORARY + ELEMENT * known)
  }
  const counter = body.counter()
  for (const [to, a, operation, b] of steps) {
    if (operation === "^") {
      for (const name of [to, a, a]) push(name)
      body.call(functions["*"])
      const more = Number(b) - 1
      if (more === 0) continue
      body.repeat(counter, more, () => {
        for (const name of [to, to, to]) push(name)
        body.call(functions["*"])
      })
      continue
    }
    const isTimesConstant = operation === "*" && b === "k"
    for (const name of isTimesConstant ? [to, a] : [to, a, b]) push(name)
    body.call(functions[isTimesConstant ? "timesConstant" : operation])
  }
}
