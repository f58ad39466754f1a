/**
 * The reference callback server: a small, strict example of what a team runs beside its node. It opens the node's token,
 * decides, and answers in the documented form: HTTP 200, a signed token, status, action, error.
 */
import type { KeyObject } from "node:crypto"
import { Elysia } from "elysia"
import { toHex, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { intentText } from "../../intent/text.ts"
import { FORM_FIELD, openToken, type SignToken } from "../../wire/tssJwt.ts"
import type { ReferenceRules } from "./config.ts"
import { type CallbackRequest, decide, readingOf } from "./decide.ts"

interface ReferenceParts {
  readonly rules: ReferenceRules
  /** One for each node that may ask. */
  readonly nodeKeys: readonly KeyObject[]
  readonly sign: SignToken
  readonly tokenExpireMinutes: number
  readonly now: () => number
  readonly log: (line: string) => void
}

const SERVER_NAME = "cosigner-callback-server"

interface ServerResponse {
  readonly request_id: string
  /** 0 decided, 10 invalid request, 20 invalid token. */
  readonly status: 0 | 10 | 20
  readonly action?: "APPROVE" | "REJECT"
  readonly error?: string
}

/** Listens at once; port 0 takes a free one. */
export function startReferenceServer(
  parts: ReferenceParts,
  listen: { readonly hostname: string; readonly port: number },
) {
  const answer = createAnswer(parts)
  const app = new Elysia({ aot: false })
    .get("/ping", () => ({ server: SERVER_NAME, timestamp: parts.now() }))
    .post("/v1/check", ({ body }) => answer(body))
    .post("/v2/check", ({ body }) => answer(body))
  return Bun.serve({ ...listen, fetch: app.fetch, maxRequestBodySize: MAX_BODY, idleTimeout: IDLE_SECONDS })
}

/** Room for a batch of the largest messages that a node signs, in base64 twice. */
const MAX_BODY = 4 * 1024 * 1024
const IDLE_SECONDS = 10

/** `form` is Elysia's result for the body: a record of the form's fields, if it was a form. */
function createAnswer(parts: ReferenceParts): (form: unknown) => Promise<globalThis.Response> {
  const seen = new SeenRequests()
  return async (form) => {
    const token: unknown = Reflect.get(Object(form), FORM_FIELD)
    const response = await respond(parts, seen, typeof token === "string" ? token : "")
    parts.log(
      `${response.request_id || "-"} ${response.action ?? `status ${response.status}`} ${response.error ?? ""}`.trim(),
    )
    const signed = await parts.sign(JSON.stringify(response), parts.now() + parts.tokenExpireMinutes * 60_000)
    return new Response(signed, { headers: { "content-type": "text/plain; charset=utf-8" } })
  }
}

/** Tokens of nodes live for minutes; one that lives for hours was not made by a node. */
const MAX_LIFETIME_MS = 65 * 60_000

async function respond(parts: ReferenceParts, seen: SeenRequests, token: string): Promise<ServerResponse> {
  const invalid = (error: string): ServerResponse => ({ request_id: "", status: 20, error })
  for (const key of parts.nodeKeys) {
    const opened = await openToken(token, key, parts.now())
    if (!opened.ok && opened.fault === "signature") continue
    if (!opened.ok) return invalid(opened.reason)
    if (opened.expiresMs > parts.now() + MAX_LIFETIME_MS) return invalid("it is valid for too long")
    return respondTo(parts, seen, opened.body)
  }
  return invalid("no known node signed it")
}

function respondTo(parts: ReferenceParts, seen: SeenRequests, body: string): ServerResponse {
  const request = readRequest(body)
  if (typeof request === "string") return { request_id: "", status: 10, error: request }
  const request_id = request.requestId
  if (request.type === 0) return { request_id, status: 0, action: "APPROVE" }
  if (!seen.sameAsBefore(request_id, body)) {
    return { request_id, status: 10, action: "REJECT", error: "this request id was used for another request" }
  }
  for (const line of intentOf(request)) parts.log(`${request_id} asks: ${line}`)
  const refusal = decide(parts.rules, request)
  return refusal === undefined
    ? { request_id, status: 0, action: "APPROVE" }
    : { request_id, status: 0, action: "REJECT", error: refusal }
}

/** What would be signed, in the words of the node, so that the operator of the server sees what it decides about. */
function intentOf(request: CallbackRequest): readonly string[] {
  const reading = request.type === 2 ? readingOf(request) : ""
  return typeof reading === "string" ? [] : intentText(reading)
}

/** The four fields, of their types; a text says what is wrong. */
function readRequest(body: string): CallbackRequest | string {
  const fields = parseObject(body)
  if (fields === undefined) return "the body is no JSON object"
  const { request_id: requestId, request_type: type, request_detail: detail, extra_info: extra } = fields
  if (typeof requestId !== "string" || requestId.length > 128) return "request_id is missing"
  if (typeof type !== "number" || !Number.isSafeInteger(type)) return "request_type is missing"
  if (typeof detail !== "string" || typeof extra !== "string") return "request_detail and extra_info are texts"
  if (type === 0) return { requestId, type, detail: {}, extraInfo: {} }
  if (requestId === "") return "request_id is empty"
  const parsedDetail = parseObject(detail)
  const extraInfo = parseObject(extra)
  if (parsedDetail === undefined || extraInfo === undefined) return "request_detail or extra_info holds no JSON object"
  return { requestId, type, detail: parsedDetail, extraInfo }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}

/** The request that each id stands for. A node repeats a request under its id; nobody may replace it by another. */
class SeenRequests {
  readonly #digests = new Map<string, string>()

  sameAsBefore(requestId: string, body: string): boolean {
    const digest = toHex(sha256(utf8(body)))
    const before = this.#digests.get(requestId)
    if (before !== undefined) return before === digest
    this.#digests.set(requestId, digest)
    const [oldest] = this.#digests.keys()
    if (this.#digests.size > MAX_SEEN && oldest !== undefined) this.#digests.delete(oldest)
    return true
  }
}

const MAX_SEEN = 100_000
