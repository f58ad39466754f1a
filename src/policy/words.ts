/**
 * The words that the schemas of rules are written in. Each is a TypeBox schema that also says what the key does
 * (`description`, for the annotated file and the reference), what was expected (`expected`, for errors) and an `example`.
 */
import { FormatRegistry, type StaticEncode, type TSchema, Type } from "@sinclair/typebox"
import { formatPath, parsePath } from "../keys/path.ts"
import { formatWindow, MAX_WINDOW_MS, MIN_WINDOW_MS, parseWindow } from "./duration.ts"
import { type PathPattern, parsePathPattern } from "./pathPattern.ts"
import { formatClock, isZone, parseClock } from "./zone.ts"

const MAX_ITEMS = 10_000
const MAX_TEXT = 512

/** Not a list, and not one of the objects that stand for a single value of TOML, such as a date. */
export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Object.prototype.toString.call(value) === "[object Object]"

/** TypeBox's registry of formats is global and shared with libraries: ours have a prefix. */
function format(name: string, test: (text: string) => boolean): string {
  const own = `cosigner-policy ${name}`
  if (!FormatRegistry.Has(own)) FormatRegistry.Set(own, test)
  return own
}

interface Word {
  readonly name: string
  readonly expected: string
  readonly example: string
}

const textThat = (test: (text: string) => boolean, { name, expected, example }: Word, description: string) =>
  Type.String({ format: format(name, test), minLength: 1, maxLength: MAX_TEXT, expected, example, description })

export const boolean = (example: boolean, description: string) =>
  Type.Boolean({ description, example, expected: "true or false" })

export const integer = (minimum: number, maximum: number, example: number, description: string) =>
  Type.Integer({ minimum, maximum, example, description, expected: `an integer from ${minimum} to ${maximum}` })

/** One text without spaces: an id, a name. */
export const word = (example: string, description: string) =>
  textThat((text) => !/\s/.test(text), { name: "word", expected: "a text without spaces", example }, description)

/** One line of text. */
export const text = (example: string, description: string) =>
  textThat(
    (line) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(line) && line.trim() === line,
    { name: "text", expected: "one line of text", example },
    description,
  )

/** One of the given words. */
export const oneOf = <const W extends readonly string[]>(words: W, example: W[number], description: string) =>
  Type.Unsafe<W[number]>(
    textThat(
      (text) => words.includes(text),
      {
        name: `one of ${words.join("|")}`,
        expected: `one of ${words.map((item) => JSON.stringify(item)).join(", ")}`,
        example,
      },
      description,
    ),
  )

/** A list. Its items' expectation is its own. */
export const listOf = <S extends TSchema>(items: S, example: readonly StaticEncode<S>[], description: string) =>
  Type.Array(items, {
    maxItems: MAX_ITEMS,
    description,
    example,
    expected: `a list of at most ${MAX_ITEMS}, each ${String(items["expected"])}`,
  })

/** A closed table inside a list. */
export const tableOf = <P extends Record<string, TSchema>>(properties: P, description: string) =>
  Type.Object(properties, { additionalProperties: false, description, expected: "a table" })

export const zone = (description: string) =>
  textThat(
    isZone,
    {
      name: "zone",
      expected: "a zone of the IANA database, such as Europe/Zurich or UTC",
      example: "Europe/Zurich",
    },
    description,
  )

/** `08:30`; decoded to minutes since midnight. */
export const clock = (example: string, description: string) =>
  Type.Transform(
    textThat(
      (text) => parseClock(text) !== undefined,
      { name: "clock", expected: "a time from 00:00 to 24:00", example },
      description,
    ),
  )
    .Decode((text) => parseClock(text) ?? Number.NaN)
    .Encode(formatClock)

const isWindow = (text: string): boolean => {
  const ms = parseWindow(text)
  return ms !== undefined && ms >= MIN_WINDOW_MS && ms <= MAX_WINDOW_MS
}

/** `90m`; decoded to milliseconds. */
export const rollingWindow = (description: string) =>
  Type.Transform(
    textThat(
      isWindow,
      { name: "window", expected: "a duration from 1m to 31d, such as 90m, 1h or 7d", example: "24h" },
      description,
    ),
  )
    .Decode((text) => parseWindow(text) ?? Number.NaN)
    .Encode(formatWindow)

/** `m/44/60`; decoded to indices. */
export const path = (example: string, description: string) =>
  Type.Transform(textThat(isPath, { name: "path", expected: "a path such as m/44/60", example }, description))
    .Decode((text): readonly number[] => parsePath(text))
    .Encode(formatPath)

function isPath(text: string): boolean {
  try {
    parsePath(text)
    return true
  } catch {
    return false
  }
}

/** `m/44/60/0/0-99`; decoded to a pattern. */
export const pathPattern = (example: string, description: string) =>
  Type.Transform(
    textThat(
      (text) => parsePathPattern(text) !== undefined,
      {
        name: "path pattern",
        expected: "a path pattern such as m/44/60/0/0-99 or m/84/**",
        example,
      },
      description,
    ),
  )
    .Decode(patternOf)
    .Encode(({ text }) => text)

function patternOf(text: string): PathPattern {
  const found = parsePathPattern(text)
  if (found === undefined) throw new TypeError("a path pattern that was not checked")
  return found
}
