/**
 * Readings and problems as JSON, for `intent decode`, callback bodies, events and records. Amounts are decimal strings.
 *
 * Calls inside calls repeat their data at every level, so the JSON of a payload of the largest size would be sixteen times as large.
 * Cut values are marked so that a reader cannot miss it: bytes become an object, and the effects that are left out become one effect
 * of a kind that no rule knows.
 */
import { toHex } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { Effect, Problem, Reading, Unresolved } from "./reading.ts"

type Json = string | boolean | readonly Json[] | { readonly [name: string]: Json }

interface ReadingExtras {
  /** `0x…`; absent if there is no group key to bind it to. */
  readonly intentHash: string | undefined
  readonly text: readonly string[]
}

/** Bounds on what is made of one reading, in characters of JSON and of text. */
export interface JsonBounds {
  /** For one field: bytes, or letters of a text. */
  readonly field: number
  /** For all effects together. */
  readonly effects: number
  /** For all lines together. */
  readonly text: number
}

const WHOLE: JsonBounds = {
  field: Number.POSITIVE_INFINITY,
  effects: Number.POSITIVE_INFINITY,
  text: Number.POSITIVE_INFINITY,
}

export function readingJson(
  reading: Reading,
  { intentHash, text }: ReadingExtras,
  bounds: JsonBounds = WHOLE,
): { readonly [name: string]: Json } {
  const { format, chain, from, effects, fee, nonce, expires, signs, notes } = reading
  return {
    format,
    chain,
    from: [...from],
    effects: effectsJson(effects, bounds),
    fee: { max: fee.max.toString(), asset: fee.asset, unbounded: fee.unbounded },
    ...(nonce === undefined ? {} : { nonce: cutText(nonce, bounds) }),
    ...(expires === undefined ? {} : { expires }),
    ...(notes === undefined ? {} : { notes: boundedLines(notes, bounds.text) }),
    digests: signs.map(({ bytes }) => `0x${toHex(bytes)}`),
    ...(intentHash === undefined ? {} : { intent_hash: intentHash }),
    text: boundedLines(text, bounds.text),
  }
}

function effectsJson(effects: readonly Effect[], bounds: JsonBounds): readonly Json[] {
  const shown: Json[] = []
  let written = 0
  for (const effect of effects) {
    const json = effectJson(effect, bounds)
    written += bounds.effects === Number.POSITIVE_INFINITY ? 0 : JSON.stringify(json).length
    if (written > bounds.effects)
      return [...shown, { kind: "left_out", effects: (effects.length - shown.length).toString() }]
    shown.push(json)
  }
  return shown
}

/** The first lines, at most `most` characters and `mostLines`; the last line says how many are missing. */
export function boundedLines(
  lines: readonly string[],
  most: number,
  mostLines: number = Number.POSITIVE_INFINITY,
): readonly string[] {
  let written = 0
  const shown = lines.findIndex((line, i) => {
    written += line.length
    return written > most || i >= mostLines
  })
  if (shown < 0) return [...lines]
  return [...lines.slice(0, shown), `${lines.length - shown} lines more are left out`]
}

const cutText = (text: string, { text: most }: JsonBounds): string =>
  text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`

export const problemJson = ({ code, message, at }: Problem): { readonly [name: string]: Json } => ({
  error: { code, message, at },
})

/** The fields of the effect under their own names; bytes are `0x` hex, an unresolved account is `{"unresolved": "…"}`. */
export function effectJson(effect: Effect, bounds: JsonBounds = WHOLE): { readonly [name: string]: Json } {
  const fields = Object.entries(effect).filter(([, value]) => value !== undefined)
  return Object.fromEntries(fields.map(([name, value]) => [name, valueJson(value, bounds)]))
}

function valueJson(value: string | bigint | Uint8Array | Unresolved, bounds: JsonBounds): Json {
  if (typeof value === "string")
    return value.length <= bounds.field
      ? value
      : { cut: value.slice(0, bounds.field), characters: value.length.toString() }
  if (typeof value === "bigint") return value.toString()
  if (!(value instanceof Uint8Array)) return { unresolved: value.unresolved }
  if (value.length <= bounds.field) return `0x${toHex(value)}`
  const { length } = value
  return { cut: `0x${toHex(value.subarray(0, bounds.field))}`, bytes: length.toString(), sha256: toHex(sha256(value)) }
}
