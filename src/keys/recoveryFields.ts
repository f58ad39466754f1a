/**
 * Reads the JSON of a recovery file field by field. Every field has a type and a bound, and an error names the field
 * and never its value. Unknown fields are ignored.
 */
import { type Bytes, copy, fromHex } from "../bytes.ts"
import { CosignerError } from "../errors.ts"

export const malformed = (file: string, reason: string) => new CosignerError("E-KEY-010", { file, reason })

// Long enough for every share id below any group order, and for the 256-bit ids of old test files.
const DECIMAL = /^[1-9][0-9]{0,99}$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export class RecoveryFields {
  readonly #values: Readonly<Record<string, unknown>>

  /** `at` names this object of the file. Throws E-KEY-010 if `value` is not an object. */
  constructor(
    value: unknown,
    readonly file: string,
    readonly at: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw malformed(file, `${at} is not an object`)
    }
    this.#values = { ...value }
  }

  wrong(name: string, reason: string) {
    return malformed(this.file, `${name} of ${this.at}: ${reason}`)
  }

  object(name: string): RecoveryFields {
    return new RecoveryFields(this.#values[name], this.file, `${name} of ${this.at}`)
  }

  list(name: string, max: number): readonly RecoveryFields[] {
    const value = this.#values[name]
    if (!Array.isArray(value) || value.length === 0 || value.length > max) {
      throw this.wrong(name, `a list of 1 to ${max} entries is expected`)
    }
    return value.map((entry, i) => new RecoveryFields(entry, this.file, `entry ${i + 1} in ${name} of ${this.at}`))
  }

  text(name: string, max: number): string {
    const value = this.#values[name]
    if (typeof value !== "string" || value === "" || value.length > max) {
      throw this.wrong(name, `a text of 1 to ${max} characters is expected`)
    }
    return value
  }

  optionalText(name: string, max: number): string {
    const value = this.#values[name]
    return value === undefined || value === "" ? "" : this.text(name, max)
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#values[name]
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      throw this.wrong(name, `an integer from ${min} to ${max} is expected`)
    }
    return value
  }

  oneOf<const W extends string>(name: string, words: readonly W[]): W {
    const word = words.find((known) => known === this.#values[name])
    if (word === undefined) throw this.wrong(name, `one of ${words.join(", ")} is expected`)
    return word
  }

  /** A positive decimal without sign or leading zeros. The caller judges its value modulo q. */
  decimal(name: string): bigint {
    const text = this.#values[name]
    if (text === "0") return 0n
    if (typeof text !== "string" || !DECIMAL.test(text)) throw this.wrong(name, "a decimal number is expected, as text")
    return BigInt(text)
  }

  prefixedHex(name: string, min: number, max: number): Bytes {
    const text = this.#values[name]
    const bytes = typeof text === "string" && /^0[xX]/.test(text) ? fromHex(text.slice(2).toLowerCase()) : undefined
    if (bytes === undefined || bytes.length < min || bytes.length > max) {
      throw this.wrong(name, `0x and the hex of ${min === max ? min : `${min} to ${max}`} bytes is expected`)
    }
    return bytes
  }

  /** Standard alphabet, padded. */
  base64(name: string, max: number): Bytes {
    const text = this.#values[name]
    if (typeof text !== "string" || text.length > 2 * max || !BASE64.test(text)) {
      throw this.wrong(name, "padded base64 is expected")
    }
    return copy(Buffer.from(text, "base64"))
  }
}
