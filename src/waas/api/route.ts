/**
 * What an endpoint is: data, and a function from checked input to an answer. The server, the tests and the reference are
 * made from the same list. Reading is closed: a field that is not known is refused, as one with a wrong type is.
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
  /** The least that a key must be allowed. */
  readonly role: ApiRole
  readonly query: TObject
  /** Undefined: without a body, or an empty object. */
  readonly body: TSchema | undefined
  /** Throws ApiFailure. */
  readonly answer: (raw: Input<unknown, unknown>) => Promise<unknown>
}

interface RouteDeclaration<Q extends TObject, B extends TSchema> {
  readonly method: Method
  readonly path: string
  readonly summary: string
  /** read for a GET and admin for the others unless it says otherwise. */
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
    // The two schemas are the declaration's own, or the empty object that their parameters default to.
    answer: (raw) =>
      declaration.handle({
        params: raw.params,
        query: read(query, raw.query ?? {}, "query") as Static<Q>,
        body: read(body, raw.body ?? {}, "body") as Static<B>,
      }),
  }
}

/** The value as what its schema says, or 2003 and 2006 with the place. */
function read<S extends TSchema>(schema: S, value: unknown, where: string): Static<S> {
  if (Value.Check(schema, value)) return value
  const first = Value.Errors(schema, value).First()
  const at = `${where}${(first?.path ?? "").replaceAll("/", ".")}`
  if (first?.type === ValueErrorType.ObjectRequiredProperty) throw new ApiFailure(2003, `${at} is missing`)
  if (first?.type === ValueErrorType.ObjectAdditionalProperties) throw new ApiFailure(2006, `${at} is not known`)
  throw new ApiFailure(2006, `${at}: ${(first?.message ?? "invalid").toLowerCase()}`)
}

/** A published call that has no meaning here: 2021, as for a path that is not served, with the reason. */
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

/** Text for people: no control characters. */
export const Words = (min: number, max: number) =>
  Type.String({ minLength: min, maxLength: max, pattern: "^[^\\u0000-\\u001f\\u007f]*$" })

export const Id = Type.String({ pattern: "^[A-Za-z0-9-]{1,64}$" })

export const NodeIdText = Type.String({ pattern: "^[1-9A-HJ-NP-Za-km-z]{20,80}$" })

/** `name` of `params`; a route that asks for what its path has not is a bug. */
export function param(params: Readonly<Record<string, string>>, name: string): string {
  const value = params[name]
  if (value === undefined) throw new TypeError(`the route has no :${name}`)
  return value
}
