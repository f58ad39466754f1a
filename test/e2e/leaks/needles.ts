/**
 * The forms in which a secret could get out, as bytes to look for: raw and reversed, hex, base64 at every alignment, base64url,
 * decimal, base58, and bytes taken for characters. What is written as a list of numbers, percent-encoded, escaped or packed
 * into another encoding is unpacked by views.ts and found in one of these.
 *
 * A part is a leak too: 16 bytes in a row of any secret, however they are written.
 */
import { encodeBase58 } from "../../../src/keys/base58.ts"

export interface Canary {
  /** For the finding; never the secret itself. */
  readonly name: string
  readonly bytes: Uint8Array
}

export interface Needle {
  readonly secret: string
  readonly form: string
  readonly text: Uint8Array
  /** So many bytes of `text` in a row are a finding. */
  readonly least: number
}

/** Of 16 bytes, chance finds nothing; of less, it would have to be told from chance. */
export const WINDOW = 16
/** Above this a number or a base58 text of the whole is not what anybody prints. */
const NUMBER_BYTES = 64

export function needlesOf({ name, bytes }: Canary): readonly Needle[] {
  if (bytes.length < WINDOW) throw new Error(`${name} has ${bytes.length} bytes, too few to tell it from chance`)
  const buffer = Buffer.from(bytes)
  const of = (form: string, text: string | Uint8Array, least: number): Needle => ({
    secret: name,
    form,
    text: typeof text === "string" ? Buffer.from(text, "latin1") : text,
    least,
  })
  const forms = [
    of("raw", buffer, WINDOW),
    of("hex", buffer.toString("hex"), 2 * WINDOW),
    of("HEX", buffer.toString("hex").toUpperCase(), 2 * WINDOW),
    ...[0, 1, 2].flatMap((before) => {
      const text = base64After(buffer, before)
      return [of("base64", text, LEAST_BASE64), of("base64url", url(text), LEAST_BASE64)]
    }),
    ...(buffer.every((byte) => byte < 128)
      ? []
      : [of("characters", Buffer.from(buffer.toString("latin1"), "utf8"), WINDOW)]),
  ]
  if (bytes.length > NUMBER_BYTES) return forms
  const reversed = Buffer.from(buffer).reverse()
  return [
    ...forms,
    of("reversed", reversed, WINDOW),
    of("reversed hex", reversed.toString("hex"), 2 * WINDOW),
    of("decimal", decimal(buffer), LEAST_DECIMAL),
    of("reversed decimal", decimal(reversed), LEAST_DECIMAL),
    of("base58", encodeBase58(Uint8Array.from(buffer)), LEAST_BASE58),
  ].filter(({ text, least }) => text.length >= least)
}

/** 16 bytes fill at least 20 characters, whatever bits stand before them. */
const LEAST_BASE64 = 20
/** 2^128 has 39 digits; fewer are enough to leave chance out. */
const LEAST_DECIMAL = 24
const LEAST_BASE58 = 18

/** The characters that belong to `bytes` alone when `before` bytes stand in front of them. */
function base64After(bytes: Buffer, before: number): string {
  const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64")
  const first = Math.ceil((before * 8) / 6)
  const whole = Math.floor(((before + bytes.length) * 8) / 6)
  return text.slice(first, whole)
}

const url = (text: string): string => text.replaceAll("+", "-").replaceAll("/", "_")
const decimal = (bytes: Buffer): string => BigInt(`0x${bytes.toString("hex")}`).toString()
