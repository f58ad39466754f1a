/** Types of the contract ABI, parsed from signatures such as `aggregate3((address,bool,bytes)[])`. Only our own code supplies signatures. */
import { toHex, utf8 } from "../../bytes.ts"
import { keccak } from "./address.ts"

export type AbiType =
  | { readonly kind: "address" | "bool" | "bytes" | "string" }
  | { readonly kind: "uint" | "int"; readonly bits: number }
  | { readonly kind: "fixed"; readonly length: number }
  | { readonly kind: "list"; readonly item: AbiType; readonly count: number | undefined }
  | { readonly kind: "tuple"; readonly items: readonly AbiType[] }

export interface AbiSignature {
  readonly text: string
  readonly name: string
  /** `0x` and 8 hex digits. */
  readonly selector: string
  readonly parameters: readonly AbiType[]
}

/** Throws RangeError for text that is not a signature. */
export function parseSignature(text: string): AbiSignature {
  const open = text.indexOf("(")
  const parsed = parseType(text, open)
  if (parsed.type.kind !== "tuple" || parsed.end !== text.length) throw new RangeError(`${text} is no signature`)
  const selector = `0x${toHex(keccak(utf8(text)).subarray(0, 4))}`
  return { text, name: text.slice(0, open), selector, parameters: parsed.type.items }
}

interface Parsed {
  readonly type: AbiType
  readonly end: number
}

function parseType(text: string, at: number): Parsed {
  let { type, end } = text[at] === "(" ? parseTuple(text, at) : parseWord(text, at)
  for (;;) {
    const suffix = /^\[(\d*)\]/.exec(text.slice(end))
    if (suffix === null) return { type, end }
    type = { kind: "list", item: type, count: suffix[1] === "" ? undefined : Number(suffix[1]) }
    end += suffix[0].length
  }
}

function parseTuple(text: string, at: number): Parsed {
  const items: AbiType[] = []
  let end = at + 1
  while (text[end] !== ")") {
    if (items.length > 0 && text[end++] !== ",") throw new RangeError(`${text} is no signature`)
    const item = parseType(text, end)
    items.push(item.type)
    end = item.end
  }
  return { type: { kind: "tuple", items }, end: end + 1 }
}

function parseWord(text: string, at: number): Parsed {
  const word = /^[a-z]+\d*/.exec(text.slice(at))?.[0] ?? ""
  const type = elementaryType(word)
  if (type === undefined) throw new RangeError(`${word} is no type of the ABI`)
  return { type, end: at + word.length }
}

/** A type of one word, without aliases: `uint` is refused. Undefined for any other word. */
export function elementaryType(word: string): AbiType | undefined {
  if (word === "address" || word === "bool" || word === "bytes" || word === "string") return { kind: word }
  const [, kind, digits = ""] = /^(uint|int|bytes)([1-9]\d*)$/.exec(word) ?? []
  const size = Number(digits)
  if (kind === "bytes" && size >= 1 && size <= 32) return { kind: "fixed", length: size }
  if ((kind === "uint" || kind === "int") && size >= 8 && size <= 256 && size % 8 === 0) return { kind, bits: size }
  return undefined
}
