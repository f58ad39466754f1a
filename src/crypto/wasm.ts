/**
 * A small assembler for WebAssembly in TypeScript. The modules are built from these sources at their first use, so there is no compiled
 * file in the repository. It knows the few instructions that arithmetic on 64-bit words needs. Integer additions and multiplications take
 * the same time for all operands, unlike those of BigInt.
 *
 * The instructions for 128-bit sums and products are WebAssembly's "wide arithmetic", which the pinned runtime has.
 */
import { type Bytes, utf8 } from "../bytes.ts"

declare const localOf: unique symbol
/** A local variable or parameter: 64 bits, or a 32-bit address or count. */
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

/** The instructions of one function in order. WebAssembly is a stack machine: operands are pushed before an operation. */
export class WasmBody {
  readonly #code: number[] = []
  readonly #types: number[] = []

  constructor(readonly parameters: number) {}

  /** Parameter `index`, a 32-bit address or count. */
  parameter(index: number): Local {
    if (index >= this.parameters) throw new RangeError(`a function of ${this.parameters} parameters`)
    return local(index)
  }

  /** A new 64-bit variable, initially 0. */
  word(): Local {
    return this.#local(I64)
  }

  words(count: number): readonly Local[] {
    return Array.from({ length: count }, () => this.word())
  }

  /** A new 32-bit variable, initially 0. */
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

  /** Replaces the address on the stack by the 64-bit word at that address plus `offset`. */
  load(offset: number): this {
    return this.#emit(0x29, 3, ...leb(offset))
  }
  /** The same for a 32-bit word. */
  load32(offset: number): this {
    return this.#emit(0x28, 2, ...leb(offset))
  }
  /** Stores a word. Pops the value, then the address. */
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
  /** Replaces the low and high words of a and of b by the low and high words of a + b. */
  add128(): this {
    return this.#emit(0xfc, 0x13)
  }
  /** The same for a - b. */
  sub128(): this {
    return this.#emit(0xfc, 0x14)
  }
  /** Replaces two words by the low and high words of their product. */
  mulWide(): this {
    return this.#emit(0xfc, 0x16)
  }
  call(func: Func): this {
    return this.#emit(0x10, ...leb(func.index))
  }

  /** Runs `inner` `times` times, with `counter` from 0 up. `times` is a constant or a parameter, and must be at least 1. */
  repeat(counter: Local, times: number | Local, inner: () => void): this {
    this.address(0).set(counter).#emit(0x03, 0x40)
    inner()
    this.get(counter).address(1).add32().set(counter).get(counter)
    if (typeof times === "number") this.address(times)
    else this.get(times)
    // repeat while counter < times
    return this.#emit(0x49, 0x0d, 0, 0x0b)
  }

  /** Local declarations and code in the binary format. */
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

/** A module of functions over the thread's memory. All are exported by name; parameters are 32-bit, and results are in memory. */
export class WasmModule {
  readonly #bodies: { readonly name: string; readonly body: WasmBody }[] = []

  /** Adds a function. It may call functions that were added before it. */
  define(name: string, parameters: number, write: (body: WasmBody) => void): Func {
    if (parameters > 3) throw new RangeError("a function has at most three parameters")
    const body = new WasmBody(parameters)
    write(body)
    this.#bodies.push({ name, body })
    return func(this.#bodies.length - 1)
  }

  /** Compiles the module and instantiates it over this thread's memory. */
  instantiate(): WasmInstance {
    const memory = threadMemory()
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(this.#encode()), { m: { m: memory } })
    return {
      memory: new Uint8Array(memory.buffer),
      function(name) {
        const exported = exports[name]
        if (typeof exported !== "function") throw new TypeError(`no function ${name}`)
        // Not as a list: that would cost as much as the shortest functions.
        return (a = 0, b = 0, c = 0) => void exported(a, b, c)
      },
    }
  }

  #encode(): Bytes {
    const bodies = this.#bodies
    const name = (text: string) => [...leb(text.length), ...utf8(text)]
    const types = bodies.map(({ body: { parameters } }) => {
      return [0x60, ...leb(parameters), ...Array<number>(parameters).fill(I32), 0]
    })
    // limits: shared, with a maximum
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
  /** Functions of at most three parameters. */
  function(name: string): (a?: number, b?: number, c?: number) => void
}

/** Bytes of a memory that can be passed to another thread. */
export type WasmBytes = Uint8Array<ArrayBufferLike>

/** Size of the memory in pages of 64 KiB. All modules of a thread share it. */
const MEMORY_PAGES = 4

/**
 * Makes the memory for one thread's arithmetic. A process that locks its memory (hardening/process.ts) must make all of them before it
 * does: the runtime reserves 4 GB of addresses for each and releases most of them, which the kernel refuses for locked memory, and then the
 * runtime ends the process. The memory is shared, so it can be passed to a worker that is started later.
 */
export const makeMemory = (): WebAssembly.Memory =>
  new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true })

let ofThread: WebAssembly.Memory | undefined
let isGiven = false

/** Gives `memory` to this thread's arithmetic; no other thread may use it. Call before the first use. */
export function useMemory(memory: WebAssembly.Memory): void {
  if (isGiven) throw new TypeError("this thread was given a memory")
  ofThread = memory
  isGiven = true
}

/** True if this thread was given a memory. Code with an alternative uses WebAssembly only then, and never makes a memory itself. */
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
