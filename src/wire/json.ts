/**
 * Closed reading of JSON from outside: every key must be known, every value must have its type and lie within its bounds, and each
 * document has one byte form. Owns the readers; the codec of each document owns its shape.
 */
import { decodeUtf8, Malformed } from "../codec.ts"

/** An escape of a surrogate (D800 to DFFF) whose backslash is not itself escaped. */
const LONE_SURROGATE = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/

/** Deeper documents are refused before they are parsed. */
const MAX_DEPTH = 16

export interface FormProblem {
  /** What is wrong and where, for logs and answers. Never contains the value itself. */
  readonly problem: string
}

/** Reads one unknown value as a T, or throws Malformed. `at` is its place in the document, e.g. `$.messages[3].tweak`. */
export type Read<T> = (value: unknown, at: string) => T

export function malformed(at: string, what: string): never {
  throw new Malformed(`${at}: ${what}`)
}

/** Runs a decoder and returns Malformed as a value. Any other exception is a bug and passes through. */
export function attempt<T>(decode: () => T): T | FormProblem {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Malformed) return { problem: error.message }
    throw error
  }
}

/**
 * Parses only the form that JSON.stringify writes, so that two readers cannot disagree about what a document says: UTF-8 without a
 * byte order mark, no white space, no repeated key, no number that loses digits. Also refuses lone surrogates, which UTF-8 cannot
 * represent and which would change on the way to a callback server, and the key `__proto__`. Throws Malformed.
 */
export function parseJson(bytes: Uint8Array, maxBytes: number): unknown {
  if (bytes.length > maxBytes) malformed("$", `longer than ${maxBytes} bytes`)
  const text = decodeUtf8(bytes, "$")
  if (depthOf(text) > MAX_DEPTH) malformed("$", `nested deeper than ${MAX_DEPTH}`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    malformed("$", "not JSON")
  }
  if (JSON.stringify(value) !== text) malformed("$", "not in the one form that JSON.stringify writes")
  // JSON.stringify writes a lone surrogate as an escape.
  if (LONE_SURROGATE.test(text)) malformed("$", "half of a character outside the basic plane")
  // A search of the text is enough: this form escapes no letter of a key, and escapes the quotes inside a string.
  if (text.includes('"__proto__":')) malformed("$", "a key has the name __proto__")
  return value
}

function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i)
    if (quoted) {
      if (c === 0x5c) i++
      else if (c === 0x22) quoted = false
    } else if (c === 0x22) quoted = true
    else if (c === 0x5b || c === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (c === 0x5d || c === 0x7d) depth--
  }
  return deepest
}

type ObjectShape = Readonly<Record<string, Read<unknown>>>
type Shaped<S extends ObjectShape> = { readonly [K in keyof S]: S[K] extends Read<infer T> ? T : never }

/** Reads an object with all keys of `shape`, any keys of `optional`, and no others. */
export function closed<S extends ObjectShape, O extends ObjectShape = Record<never, never>>(
  shape: S,
  optional?: O,
): Read<Shaped<S> & Partial<Shaped<O>>> {
  const all: ObjectShape = { ...shape, ...optional }
  return (value, at) => {
    const from = anObject(value, at)
    for (const key of Object.keys(from)) {
      if (!Object.hasOwn(all, key)) malformed(at, "a key that is not known")
    }
    const out: Record<string, unknown> = {}
    for (const [key, read] of Object.entries(all)) {
      if (Object.hasOwn(from, key)) out[key] = read(from[key], `${at}.${key}`)
      else if (Object.hasOwn(shape, key)) malformed(at, `${key} is missing`)
    }
    return out as Shaped<S> & Partial<Shaped<O>>
  }
}

export const anObject: Read<Readonly<Record<string, unknown>>> = (value, at) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : malformed(at, "not an object")

export const text =
  (pattern: RegExp, what: string): Read<string> =>
  (value, at) =>
    typeof value === "string" && pattern.test(value) ? value : malformed(at, `not ${what}`)

export const textUpTo =
  (max: number): Read<string> =>
  (value, at) =>
    typeof value === "string" && value.length <= max ? value : malformed(at, `not a text of at most ${max}`)

export const integer =
  (min: number, max: number): Read<number> =>
  (value, at) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : malformed(at, `not an integer from ${min} to ${max}`)

export const oneOf =
  <const T extends string | number>(...allowed: readonly T[]): Read<T> =>
  (value, at) =>
    allowed.find((one) => one === value) ?? malformed(at, `not one of ${allowed.join(", ")}`)

export const list =
  <T>(item: Read<T>, min: number, max: number): Read<readonly T[]> =>
  (value, at) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      return malformed(at, `not a list of ${min} to ${max}`)
    }
    return value.map((one, i) => item(one, `${at}[${i}]`))
  }
