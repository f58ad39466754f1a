/**
 * The checks that every listener for people makes before it answers, and the headers of its answers. A listener serves this machine, so
 * the Host header must name this machine. Pages of other sites get nothing, and requests are closed.
 */
import { timingSafeEqual } from "node:crypto"
import type { Static, TObject, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { type Bytes, utf8 } from "../bytes.ts"
import { digestOf, type Listen } from "./listen.ts"

export const HEADERS = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "x-frame-options": "DENY",
}
const JSON_HEADERS = { ...HEADERS, "content-type": "application/json", "content-security-policy": "default-src 'none'" }

export const json = (body: string, status = 200): Response => new Response(body, { status, headers: JSON_HEADERS })

export const refusal = (status: number, code: string, message: string, next: string): Response =>
  json(JSON.stringify({ code, message, next }), status)

/** Seconds after which a reader is within bounds again. */
const RETRY_AFTER = "1"

export function tooMany(message: string, next: string, retryAfter = RETRY_AFTER): Response {
  const refused = refusal(429, "too_many", message, next)
  refused.headers.set("retry-after", retryAfter)
  return refused
}

/** Refuses other host names: a web page under another name that resolves to this machine would send that name. */
export function wrongHost(listen: Listen, request: Request): Response | undefined {
  if (listen.kind === "unix" || isOurHost(request.headers.get("host") ?? "")) return undefined
  return refusal(421, "wrong_host", "the Host header names another machine", "ask by 127.0.0.1, [::1] or localhost")
}

const isOurHost = (host: string): boolean => /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i.test(host)

/** Refuses requests that a page of another site, or of another port of this machine, made the browser send. */
export function otherSite(request: Request): Response | undefined {
  const site = request.headers.get("sec-fetch-site")
  if (site !== "cross-site" && site !== "same-site") return undefined
  return refusal(403, "other_site", "a page of another site asked", "open the page itself")
}

/** The token of the Authorization header. */
export const bearerOf = (request: Request): string | undefined =>
  /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.get("authorization") ?? "")?.[1]

/** Whether the request carries the token with this digest. */
export const hasToken = (request: Request, token: Bytes): boolean => isToken(bearerOf(request) ?? "", token)

/** Takes the same time whatever the token. */
export const isToken = (given: string, token: Bytes): boolean => timingSafeEqual(digestOf(utf8(given)), token)

/** The path of an absolute URL, without a full parse, because it is needed for every request. */
export function pathOf(url: string): string {
  const from = url.indexOf("/", url.indexOf("://") + 3)
  const to = url.indexOf("?", from)
  return from < 0 ? "/" : url.slice(from, to < 0 ? undefined : to)
}

/** The query with its defaults, or what is wrong with it. Closed: an unknown name is refused. */
export function readQuery<S extends TObject>(schema: S, request: Request): Static<S> | string {
  const fields = new Map(Object.entries<TSchema>(schema.properties))
  const raw: Record<string, unknown> = {}
  for (const [name, text] of new URL(request.url).searchParams) {
    const field = fields.get(name)
    if (field === undefined) return `${name} cannot be asked for`
    if (Object.hasOwn(raw, name)) return `${name} is given twice`
    raw[name] = field["type"] === "integer" && /^\d{1,9}$/.test(text) ? Number(text) : text
  }
  const query = Value.Default(schema, raw)
  if (Value.Check(schema, query)) return query
  const first = Value.Errors(schema, query).First()
  return `${first?.path.slice(1) ?? "the query"}: ${(first?.message ?? "invalid").toLowerCase()}`
}
