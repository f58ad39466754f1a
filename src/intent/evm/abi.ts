/**
 * Call data, read strictly: exactly the bytes that the ABI's encoder would write for these arguments (offsets in order and
 * without gaps, padding of zeros, nothing left over). Contracts accept more than that. Such data is refused, because two
 * readers of it can disagree about its meaning. Linear: no two arguments share bytes.
 */
import { type Bytes, beToBig, copy, toHex } from "../../bytes.ts"
import { refuse } from "../problem.ts"
import type { AbiType } from "./abiType.ts"
import { addressOf } from "./address.ts"

/** uint, int: bigint. bool: boolean. bytes, string, bytesN: bytes. Lists and tuples: Args. */
export type AbiValue = AbiAddress | bigint | boolean | Bytes | Args

/** Its checksum costs a Keccak, so it is computed only for addresses that are shown: a batch may have thousands of others. */
export class AbiAddress {
  constructor(readonly bytes: Bytes) {}
}

const WORD = 32

/** The arguments of a call, a tuple or a list, by position. Asking for another type than the signature's is a bug. */
export class Args {
  constructor(readonly values: readonly AbiValue[]) {}

  /** In EIP-55 spelling. */
  address(place: number): string {
    const value = this.values[place]
    return value instanceof AbiAddress ? addressOf(value.bytes) : wrong(place)
  }
  /** In lower case, as assets are written. */
  lowerAddress(place: number): string {
    const value = this.values[place]
    return value instanceof AbiAddress ? `0x${toHex(value.bytes)}` : wrong(place)
  }
  uint(place: number): bigint {
    const value = this.values[place]
    return typeof value === "bigint" ? value : wrong(place)
  }
  bool(place: number): boolean {
    const value = this.values[place]
    return typeof value === "boolean" ? value : wrong(place)
  }
  bytes(place: number): Bytes {
    const value = this.values[place]
    return value instanceof Uint8Array ? value : wrong(place)
  }
  args(place: number): Args {
    const value = this.values[place]
    return value instanceof Args ? value : wrong(place)
  }
  /** The elements of a list of tuples. */
  rows(place: number): readonly Args[] {
    const list = this.args(place)
    return list.values.map((_, i) => list.args(i))
  }
  addresses(place: number): readonly string[] {
    const list = this.args(place)
    return list.values.map((_, i) => list.address(i))
  }
  uints(place: number): readonly bigint[] {
    const list = this.args(place)
    return list.values.map((_, i) => list.uint(i))
  }
  byteStrings(place: number): readonly Bytes[] {
    const list = this.args(place)
    return list.values.map((_, i) => list.bytes(i))
  }
}

function wrong(place: number): never {
  throw new TypeError(`argument ${place} has another type in its signature`)
}

/** `data` without its selector; `at` names the call, for problems. Refuses with E-INT-025. */
export function decodeArguments(parameters: readonly AbiType[], data: Uint8Array, at: string): Args {
  const reader = new AbiReader(data, at)
  const { value, end } = reader.tuple(parameters, 0)
  if (end !== data.length) reader.refuse(end, `bytes after its arguments: ${data.length - end}`)
  return value
}

interface AbiRead<T> {
  readonly value: T
  readonly end: number
}

class AbiReader {
  constructor(
    readonly data: Uint8Array,
    readonly at: string,
  ) {}

  refuse(offset: number, found: string): never {
    return refuse("E-INT-025", `${this.at}, argument byte ${offset}`, found)
  }

  /** Heads from `start`, followed by the tails, in order and without gaps. */
  tuple(types: readonly AbiType[], start: number): AbiRead<Args> {
    const values: AbiValue[] = []
    let head = start
    let tail = start + types.reduce((sum, type) => sum + headSize(type), 0)
    for (const type of types) {
      if (isDynamic(type)) {
        if (this.#size(head) !== tail - start) this.refuse(head, "an offset is not where the encoder puts it")
        const read = this.#dynamic(type, tail)
        values.push(read.value)
        tail = read.end
      } else {
        values.push(this.#static(type, head))
      }
      head += headSize(type)
    }
    return { value: new Args(values), end: tail }
  }

  #dynamic(type: AbiType, start: number): AbiRead<AbiValue> {
    if (type.kind === "tuple") return this.tuple(type.items, start)
    if (type.kind === "list" && type.count !== undefined) return this.#list(type.item, type.count, start)
    const length = this.#size(start)
    if (length > this.data.length) this.refuse(start, "a length reaches beyond the data")
    if (type.kind === "list") return this.#list(type.item, length, start + WORD)
    return this.#bytes(start + WORD, length)
  }

  /** A count that does not fit is refused before anything is allocated for it. */
  #list(item: AbiType, count: number, start: number): AbiRead<Args> {
    if (count > (this.data.length - start) / headSize(item)) this.refuse(start, "a list is longer than the data")
    return this.tuple(Array<AbiType>(count).fill(item), start)
  }

  #bytes(start: number, length: number): AbiRead<Bytes> {
    const end = start + Math.ceil(length / WORD) * WORD
    if (end > this.data.length) this.refuse(start, "bytes reach beyond the data")
    this.#zero(start + length, end)
    return { value: copy(this.data.subarray(start, start + length)), end }
  }

  #static(type: AbiType, at: number): AbiValue {
    switch (type.kind) {
      case "address":
        return new AbiAddress(copy(this.#padded(at, 12)))
      case "bool": {
        const value = this.#uint(at, 8)
        return value > 1n ? this.refuse(at, "a truth value is neither 0 nor 1") : value === 1n
      }
      case "uint":
        return this.#uint(at, type.bits)
      case "int":
        return this.#int(at, type.bits)
      case "fixed": {
        const word = this.#word(at)
        this.#zero(at + type.length, at + WORD)
        return copy(word.subarray(0, type.length))
      }
      case "tuple":
        return this.tuple(type.items, at).value
      case "list":
        return this.#list(type.item, type.count ?? 0, at).value
      default:
        throw new TypeError("bytes and strings are dynamic")
    }
  }

  /** A length or an offset; no data is as long as 2^32. */
  #size(at: number): number {
    const word = this.#word(at)
    let value = 0
    for (const byte of word) value = value * 256 + byte
    return value < 2 ** 32 ? value : this.refuse(at, "a length or an offset reaches beyond the data")
  }

  #uint(at: number, bits: number): bigint {
    return beToBig(this.#padded(at, WORD - bits / 8))
  }

  #int(at: number, bits: number): bigint {
    const value = beToBig(this.#word(at))
    const signed = BigInt.asIntN(bits, value)
    return BigInt.asUintN(256, signed) === value ? signed : this.refuse(at, `an integer does not fit ${bits} bits`)
  }

  /** A word whose first `zeros` bytes must be zero, without them. */
  #padded(at: number, zeros: number): Uint8Array {
    const word = this.#word(at)
    this.#zero(at, at + zeros)
    return word.subarray(zeros)
  }

  #zero(start: number, end: number): void {
    for (let at = start; at < end; at++) if (this.data[at] !== 0) this.refuse(at, "padding is not zero")
  }

  #word(at: number): Uint8Array {
    if (at + WORD > this.data.length) this.refuse(at, "the data ends early")
    return this.data.subarray(at, at + WORD)
  }
}

function isDynamic(type: AbiType): boolean {
  switch (type.kind) {
    case "bytes":
    case "string":
      return true
    case "list":
      return type.count === undefined || isDynamic(type.item)
    case "tuple":
      return type.items.some(isDynamic)
    default:
      return false
  }
}

function headSize(type: AbiType): number {
  if (isDynamic(type)) return WORD
  if (type.kind === "tuple") return type.items.reduce((sum, item) => sum + headSize(item), 0)
  if (type.kind === "list") return (type.count ?? 0) * headSize(type.item)
  return WORD
}
