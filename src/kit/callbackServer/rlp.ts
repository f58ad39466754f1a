/** RLP, decoded strictly: one encoding per value, nothing left over, bounded depth. Ethereum yellow paper, appendix B. */
import { type Bytes, copy } from "../../bytes.ts"

export type Rlp = Bytes | readonly Rlp[]

const MAX_DEPTH = 8

/** The value, or undefined if the bytes are not its one canonical encoding. */
export function decodeRlp(bytes: Uint8Array): Rlp | undefined {
  const item = decodeAt(bytes, 0, MAX_DEPTH)
  return item?.end === bytes.length ? item.value : undefined
}

interface Item {
  readonly value: Rlp
  readonly end: number
}

function decodeAt(bytes: Uint8Array, at: number, depth: number): Item | undefined {
  const head = bytes[at]
  if (head === undefined) return undefined
  if (head < 0x80) return { value: copy(bytes.subarray(at, at + 1)), end: at + 1 }
  const isList = head >= 0xc0
  const body = bodyAt(bytes, at, head - (isList ? 0xc0 : 0x80))
  if (body === undefined) return undefined
  if (isList) return depth === 0 ? undefined : decodeList(bytes, body, depth - 1)
  const value = copy(bytes.subarray(body.start, body.end))
  // A single byte below 0x80 stands for itself.
  if (value.length === 1 && (value[0] ?? 0) < 0x80) return undefined
  return { value, end: body.end }
}

function decodeList(bytes: Uint8Array, body: { start: number; end: number }, depth: number): Item | undefined {
  const items: Rlp[] = []
  for (let at = body.start; at < body.end; ) {
    const item = decodeAt(bytes.subarray(0, body.end), at, depth)
    if (item === undefined) return undefined
    items.push(item.value)
    at = item.end
  }
  return { value: items, end: body.end }
}

/** `kind` is the head without its base: up to 55 the length itself, above it the number of bytes of the length. */
function bodyAt(bytes: Uint8Array, at: number, kind: number): { start: number; end: number } | undefined {
  if (kind <= 55) return within(bytes, at + 1, kind)
  const size = kind - 55
  const digits = bytes.subarray(at + 1, at + 1 + size)
  if (size > 4 || digits.length < size || digits[0] === 0) return undefined
  const length = digits.reduce((sum, digit) => sum * 256 + digit, 0)
  return length <= 55 ? undefined : within(bytes, at + 1 + size, length)
}

const within = (bytes: Uint8Array, start: number, length: number) =>
  start + length <= bytes.length ? { start, end: start + length } : undefined
