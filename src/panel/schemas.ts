/**
 * Building blocks for the schemas of the pages' documents. Every field is named on purpose. Nothing is passed through whole, so
 * no secret can slip in, and nothing leaves that is not exactly as its schema says.
 */
import { type TSchema, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { CosignerError } from "../errors.ts"

export const closed = <P extends Record<string, TSchema>>(properties: P, description = "") =>
  Type.Object(properties, { additionalProperties: false, ...(description === "" ? {} : { description }) })
export const words = (description: string) => Type.String({ maxLength: 4096, description })
export const count = (description: string) => Type.Integer({ minimum: 0, description })
export const time = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description} Milliseconds since 1970.` })
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()])
export const milliseconds = (description: string) => Type.Number({ description: `${description} Milliseconds.` })
export const oneOf = <const W extends readonly string[]>(allowed: W, description: string) =>
  Type.Unsafe<W[number]>(Type.String({ enum: [...allowed], pattern: `^(?:${allowed.join("|")})$`, description }))

const digits = (most: number, fallback: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: most, default: fallback, description })
export const skip = digits(100_000, 0, "Leave out so many of the newest.")
export const atMost = (most: number, fallback: number) => ({
  ...digits(most, fallback, "At most so many."),
  minimum: 1,
})
export const nextSkip = orNull(count("skip of the next page; null: there is none."))

/** Cuts text that a schema would refuse: a long text must not remove the whole document. */
export const cut = (text: string, most = 4096): string => (text.length <= most ? text : `${text.slice(0, most - 3)}...`)

/** The document itself, if it is exactly as its schema says: no additional field, and none of another type. */
export function checked<T>(schema: TSchema, document: T): T {
  if (Value.Check(schema, document)) return document
  const first = Value.Errors(schema, document).First()
  throw new CosignerError("E-CLI-001", { what: `a document of a page is wrong at ${first?.path}: ${first?.message}` })
}
