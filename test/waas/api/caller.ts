/** Signs requests as each of the vendor's SDKs does, and sends them to an API without a network. */
import { Value } from "@sinclair/typebox/value"
import { toHex } from "../../../src/bytes.ts"
import { ANSWERS, ErrorAnswer } from "../../../src/waas/api/answers.ts"
import { signedHash } from "../../../src/waas/api/canonical.ts"
import { type ApiKeyCurve, type ApiKeyPair, newApiKeyPair, signApiHash } from "../../../src/waas/apiKey.ts"
import type { ApiKey } from "../../../src/waas/store/model.ts"
import type { Rig } from "../../support/waas.ts"

export type Pairs = readonly (readonly [key: string, value: string])[]

/** What an SDK signs, and what it then sends. */
export interface Style {
  readonly signedPath: (path: string) => string
  readonly signedQuery: (pairs: Pairs) => string
  readonly wireQuery: (pairs: Pairs) => string
  readonly write: (body: unknown) => { readonly signed: string; readonly wire: string }
}

const join = (pairs: Pairs, encode: (value: string) => string): string =>
  pairs.map(([key, value]) => `${key}=${encode(value)}`).join("&")
const plain = (body: unknown) => {
  const text = body === undefined ? "" : JSON.stringify(body)
  return { signed: text, wire: text }
}
const rfc3986 = (value: string): string =>
  encodeURIComponent(value).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
const form = (value: string): string => rfc3986(value).replaceAll("%20", "+")
const java = (value: string): string => form(value).replaceAll("%2A", "*").replaceAll("~", "%7E")

export const STYLES: Readonly<Record<"js" | "python" | "go" | "java", Style>> = {
  js: {
    signedPath: (path) => path,
    signedQuery: (pairs) => join(pairs, encodeURIComponent).replaceAll("%20", "+"),
    wireQuery: (pairs) => join(pairs, rfc3986),
    write: plain,
  },
  python: {
    signedPath: (path) => path,
    signedQuery: (pairs) => join(pairs, form),
    wireQuery: (pairs) => join(pairs, form),
    write: (body) => {
      if (body === undefined) return { signed: "", wire: "" }
      // json.dumps: a space after each colon and comma, and no character beyond ASCII.
      const text = JSON.stringify(body, null, 1)
        .replace(/\n\s*/g, " ")
        .replace(/([[{]) /g, "$1")
        .replace(/ ([\]}])/g, "$1")
        .replace(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
      return { signed: text === "{}" ? "" : text, wire: text }
    },
  },
  go: {
    signedPath: decodeURIComponent,
    signedQuery: (pairs) => join([...pairs].sort(), form),
    wireQuery: (pairs) => join([...pairs].sort(), form),
    write: (body) => {
      const text = body === undefined ? "" : `${JSON.stringify(body)}\n`
      return { signed: text, wire: text }
    },
  },
  java: {
    signedPath: decodeURIComponent,
    signedQuery: (pairs) => join(pairs, java),
    wireQuery: (pairs) => join(pairs, rfc3986),
    write: plain,
  },
}

export interface CallOptions {
  readonly query?: Pairs
  readonly body?: unknown
  readonly style?: Style
  readonly nonce?: string
  readonly headers?: Readonly<Record<string, string>>
  /** The IP address that it comes from. */
  readonly from?: string
  /** Changes the request after it was signed. */
  readonly tamper?: (parts: { url: string; method: string; body: string }) => {
    url: string
    method: string
    body: string
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of every shape
  readonly json: any
}

export class Caller {
  #lastMs = 0

  private constructor(
    readonly rig: Rig,
    readonly pair: ApiKeyPair,
  ) {}

  static async of(
    rig: Rig,
    curve: ApiKeyCurve = "ed25519",
    { role = "admin", addresses = [] }: Partial<Pick<ApiKey, "role" | "addresses">> = {},
  ): Promise<Caller> {
    const pair = newApiKeyPair(curve)
    await rig.store.addApiKey({
      ...{ publicKey: pair.publicKey, name: "test", role, addresses },
      ...{ createdMs: 0, revokedMs: undefined },
    })
    return new Caller(rig, pair)
  }

  /** The time, as all SDKs have it; no two the same, so that a test may send the same request twice. */
  #nextNonce(): string {
    this.#lastMs = Math.max(this.#lastMs + 1, this.rig.clock.nowMs)
    return String(this.#lastMs)
  }

  request(method: string, path: string, options: CallOptions = {}): Request {
    const style = options.style ?? STYLES.js
    const nonce = options.nonce ?? this.#nextNonce()
    const pairs = options.query ?? []
    const body = style.write(options.body)
    const signed = [method, style.signedPath(path), nonce, style.signedQuery(pairs), body.signed].join("|")
    const query = style.wireQuery(pairs)
    const made = { url: `http://waas.test${path}${query === "" ? "" : `?${query}`}`, method, body: body.wire }
    const sent = options.tamper?.(made) ?? made
    return new Request(sent.url, {
      method: sent.method,
      ...(sent.body === "" ? {} : { body: sent.body }),
      headers: {
        "BIZ-API-KEY": this.pair.publicKey,
        "BIZ-API-NONCE": nonce,
        "BIZ-API-SIGNATURE": toHex(signApiHash(this.pair.curve, this.pair.secret, signedHash(signed))),
        ...options.headers,
      },
    })
  }

  async call(method: string, path: string, options: CallOptions = {}): Promise<Answer> {
    const answer = await answerOf(await this.rig.api(this.request(method, path, options), options.from))
    requireShape(method, path, answer)
    return answer
  }

  get = (path: string, ...query: Pairs): Promise<Answer> => this.call("GET", path, { query })
  post = (path: string, body?: unknown): Promise<Answer> => this.call("POST", path, { body })
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) }
}

/** Each answer of each test is what the reference says of its call, or what it says of errors. */
function requireShape(method: string, path: string, { status, json }: Answer): void {
  const parts = path.split("/")
  const call = Object.keys(ANSWERS)
    .filter((name) => {
      const [verb, pattern = ""] = name.split(" ")
      const wanted = pattern.split("/")
      const fits = (part: string, at: number) => part.startsWith(":") || part === parts[at]
      return verb === method && wanted.length === parts.length && wanted.every(fits)
    })
    // `/events/definitions` before `/events/:event_id`
    .sort((a, b) => a.split(":").length - b.split(":").length)[0]
  const schema = status < 300 ? (call === undefined ? undefined : ANSWERS[call]) : ErrorAnswer
  if (schema === undefined) throw new Error(`${method} ${path} answers ${status}, and no schema says what`)
  const wrong = Value.Errors(schema, json).First()
  if (wrong !== undefined) throw new Error(`${call}: ${wrong.path} ${wrong.message}: ${JSON.stringify(wrong.value)}`)
}
