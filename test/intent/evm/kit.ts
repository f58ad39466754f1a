/** A key at m/44/60/0/0/0, the context that asks it to sign, and readings of text and hex. */
import { expect } from "bun:test"
import { privateKeyToAccount } from "viem/accounts"
import { fromHex, toHex, utf8 } from "../../../src/bytes.ts"
import { type Context, DEFAULT_SETTINGS, type Settings } from "../../../src/intent/decoder.ts"
import { authorizationDecoder } from "../../../src/intent/evm/authorizations.ts"
import { messageDecoder } from "../../../src/intent/evm/message.ts"
import { transactionDecoder } from "../../../src/intent/evm/transaction.ts"
import { typedDataDecoder } from "../../../src/intent/evm/typedData.ts"
import { type Decoded, type Effect, type Format, isProblem, type Reading } from "../../../src/intent/reading.ts"

export const OWNER = privateKeyToAccount(`0x${"46".repeat(32)}`)
export const OTHER = privateKeyToAccount(`0x${"47".repeat(32)}`)
export const PATH = [44, 60, 0, 0, 0]

/** The bytes of `0x` hex, or of hex. */
export function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  const bytes = fromHex(hex.replace(/^0x/, "").toLowerCase())
  if (bytes === undefined) throw new Error(`no hex: ${hex}`)
  return bytes
}

/** The compressed key of an account of viem, which gives 65 bytes. */
export function publicKeyOf({ publicKey }: { readonly publicKey: string }): Uint8Array<ArrayBuffer> {
  const whole = bytesOf(publicKey)
  return Uint8Array.from([2 + ((whole[64] ?? 0) & 1), ...whole.subarray(1, 33)])
}

export const contextFor = (chains: readonly string[], settings: Partial<Settings> = {}): Context => ({
  curve: "secp256k1",
  messages: [{ path: PATH, publicKey: publicKeyOf(OWNER), signature: "ECDSA" }],
  derive: () => publicKeyOf(OWNER),
  chains,
  settings: { ...DEFAULT_SETTINGS, ...settings },
})

export const MAINNET = contextFor(["eip155:1"])
export const OFFLINE: Context = { ...MAINNET, messages: [], chains: [] }

const DECODERS = [transactionDecoder, authorizationDecoder, typedDataDecoder, messageDecoder]

/** By the decoder of the format; text is UTF-8, `0x` hex is bytes. */
export function decode(format: Format, payload: string | Uint8Array, context: Context = MAINNET): Decoded {
  const decoder = DECODERS.find((one) => one.format === format)
  if (decoder === undefined) throw new Error(`no decoder for ${format}`)
  const data = typeof payload === "string" ? (/^0x/.test(payload) ? bytesOf(payload) : utf8(payload)) : payload
  return decoder.decode(data, context)
}

export function reading(format: Format, payload: string | Uint8Array, context: Context = MAINNET): Reading {
  const decoded = decode(format, payload, context)
  if (isProblem(decoded)) throw new Error(`${decoded.code} at ${decoded.at}: ${decoded.message}`)
  return decoded
}

export function codeOf(format: Format, payload: string | Uint8Array, context: Context = MAINNET): string {
  const decoded = decode(format, payload, context)
  return isProblem(decoded) ? decoded.code : "read"
}

export const digestOf = ({ signs }: Reading): string => `0x${toHex(signs[0]?.bytes ?? new Uint8Array(0))}`

/** Effects of one kind, which has to be there. */
export function only<K extends Effect["kind"]>({ effects }: Reading, kind: K): readonly Extract<Effect, { kind: K }>[] {
  const found = effects.filter((effect): effect is Extract<Effect, { kind: K }> => effect.kind === kind)
  expect(found.length).toBeGreaterThan(0)
  return found
}

export const kinds = ({ effects }: Reading): readonly string[] => effects.map(({ kind }) => kind)
