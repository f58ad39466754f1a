/**
 * The strings that a request's signature may cover (formats.md 7.1). The vendor's SDKs write path and query differently when they sign
 * them, and none signs exactly what it sends. So every spelling is made from the received request, and a signature over any of them
 * counts. All spellings mean the same decoded path and the same decoded pairs.
 */
import { type Bytes, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"

/** A parsed request target, without repeated keys and without encodings that could be read in two ways. */
export interface RequestTarget {
  /** The path as received; begins with /v2. */
  readonly rawPath: string
  /** The decoded path; only letters, digits, `-` and `_` between slashes. */
  readonly path: string
  readonly rawQuery: string
  readonly query: ReadonlyMap<string, string>
}

const PATH = /^\/v2(?:\/[A-Za-z0-9_-]+)+$/
const KEY = /^[a-z_]{1,64}$/

/** Parses `/v2/path?query`; undefined for a target that no SDK sends and no route has. */
export function parseTarget(target: string): RequestTarget | undefined {
  const mark = target.indexOf("?")
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const rawQuery = mark < 0 ? "" : target.slice(mark + 1)
  // With an encoded slash the decoded path would have other segments than the raw one.
  const path = /%2f/i.test(rawPath) ? undefined : percentDecode(rawPath)
  const query = parseQuery(rawQuery)
  if (path === undefined || !PATH.test(path) || query === undefined) return undefined
  return { rawPath, path, rawQuery, query }
}

function parseQuery(raw: string): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>()
  if (raw === "") return pairs
  for (const part of raw.split("&")) {
    const at = part.indexOf("=")
    const key = at < 0 ? part : part.slice(0, at)
    const value = at < 0 ? "" : percentDecode(part.slice(at + 1).replaceAll("+", " "))
    // No record contains a NUL character, and Postgres cannot even be asked for one.
    if (!KEY.test(key) || value === undefined || value.includes("\0") || pairs.has(key)) return undefined
    pairs.set(key, value)
  }
  return pairs
}

function percentDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** The strings that a signature may cover, without duplicates: METHOD|PATH|NONCE|QUERY|BODY in the spelling of each SDK. */
export function signedStrings(method: string, target: RequestTarget, nonce: string, body: string): readonly string[] {
  const paths = [target.rawPath, target.path]
  const pairs = [...target.query]
  const queries = [
    target.rawQuery,
    pairsWith(javascriptValue, withValue(pairs)),
    pairsWith(formValue, withValue(pairs)),
    pairsWith(
      formValue,
      withValue(pairs).sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    pairsWith(javaValue, pairs),
  ]
  // The Python SDK signs an empty body as nothing, and sends it as {}.
  const bodies = body === "{}" ? [body, ""] : [body]
  const all = paths.flatMap((path) =>
    queries.flatMap((query) => bodies.map((name) => [method, path, nonce, query, name].join("|"))),
  )
  return [...new Set(all)]
}

/** The 32 bytes that are signed: SHA-256 of SHA-256 of the UTF-8 text. */
export const signedHash = (text: string): Bytes => sha256(sha256(utf8(text)))

type KeyValue = readonly [key: string, value: string]

const withValue = (pairs: readonly KeyValue[]): KeyValue[] => pairs.filter(([, value]) => value !== "")

const pairsWith = (encode: (value: string) => string, pairs: readonly KeyValue[]): string =>
  pairs.map(([key, value]) => `${key}=${encode(value)}`).join("&")

/** The JavaScript SDK: encodeURIComponent, which leaves ! ' ( ) * ~ alone, with a space as plus. */
const javascriptValue = (value: string): string => encodeURIComponent(value).replaceAll("%20", "+")

const hexEscape = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`

/** Python's urlencode and Go's Values.Encode: escapes everything except letters, digits and - _ . ~ */
const formValue = (value: string): string => javascriptValue(value).replace(/[!'()*]/g, hexEscape)

/** Java's URLEncoder: leaves * alone and escapes ~. */
const javaValue = (value: string): string => javascriptValue(value).replace(/[!'()~]/g, hexEscape)
