/**
 * What a request's signature may cover (formats.md 7.1). The vendor's SDKs disagree about how path and query are written
 * when they are signed, and none signs exactly what it sends; so each way is made from what came over the wire, and a
 * signature over any of them counts. All of them say the same thing: the decoded path and the decoded pairs.
 */
import { type Bytes, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"

/** A request target taken apart. Closed: no key twice, no encoding that could be read in two ways. */
export interface RequestTarget {
  /** As on the wire, beginning with /v2. */
  readonly rawPath: string
  /** Decoded; only letters, digits, `-` and `_` between slashes. */
  readonly path: string
  readonly rawQuery: string
  readonly query: ReadonlyMap<string, string>
}

const PATH = /^\/v2(?:\/[A-Za-z0-9_-]+)+$/
const KEY = /^[a-z_]{1,64}$/

/** Takes `/v2/path?query` apart; undefined for what no SDK sends and no route has. */
export function parseTarget(target: string): RequestTarget | undefined {
  const mark = target.indexOf("?")
  const rawPath = mark < 0 ? target : target.slice(0, mark)
  const rawQuery = mark < 0 ? "" : target.slice(mark + 1)
  // An encoded slash would make other segments of the decoded path than of the raw one.
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
    // No record has a zero character, and not every database can be asked for one.
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

/** The strings that a signature may cover, without repetitions. */
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
  // Python signs an empty object as nothing, and sends it as {}.
  const bodies = body === "{}" ? [body, ""] : [body]
  const all = paths.flatMap((path) =>
    queries.flatMap((query) => bodies.map((name) => [method, path, nonce, query, name].join("|"))),
  )
  return [...new Set(all)]
}

/** SHA256(SHA256(UTF-8)): the 32 bytes that are signed. */
export const signedHash = (text: string): Bytes => sha256(sha256(utf8(text)))

type KeyValue = readonly [key: string, value: string]

const withValue = (pairs: readonly KeyValue[]): KeyValue[] => pairs.filter(([, value]) => value !== "")

const pairsWith = (encode: (value: string) => string, pairs: readonly KeyValue[]): string =>
  pairs.map(([key, value]) => `${key}=${encode(value)}`).join("&")

/** encodeURIComponent, then a space as plus; leaves ! ' ( ) * ~ alone. */
const javascriptValue = (value: string): string => encodeURIComponent(value).replaceAll("%20", "+")

const hexEscape = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`

/** Python's urlencode and Go's Values.Encode: everything escaped but letters, digits and - _ . ~ */
const formValue = (value: string): string => javascriptValue(value).replace(/[!'()*]/g, hexEscape)

/** Java's URLEncoder: * stays, ~ is escaped. */
const javaValue = (value: string): string => javascriptValue(value).replace(/[!'()~]/g, hexEscape)
