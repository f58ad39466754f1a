/**
 * A WebAssembly module written down in TypeScript: what is run is made from these sources at the first use, and no compiled
 * file is in the repository. It knows the few instructions that arithmetic on 64-bit words needs; integer
 * additions and multiplications take the same time for all operands, which BigInt's do not.
 *
 * The instructions for 128-bit sums and products are WebAssembly's "wide arithmetic", which the pinned runtime has.
 */
import { type Bytes, utf8 } from "../bytes.ts"

declare const localOf: unique symbol
/** A local variable or parameter: of 64 bits, or a 32-bit address or count. */
export interface Local {
  readonly index: number
  readonly [localOf]: "i32" | "i64"
}
declare const functionOf: unique symbol
interface Func {
  readonly index: number
  readonly [functionOf]: true
}

const I32 = 0x7f
const I64 = 0x7e

/** The instructions of one function, in their order. Values are on a stack: operands are pushed before an operation. */
export class WasmBody {
  readonly #code: number[] = []
  readonly #types: number[] = []

  constructor(readonly parameters: number) {}

  /** Parameter `index`: an address or a count. */
  parameter(index: number): Local {
    if (index >= this.parameters) throw new RangeError(`a function of ${this.parameters} parameters`)
    return local(index)
  }

  /** A new 64-bit variable, zero at first. */
  word(): Local {
    return this.#local(I64)
  }

  words(count: number): readonly Local[] {
    return Array.from({ length: count }, () => this.word())
  }

  /** A new 32-bit variable, zero at first. */
  counter(): Local {
    return this.#local(I32)
  }

  get(...locals: readonly Local[]): this {
    for (const { index } of locals) this.#emit(0x20, ...leb(index))
    return this
  }
  set(to: Local): this {
    return this.#emit(0x21, ...leb(to.index))
  }
  constant(value: bigint): this {
    return this.#emit(0x42, ...signedLeb(BigInt.asIntN(64, value)))
  }
  address(value: number): this {
    return this.#emit(0x41, ...signedLeb(BigInt(value)))
  }

  /** Pushes the 64-bit word at the address on the stack plus `offset`. */
  load(offset: number): this {
    return this.#emit(0x29, 3, ...leb(offset))
  }
  /** The same for a 32-bit word. */
  load32(offset: number): this {
    return this.#emit(0x28, 2, ...leb(offset))
  }
  /** Address, value. */
  store(offset: number): this {
    return this.#emit(0x37, 3, ...leb(offset))
  }

  add(): this {
    return this.#emit(0x7c)
  }
  sub(): this {
    return this.#emit(0x7d)
  }
  mul(): this {
    return this.#emit(0x7e)
  }
  and(): this {
    return this.#emit(0x83)
  }
  or(): this {
    return this.#emit(0x84)
  }
  xor(): this {
    return this.#emit(0x85)
  }
  /** Unsigned shift. */
  shiftRight(): this {
    return this.#emit(0x88)
  }
  add32(): this {
    return this.#emit(0x6a)
  }
  and32(): this {
    return this.#emit(0x71)
  }
  shiftLeft32(): this {
    return this.#emit(0x74)
  }
  shiftRight32(): this {
    return this.#emit(0x76)
  }
  /** 32 bits to 64, unsigned. */
  extend(): this {
    return this.#emit(0xad)
  }
  /** Low and high word of a, low and high word of b: those of a + b. */
  add128(): this {
    return this.#emit(0xfc, 0x13)
  }
  /** The same of a - b. */
  sub128(): this {
    return this.#emit(0xfc, 0x14)
  }
  /** Two words: low and high word of their product. */
  mulWide(): this {
    return this.#emit(0xfc, 0x16)
  }
  call(func: Func): this {
    return this.#emit(0x10, ...leb(func.index))
  }

  /** `inner` so many times, with `counter` from 0 up; `times` is a constant or a parameter, and at least 1. */
  repeat(counter: Local, times: number | Local, inner: () => void): this {
    this.address(0).set(counter).#emit(0x03, 0x40)
    inner()
    this.get(counter).address(1).add32().set(counter).get(counter)
    if (typeof times === "number") this.address(times)
    else this.get(times)
    // counter < times: once more
    return this.#emit(0x49, 0x0d, 0, 0x0b)
  }

  /** Local declarations and code, as they stand in the module. */
  encode(): readonly number[] {
    const declared = this.#types.flatMap((type) => [1, type])
    const all = [...leb(this.#types.length), ...declared, ...this.#code, 0x0b]
    return [...leb(all.length), ...all]
  }

  #local(type: number): Local {
    this.#types.push(type)
    return local(this.parameters + this.#types.length - 1)
  }

  #emit(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#code.push(byte)
    return this
  }
}

/** Functions over the thread's memory, which all are exported by name; parameters are 32-bit, results are in memory. */
export class WasmModule {
  readonly #bodies: { readonly name: string; readonly body: WasmBody }[] = []

  /** Adds a function; it may call those added before it. */
  define(name: string, parameters: number, write: (body: WasmBody) => void): Func {
    const body = new WasmBody(parameters)
    write(body)
    this.#bodies.push({ name, body })
    return func(this.#bodies.length - 1)
  }

  /** In this thread, over its memory. */
  instantiate(): WasmInstance {
    const memory = threadMemory()
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(this.#encode()), { m: { m: memory } })
    return {
      memory: new Uint8Array(memory.buffer),
      function(name) {
        const exported = exports[name]
        if (typeof exported !== "function") throw new TypeError(`no function ${name}`)
        return (...parameters) => void exported(...parameters)
      },
    }
  }

  #encode(): Bytes {
    const bodies = this.#bodies
    const name = (text: string) => [...leb(text.length), ...utf8(text)]
    const types = bodies.map(({ body: { parameters } }) => {
      return [0x60, ...leb(parameters), ...Array<number>(parameters).fill(I32), 0]
    })
    // shared, with an upper bound
    const memory = [...name("m"), ...name("m"), 2, 3, ...leb(MEMORY_PAGES), ...leb(MEMORY_PAGES)]
    const numbers = bodies.map((_, index) => leb(index))
    const exported = bodies.map((one, index) => [...name(one.name), 0, ...leb(index)])
    const code = bodies.map(({ body }) => body.encode())
    const sections = [
      section(1, types),
      section(2, [memory]),
      section(3, numbers),
      section(7, exported),
      section(10, code),
    ]
    return Uint8Array.from([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, ...sections.flat()])
  }
}

interface WasmInstance {
  readonly memory: WasmBytes
  function(name: string): (...parameters: readonly number[]) => void
}

/** Bytes of a memory that threads may hand to one another. */
export type WasmBytes = Uint8Array<ArrayBufferLike>

/** Of 64 kB each: what all modules of a thread have together. */
const MEMORY_PAGES = 4

/**
 * Memory for one thread's arithmetic. A process that locks its memory (hardening/process.ts) makes it before: the runtime reserves 4 GB of
 * addresses for each and gives them back to the kernel, which refuses that for what is locked, and the runtime ends the process. It is
 * of the kind that may be handed to another thread, so that a worker which is started later can have it.
 */
export const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true })

let ofThread: WebAssembly.Memory | undefined
let isGiven = false

/** This thread's arithmetic has `memory` from now on, and nobody else has it. Before the first use. */
export function useMemory(memory: WebAssembly.Memory): void {
  if (isGiven) throw new TypeError("this thread was given a memory")
  ofThread = memory
  isGiven = true
}

/** Whether this thread was given a memory: what has another way to its result uses that memory, and makes none. */
export const hasMemory = (): boolean => isGiven

function threadMemory(): WebAssembly.Memory {
  ofThread ??= makeMemory()
  return ofThread
}

const local = (index: number): Local => ({ index }) as Local
const func = (index: number): Func => ({ index }) as Func

const section = (id: number, items: readonly (readonly number[])[]): readonly number[] => {
  const content = [...leb(items.length), ...items.flat()]
  return [id, ...leb(content.length), ...content]
}

/** Unsigned LEB128. */
function leb(value: number): readonly number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)]
}

/** Signed LEB128. */
function signedLeb(value: bigint): readonly number[] {
  const low = Number(value & 127n)
  const rest = value >> 7n
  const isLast = (rest === 0n && (low & 64) === 0) || (rest === -1n && (low & 64) !== 0)
  return isLast ? [low] : [low | 128, ...signedLeb(rest)]
}
