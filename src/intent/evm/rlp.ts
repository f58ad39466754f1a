/**
 * RLP (Ethereum yellow paper, appendix B), read field by field and strictly: each value has one encoding, so a list that was
 * read to its end encodes to the same bytes again. No tree is built: memory does not grow with what a stranger sends.
 */
import { type Bytes, beToBig, bigToBe, concat, copy, toHex, u8 } from "../../bytes.ts"
import { refuse } from "../problem.ts"
import { addressOf } from "./address.ts"

/** Longest length in bytes; a payload has at most 2^20 bytes. */
const LONGEST_LENGTH = 4

interface RlpHeader {
  readonly isList: boolean
  readonly start: number
  readonly end: number
}

/** The fields of one list, front to back. Names are for problems. */
export class RlpList {
  #at: number

  private constructor(
    readonly bytes: Uint8Array,
    readonly start: number,
    readonly end: number,
  ) {
    this.#at = start
  }

  /** The list that fills `bytes` from `start` to their end. */
  static whole(bytes: Uint8Array, start: number): RlpList {
    const list = new RlpList(bytes, start, bytes.length)
    const { isList, start: first, end } = list.#header("the list")
    if (!isList) refuse("E-INT-020", `byte ${start}`, "it is not a list")
    if (end !== bytes.length) refuse("E-INT-020", `byte ${end}`, `bytes after its end: ${bytes.length - end}`)
    return new RlpList(bytes, first, end)
  }

  get isDone(): boolean {
    return this.#at === this.end
  }

  /** Refuses further fields. */
  close(what: string): void {
    if (!this.isDone) refuse("E-INT-023", `byte ${this.#at}`, `${what} has more fields than its type`)
  }

  /** The payload's own memory. */
  string(name: string): Uint8Array {
    const { isList, start, end } = this.#header(name)
    if (isList) refuse("E-INT-023", name, "it is a list")
    return this.bytes.subarray(start, end)
  }

  data(name: string): Bytes {
    return copy(this.string(name))
  }

  /** Big-endian without leading zeros, below 2^bits. */
  uint(name: string, bits: number): bigint {
    const at = this.#at
    const digits = this.string(name)
    if (digits[0] === 0) refuse("E-INT-020", `byte ${at}`, `${name} has a leading zero`)
    if (digits.length > bits / 8) refuse("E-INT-024", name, `it has ${digits.length} bytes, of at most ${bits / 8}`)
    return beToBig(digits)
  }

  fixed(name: string, length: number): Bytes {
    const value = this.string(name)
    if (value.length !== length) refuse("E-INT-023", name, `it has ${value.length} bytes, not ${length}`)
    return copy(value)
  }

  address(name: string): string {
    return addressOf(this.fixed(name, 20))
  }

  /** Undefined where the field is empty. */
  addressOrNone(name: string): string | undefined {
    const value = this.string(name)
    if (value.length !== 0 && value.length !== 20)
      refuse("E-INT-032", name, `it has ${value.length} bytes, not 20: 0x${toHex(value.subarray(0, 20))}`)
    return value.length === 0 ? undefined : addressOf(value)
  }

  list(name: string): RlpList {
    const { isList, start, end } = this.#header(name)
    if (!isList) refuse("E-INT-023", name, "it is not a list")
    return new RlpList(this.bytes, start, end)
  }

  /** The place of the next item; advances past it. */
  #header(name: string): RlpHeader {
    const at = this.#at
    if (at === this.end) refuse("E-INT-023", name, "it is missing")
    const head = this.bytes[at] ?? 0
    const isList = head >= 0xc0
    const header =
      head < 0x80 ? { isList, start: at, end: at + 1 } : this.#body(at, head - (isList ? 0xc0 : 0x80), isList)
    if (header.end > this.end) refuse("E-INT-020", `byte ${at}`, `${name} reaches beyond its list`)
    // a single byte below 0x80 stands for itself
    if (head === 0x81 && (this.bytes[header.start] ?? 0) < 0x80)
      refuse("E-INT-020", `byte ${at}`, `${name} is a byte with a length that it must not have`)
    this.#at = header.end
    return header
  }

  /** `kind` is the head without its base: up to 55 the length itself, above that the number of bytes of the length. */
  #body(at: number, kind: number, isList: boolean): RlpHeader {
    if (kind <= 55) return { isList, start: at + 1, end: at + 1 + kind }
    const size = kind - 55
    const digits = this.bytes.subarray(at + 1, Math.min(at + 1 + size, this.end))
    if (size > LONGEST_LENGTH || digits.length < size)
      refuse("E-INT-020", `byte ${at}`, "a length reaches beyond its end")
    const length = digits.reduce((sum, digit) => sum * 256 + digit, 0)
    if (digits[0] === 0 || length <= 55) refuse("E-INT-020", `byte ${at}`, "a length is not in its shortest form")
    return { isList, start: at + 1 + size, end: at + 1 + size + length }
  }
}

type RlpValue = Uint8Array | bigint | readonly RlpValue[]

/** Integers without leading zeros. */
export function encodeRlp(value: RlpValue): Bytes {
  if (typeof value === "bigint") return encodeRlp(value === 0n ? new Uint8Array(0) : minimal(value))
  if (!(value instanceof Uint8Array)) {
    const body = concat(...value.map(encodeRlp))
    return concat(head(0xc0, body.length), body)
  }
  if (value.length === 1 && (value[0] ?? 0) < 0x80) return copy(value)
  return concat(head(0x80, value.length), value)
}

function head(base: number, length: number): Bytes {
  if (length <= 55) return u8(base + length)
  const digits = minimal(BigInt(length))
  return concat(u8(base + 55 + digits.length), digits)
}

const minimal = (value: bigint): Bytes => bigToBe(value, Math.ceil(value.toString(16).length / 2))
