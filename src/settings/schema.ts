/**
 * Building blocks that describe every configuration file: TypeBox schemas that also carry what a person needs. This is what the key
 * does (for the annotated file and the reference), what was expected (for errors), and whether its value may be shown.
 * Schemas are made once, when their module is loaded.
 */
import {
  FormatRegistry,
  type Static,
  type StaticEncode,
  type TObject,
  type TProperties,
  type TSchema,
  Type,
} from "@sinclair/typebox"
import { fromHex } from "../bytes.ts"
import type { KeyPath } from "./tree.ts"

type Visible = "always" | "right" | "never"

/** Stored beside TypeBox's own keywords on every leaf; `metaOf` reads it. */
interface Meta {
  /** What the key does, for the annotated file and the reference. */
  readonly description: string
  /** Completes "expected ...". */
  readonly expected: string
  /** right: shown only once it is known to be valid, since a secret may have been typed in its place. */
  readonly visible: Visible
  /** What the annotated file shows for a key without a default. */
  readonly example: unknown
}

export const metaOf = (schema: TSchema): Meta => ({
  description: String(schema["description"] ?? ""),
  expected: String(schema["expected"] ?? ""),
  visible: schema["visible"] === "never" ? "never" : schema["visible"] === "right" ? "right" : "always",
  example: schema["example"] ?? "",
})

// ---- keys that only make sense together -------------------------------------------------------------------------------

/** A problem of a value whose single keys are all valid; `at` leads from the value to the place. */
export interface Refused {
  readonly at: KeyPath
  readonly expected: string
  readonly got: string
}

const REFINE = "cosigner:refine"

/** The same schema, with an additional check over several keys. It gets the value as written, with defaults filled in. */
export const refined = <S extends TSchema>(schema: S, check: (value: Static<S>) => Iterable<Refused>): S => ({
  ...schema,
  [REFINE]: check,
})

export function refinementOf(schema: TSchema): ((value: unknown) => Iterable<Refused>) | undefined {
  const check: unknown = schema[REFINE]
  return typeof check === "function" ? (value) => check(value) : undefined
}

// ---- tables and lists -------------------------------------------------------------------------------------------------

/** A table: closed; if the file leaves it out, it exists with its defaults. */
export const tableOf = <P extends TProperties>(description: string, properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false, default: {}, description, expected: "a table" })

/** A table in a list of tables, or one that is off unless it is written. */
export const entryOf = <P extends TProperties>(description: string, properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false, description, expected: "a table" })

const MAX_ITEMS = 10_000

/** A list that is empty if the file leaves it out, unless `fallback` says otherwise. */
export const listOf = <S extends TSchema>(
  item: S,
  words: {
    readonly description: string
    readonly expected: string
    readonly minItems?: number
    readonly maxItems?: number
    readonly uniqueItems?: boolean
    readonly fallback?: readonly unknown[]
    readonly example?: readonly unknown[]
  },
) => {
  const { fallback, ...rest } = words
  return Type.Array(item, { maxItems: MAX_ITEMS, default: fallback ?? [], ...rest })
}

/** A list without default: its reader decides what it means to leave it out. */
export const requiredList = <S extends TSchema>(item: S, words: Omit<Parameters<typeof listOf<S>>[1], "fallback">) =>
  Type.Array(item, { maxItems: MAX_ITEMS, ...words })

/** The same, with an expectation derived from its items; `example` is as a person writes it. */
export const itemsOf = <S extends TSchema>(items: S, example: readonly StaticEncode<S>[], description: string) =>
  requiredList(items, {
    description,
    example,
    expected: `a list of at most ${MAX_ITEMS}, each ${String(items["expected"])}`,
  })

// ---- single values ----------------------------------------------------------------------------------------------------

export const boolean = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description, expected: "true or false" })

/** A switch without default. */
export const requiredBoolean = (example: boolean, description: string) =>
  Type.Boolean({ description, example, expected: "true or false" })

export const integer = (minimum: number, maximum: number, fallback: number, description: string) =>
  Type.Integer({
    minimum,
    maximum,
    default: fallback,
    description,
    expected: `an integer from ${minimum} to ${maximum}`,
  })

/** An integer without default. */
export const requiredInteger = (minimum: number, maximum: number, example: number, description: string) =>
  Type.Integer({ minimum, maximum, example, description, expected: `an integer from ${minimum} to ${maximum}` })

const MAX_TEXT = 1024

/** `example` is what the annotated file shows for a key that has no default. */
export const text = (example: string, description: string, options: { readonly visible?: Visible } = {}) =>
  Type.String({ minLength: 1, maxLength: MAX_TEXT, example, description, expected: "a text", ...options })

export const textOr = (fallback: string, description: string) =>
  Type.String({ maxLength: MAX_TEXT, default: fallback, description, expected: "a text" })

interface TextForm {
  /** Of the check, among all names of checks. */
  readonly name: string
  readonly expected: string
  readonly example: string
}

/** A text that passes `check`. No default. */
export const textThat = (
  check: (text: string) => boolean,
  { name, expected, example }: TextForm,
  description: string,
) => Type.String({ format: format(name, check), minLength: 1, maxLength: MAX_TEXT, expected, example, description })

/** One line of text. No default. */
export const line = (example: string, description: string) =>
  textThat(
    (text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) && text.trim() === text,
    { name: "line", expected: "one line of text", example },
    description,
  )

/** A text that `form` describes. */
export const pattern = (
  form: RegExp,
  fallback: string,
  words: { readonly expected: string; readonly description: string },
) => Type.String({ format: format(`pattern ${form.source}`, (text) => form.test(text)), default: fallback, ...words })

/** A name or an identifier: a text without spaces. No default. */
export const word = (example: string, description: string) =>
  textThat((text) => !/\s/.test(text), { name: "word", expected: "a text without spaces", example }, description)

/** A text that `parse` understands (undefined: it does not); the settings contain the result of `parse`. */
export const parsed = <T>(
  parse: (text: string) => T | undefined,
  words: {
    readonly example: string
    readonly description: string
    readonly expected: string
    readonly fallback?: string
  },
) => {
  const { fallback, ...rest } = words
  const defaults = fallback === undefined ? {} : { default: fallback }
  return Type.Transform(
    Type.String({
      maxLength: MAX_TEXT,
      format: format(`parsed ${parsers++}`, (text) => parse(text) !== undefined),
      ...defaults,
      ...rest,
    }),
  )
    .Decode((text): T => {
      const value = parse(text)
      if (value === undefined) throw new RangeError("a text that its own format accepted cannot be parsed")
      return value
    })
    .Encode((): string => {
      throw new TypeError("settings are read and never written back")
    })
}
let parsers = 0

/** One of the given words; `fallback` undefined makes a key without default. */
export const oneOf = <const W extends readonly string[]>(
  words: W,
  fallback: W[number] | undefined,
  description: string,
) =>
  Type.Unsafe<W[number]>(
    Type.String({
      format: format(`one of ${words.join("|")}`, (text) => words.includes(text)),
      ...(fallback === undefined ? {} : { default: fallback }),
      description,
      expected: `one of ${words.map((word) => JSON.stringify(word)).join(", ")}`,
    }),
  )

/** The same without default, and with an example. */
export const requiredOneOf = <const W extends readonly string[]>(
  words: W,
  example: W[number],
  description: string,
) => ({
  ...oneOf(words, undefined, description),
  example,
})

/** A file or folder; relative paths are relative to the working directory of the process. */
export const path = (example: string, description: string) =>
  Type.String({
    format: format("path", (text) => text !== "" && !text.includes("\0")),
    maxLength: 4096,
    example,
    description,
    expected: "a path",
  })

/** A file that may be left out: "" means none. */
export const pathOrNone = (description: string) =>
  Type.String({
    format: format("path or none", (text) => !text.includes("\0")),
    maxLength: 4096,
    default: "",
    description,
    expected: 'a path, or "" for none',
  })

export const pathOr = (fallback: string, description: string) => ({ ...path(fallback, description), default: fallback })

interface UrlRule {
  readonly schemes: readonly string[]
  /** User and password in the URL; only if there is no other place for them. */
  readonly credentials: boolean
}

/** An absolute URL without fragment. */
export const url = (rule: UrlRule, example: string, description: string) =>
  Type.String({
    format: format(`url ${rule.schemes.join("|")} ${rule.credentials}`, (text) => isUrl(text, rule)),
    maxLength: 2048,
    example,
    description,
    expected: `a URL that begins with ${rule.schemes.map((scheme) => `${scheme}://`).join(" or ")}${
      rule.credentials ? "" : ", without user or password"
    }`,
    visible: rule.credentials ? "right" : "always",
  })

function isUrl(text: string, rule: UrlRule): boolean {
  if (!URL.canParse(text) || /\s/.test(text)) return false
  const parsed = new URL(text)
  return (
    rule.schemes.includes(parsed.protocol.slice(0, -1)) &&
    // `http:host` and `http:///host` parse too, but what is written must be what is meant.
    /^[a-z]+:\/\/[^/?]/.test(text) &&
    parsed.hostname !== "" &&
    !text.includes("#") &&
    (rule.credentials || (parsed.username === "" && parsed.password === ""))
  )
}

/** 32 bytes in lower-case hex. Not shown when invalid, because people paste the private key by mistake. */
export const hex32 = (description: string) =>
  Type.String({
    format: format("hex32", (text) => fromHex(text)?.length === 32),
    example: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    description,
    expected: "64 lower-case hex digits",
    visible: "right",
  })

/** `30s`, `5m`, `1h30m`; empty is off. In Config: milliseconds, or undefined for off. */
export const duration = (fallback: string, description: string) =>
  Type.Transform(
    Type.String({
      format: format("duration", (text) => text === "" || durationMs(text) !== undefined),
      default: fallback,
      description,
      expected: 'a duration such as "30s", "5m" or "1h30m", or "" for off',
    }),
  )
    .Decode((text) => durationMs(text))
    .Encode((ms) => (ms === undefined ? "" : `${ms}ms`))

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const MAX_DURATION_MS = 366 * 24 * 3_600_000

/** Milliseconds of a duration as Go writes them, without fractions; undefined for anything else, zero and over a year. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:ms|s|m|h))+$/.test(text)) return undefined
  let sum = 0
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) sum += Number(digits) * (UNIT_MS[unit ?? ""] ?? 0)
  return sum > 0 && sum <= MAX_DURATION_MS ? sum : undefined
}

/** A name for `check` in TypeBox's registry of formats. The registry is global and shared with libraries, so our names have a prefix. */
function format(name: string, check: (text: string) => boolean): string {
  const own = `cosigner-${name}`
  if (!FormatRegistry.Has(own)) FormatRegistry.Set(own, check)
  return own
}
