/**
 * An endpoint as data: path, schemas, role, and a function from checked input to an answer. Server, tests and reference use the same list
 * of endpoints. Reading is closed: an unknown field is refused like one with a wrong type.
 */
import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox"
import { Value, ValueErrorType } from "@sinclair/typebox/value"
import { ApiFailure } from "../failure.ts"
import type { ApiRole } from "../store/model.ts"

type Method = "GET" | "POST" | "PUT"

interface Input<Q, B> {
  /** The parts of the path that begin with a colon. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Q
  readonly body: B
}

export interface Route {
  readonly method: Method
  readonly path: string
  readonly summary: string
  /** The least role that an API key needs. */
  readonly role: ApiRole
  readonly query: TObject
  /** Undefined: the call takes no body, or an empty object. */
  readonly body: TSchema | undefined
  /** Throws ApiFailure. */
  readonly answer: (raw: Input<unknown, unknown>) => Promise<unknown>
}

interface RouteDeclaration<Q extends TObject, B extends TSchema> {
  readonly method: Method
  readonly path: string
  readonly summary: string
  /** Default: read for GET, admin for other methods. */
  readonly role?: ApiRole
  readonly query?: Q
  readonly body?: B
  readonly handle: (input: Input<Static<Q>, Static<B>>) => Promise<unknown>
}

const NOTHING = Type.Object({}, { additionalProperties: false })
type Nothing = typeof NOTHING

export function route<Q extends TObject = Nothing, B extends TSchema = Nothing>(
  declaration: RouteDeclaration<Q, B>,
): Route {
  const query = declaration.query ?? NOTHING
  const body = declaration.body ?? NOTHING
  return {
    method: declaration.method,
    path: declaration.path,
    summary: declaration.summary,
    role: declaration.role ?? (declaration.method === "GET" ? "read" : "admin"),
    query,
    body: declaration.body,
    // The casts hold: each schema is the declaration's own, or NOTHING, which is the default of its type parameter.
    answer: (raw) =>
      declaration.handle({
        params: raw.params,
        query: read(query, raw.query ?? {}, "query") as Static<Q>,
        body: read(body, raw.body ?? {}, "body") as Static<B>,
      }),
  }
}

/** The value, checked against the schema. Throws 2003 for a missing field and 2006 otherwise, with the place of the field. */
function read<S extends TSchema>(schema: S, value: unknown, where: string): Static<S> {
  if (Value.Check(schema, value)) return value
  const first = Value.Errors(schema, value).First()
  const at = `${where}${(first?.path ?? "").replaceAll("/", ".")}`
  if (first?.type === ValueErrorType.ObjectRequiredProperty) throw new ApiFailure(2003, `${at} is missing`)
  if (first?.type === ValueErrorType.ObjectAdditionalProperties) throw new ApiFailure(2006, `${at} is not known`)
  throw new ApiFailure(2006, `${at}: ${(first?.message ?? "invalid").toLowerCase()}`)
}

/** A published call that WaaS does not serve: it answers 2021, like an unknown path, with the reason. */
export const notServed = (method: Method, path: string, why: string): Route =>
  route({
    method,
    path,
    role: method === "GET" ? "read" : "operate",
    summary: `Not served: ${why}`,
    query: Type.Object({}),
    body: Type.Object({}),
    handle: () => Promise.reject(new ApiFailure(2021, `not served: ${why}`)),
  })

export const closed = <P extends Record<string, TSchema>>(properties: P) =>
  Type.Object(properties, { additionalProperties: false })

/** Text for people, without control characters. */
export const Words = (min: number, max: number) =>
  Type.String({ minLength: min, maxLength: max, pattern: "^[^\\u0000-\\u001f\\u007f]*$" })

export const Id = Type.String({ pattern: "^[A-Za-z0-9-]{1,64}$" })

export const NodeIdText = Type.String({ pattern: "^[1-9A-HJ-NP-Za-km-z]{20,80}$" })

/** The part of the path with that name. Throws TypeError, as a bug, if the route's path has none. */
export function param(params: Readonly<Record<string, string>>, name: string): string {
  const value = params[name]
  if (value === undefined) throw new TypeError(`the route has no :${name}`)
  return value
}
