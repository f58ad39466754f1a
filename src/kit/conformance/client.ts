/**
 * The hostile node's side of the wire: tokens and bodies that are right, or wrong in any way, and the server's reply to
 * them. It judges nothing; the cases do.
 */
import { createHmac, createPublicKey, type KeyObject, sign as signBytes } from "node:crypto"
import { toHex, utf8 } from "../../bytes.ts"
import { FORM_FIELD, openToken } from "../../wire/tssJwt.ts"

export interface ServerUnderTest {
  readonly url: string
  /** The key that the server accepts as its node's. */
  readonly nodeKey: KeyObject
  /** What the server signs with. */
  readonly serverPublicKey: KeyObject
  readonly strangerKey: KeyObject
  readonly timeoutMs: number
  /** PEM of the authorities to trust for https; the system's unless given. */
  readonly ca?: string | undefined
  readonly now: () => number
  readonly newId: () => string
}

export interface Body {
  readonly request_id?: unknown
  readonly request_type?: unknown
  readonly request_detail?: unknown
  readonly extra_info?: unknown
}

/** How a token differs from a good one. */
export interface TokenOver {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
  readonly signWith?: "node" | "stranger" | "hmac" | "nothing"
  readonly hash?: "sha256" | "sha512"
}

/** What came back, as far as it can be read. */
export interface Reply {
  readonly http: number | undefined
  /** The answer verified: RS256 under the server's key, not expired. */
  readonly valid: boolean
  /** Why not, otherwise empty. */
  readonly problem: string
  readonly requestId: string
  readonly status: unknown
  readonly action: string
  readonly expiresMs: number
  /** Characters of the HTTP body. */
  readonly size: number
}

export function makeToken(target: ServerUnderTest, body: string, over: TokenOver = {}): string {
  const exp = Math.floor(target.now() / 1000) + 120
  const claims = { package_data: utf8(body).toBase64(), exp, iss: "", ...over.claims }
  const head = [{ alg: "RS256", typ: "JWT", ...over.header }, claims].map(part).join(".")
  return `${head}.${signature(target, head, over)}`
}

const part = (value: object): string => url64(utf8(JSON.stringify(value)))
const url64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")

function signature(target: ServerUnderTest, head: string, { signWith = "node", hash = "sha256" }: TokenOver): string {
  switch (signWith) {
    case "nothing":
      return ""
    case "hmac":
      return createHmac("sha256", publicPem(target)).update(head).digest("base64url")
    case "node":
    case "stranger":
      return url64(signBytes(hash, utf8(head), signWith === "node" ? target.nodeKey : target.strangerKey))
  }
}

/** The public key as a file, which a careless server would use as an HMAC secret. */
const publicPem = ({ nodeKey }: ServerUnderTest): string =>
  createPublicKey(nodeKey.export({ type: "pkcs8", format: "pem" }))
    .export({ type: "spki", format: "pem" })
    .toString()

export async function send(target: ServerUnderTest, body: Body | string, over?: TokenOver): Promise<Reply> {
  return post(target, makeToken(target, typeof body === "string" ? body : JSON.stringify(body), over))
}

export async function post(target: ServerUnderTest, token: string | undefined): Promise<Reply> {
  const form = new URLSearchParams(token === undefined ? {} : { [FORM_FIELD]: token })
  try {
    const response = await fetch(target.url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: form.toString(),
      redirect: "manual",
      ...(target.ca === undefined ? {} : { tls: { ca: target.ca } }),
      signal: AbortSignal.timeout(target.timeoutMs),
    })
    return await readReply(target, response.status, await response.text())
  } catch (error) {
    return unread(undefined, error instanceof Error ? error.name : "no answer")
  }
}

async function readReply(target: ServerUnderTest, http: number, text: string): Promise<Reply> {
  const opened = await openToken(unquoted(text), target.serverPublicKey, target.now())
  if (!opened.ok) return unread(http, `${opened.fault}: ${opened.reason}`, text.length)
  const fields: unknown = JSON.parse(opened.body)
  const field = (key: string): unknown => Reflect.get(Object(fields), key) ?? undefined
  return {
    http,
    valid: true,
    problem: "",
    requestId: String(field("request_id") ?? ""),
    status: field("status"),
    action: String(field("action") ?? ""),
    expiresMs: opened.expiresMs,
    size: text.length,
  }
}

function unquoted(text: string): string {
  const trimmed = text.trim()
  return trimmed.startsWith('"') ? trimmed.slice(1, -1) : trimmed
}

const unread = (http: number | undefined, problem: string, size = 0): Reply => ({
  http,
  valid: false,
  problem,
  requestId: "",
  status: undefined,
  action: "",
  expiresMs: 0,
  size,
})

/** Whether a node would sign after this reply. */
export const approves = (reply: Reply): boolean =>
  reply.valid && reply.action === "APPROVE" && (reply.status === undefined || reply.status === 0)

/** The digest of a raw transaction, as in msg_hash_list. */
export const prefixed = (bytes: Uint8Array): string => `0x${toHex(bytes)}`
