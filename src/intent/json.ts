/** Readings and problems as JSON: of `intent decode`, callback bodies, events and records. Amounts are decimal strings. */
import { toHex } from "../bytes.ts"
import type { Effect, Problem, Reading, Unresolved } from "./reading.ts"

type Json = string | boolean | readonly Json[] | { readonly [name: string]: Json }

interface ReadingExtras {
  /** `0x…`; absent where there is no group key to bind it to. */
  readonly intentHash: string | undefined
  readonly text: readonly string[]
}

export function readingJson(reading: Reading, { intentHash, text }: ReadingExtras): { readonly [name: string]: Json } {
  const { format, chain, from, effects, fee, nonce, expires, signs, notes } = reading
  return {
    format,
    chain,
    from: [...from],
    effects: effects.map(effectJson),
    fee: { max: fee.max.toString(), asset: fee.asset, unbounded: fee.unbounded },
    ...(nonce === undefined ? {} : { nonce }),
    ...(expires === undefined ? {} : { expires }),
    ...(notes === undefined ? {} : { notes: [...notes] }),
    digests: signs.map(({ bytes }) => `0x${toHex(bytes)}`),
    ...(intentHash === undefined ? {} : { intent_hash: intentHash }),
    text: [...text],
  }
}

export const problemJson = ({ code, message, at }: Problem): { readonly [name: string]: Json } => ({
  error: { code, message, at },
})

/** The fields of the effect under their own names; bytes are `0x` hex, an unresolved account is `{"unresolved": "…"}`. */
export function effectJson(effect: Effect): { readonly [name: string]: Json } {
  const fields = Object.entries(effect).filter(([, value]) => value !== undefined)
  return Object.fromEntries(fields.map(([name, value]) => [name, valueJson(value)]))
}

function valueJson(value: string | bigint | Uint8Array | Unresolved): Json {
  if (typeof value === "string") return value
  if (typeof value === "bigint") return value.toString()
  if (value instanceof Uint8Array) return `0x${toHex(value)}`
  return { unresolved: value.unresolved }
}
