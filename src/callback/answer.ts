/**
 * What a callback server's answer means: the seven steps of formats.md 1.4, from the raw HTTP body to a decision. Only a
 * token under the server's own key, for our own request, that says APPROVE and no error, approves.
 */
import type { KeyObject } from "node:crypto"
import { toHex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { Code } from "../errors.ts"
import { openToken, type TokenFault } from "../wire/tssJwt.ts"

/** The codes of a try that gave no decision. */
export type TryCode = Extract<
  Code,
  | "E-RSK-110"
  | "E-RSK-111"
  | "E-RSK-112"
  | "E-RSK-113"
  | "E-RSK-114"
  | "E-RSK-115"
  | "E-RSK-116"
  | "E-RSK-117"
  | "E-RSK-118"
  | "E-RSK-119"
  | "E-RSK-120"
  | "E-RSK-121"
>

export interface NoDecision {
  readonly kind: "failed"
  readonly code: TryCode
  readonly reason: string
  /** The server's clock minus ours, if the answer shows it. */
  readonly skewMs: number | undefined
}

/** `token`: the SHA-256, in hex, of the token with the answer. Auditors compare it with the server's own records. */
export type CallbackAnswer =
  | { readonly kind: "approve"; readonly skewMs: number | undefined; readonly token?: string }
  | { readonly kind: "reject"; readonly reason: string; readonly skewMs: number | undefined; readonly token?: string }
  | NoDecision

export interface HttpAnswer {
  readonly status: number
  readonly body: string
  /** The Date header, ms since 1970; undefined if there was none. */
  readonly dateMs: number | undefined
}

const TOKEN_CODES: Readonly<Record<TokenFault, TryCode>> = {
  notToken: "E-RSK-114",
  algorithm: "E-RSK-115",
  signature: "E-RSK-116",
  expired: "E-RSK-117",
  future: "E-RSK-118",
  claims: "E-RSK-120",
}

/** Reads the answer to the request `requestId`. For a ping `requestId` is "", and APPROVE means that the server is alive. */
export async function readAnswer(
  http: HttpAnswer,
  publicKey: KeyObject,
  requestId: string,
  nowMs: number,
): Promise<CallbackAnswer> {
  // Only a signed clock is evidence; the clock of the Date header is a hint for people.
  const dateSkew = http.dateMs === undefined ? undefined : http.dateMs - nowMs
  const failed = (code: TryCode, reason: string, skewMs = dateSkew): NoDecision => ({
    kind: "failed",
    code,
    reason,
    skewMs,
  })

  const token = unquote(http.body)
  if (token === undefined || token === "")
    return failed("E-RSK-114", `HTTP ${http.status}, ${http.body.length} characters`)
  const opened = await openToken(token, publicKey, nowMs)
  if (!opened.ok)
    return failed(TOKEN_CODES[opened.fault], withStatus(opened.reason, http.status), opened.skewMs ?? dateSkew)

  const skewMs = opened.issuedMs === undefined ? dateSkew : opened.issuedMs - nowMs
  const response = parseResponse(opened.body)
  if (response === undefined) return failed("E-RSK-120", "a field is missing or of the wrong type", skewMs)
  if (response.requestId !== "" && response.requestId !== requestId) {
    return failed("E-RSK-119", `it names ${JSON.stringify(response.requestId.slice(0, 80))}`, skewMs)
  }
  const answer = decide(response, requestId, http.status, skewMs)
  return answer.kind === "failed" ? answer : { ...answer, token: toHex(sha256(utf8(token))) }
}

interface AnswerBody {
  readonly requestId: string
  readonly status: number
  readonly action: string
  readonly error: string
}

function decide(response: AnswerBody, requestId: string, http: number, skewMs: number | undefined): CallbackAnswer {
  const failed = (code: TryCode, reason: string): NoDecision => ({ kind: "failed", code, reason, skewMs })
  const { status, action, error } = response
  const says = error === "" ? `status ${status}` : `status ${status}, ${error}`
  if (action === "REJECT") return { kind: "reject", reason: error, skewMs }
  if (action !== "" && action !== "APPROVE")
    return failed("E-RSK-120", `its action is ${JSON.stringify(action.slice(0, 40))}`)
  if (status !== 0) {
    // One of the known servers says "no" in this way, and trying again after a 4xx does not help.
    return http >= 400 && http < 500 ? { kind: "reject", reason: says, skewMs } : failed("E-RSK-121", says)
  }
  // A ping is answered with or without an action.
  if (requestId === "") return { kind: "approve", skewMs }
  if (action === "") return failed("E-RSK-120", "it has neither an action nor an error")
  // Yes and no in one answer leave a doubt, and doubt is denial.
  if (error !== "") return failed("E-RSK-120", `it approves and names an error: ${error}`)
  // Without our id an old approval could be used for any task.
  if (response.requestId !== requestId) return failed("E-RSK-119", "its approval names no request")
  return { kind: "approve", skewMs }
}

const withStatus = (reason: string, status: number): string => (status === 200 ? reason : `${reason} (HTTP ${status})`)

/** The token, bare or as a JSON string; undefined if the quoting is broken. */
function unquote(body: string): string | undefined {
  const text = body.trim()
  if (!text.startsWith('"')) return text
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "string" ? value.trim() : undefined
  } catch {
    return undefined
  }
}

const MAX_ERROR = 500

function parseResponse(json: string): AnswerBody | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  const field = (key: string): unknown => (Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined)
  const requestId = field("request_id") ?? ""
  const status = field("status") ?? 0
  const action = field("action") ?? ""
  const error = field("error") ?? ""
  if (typeof requestId !== "string" || typeof action !== "string" || typeof error !== "string") return undefined
  if (typeof status !== "number" || !Number.isSafeInteger(status)) return undefined
  return { requestId, status, action, error: printable(error) }
}

/** The server's own text goes into logs and to WaaS, so it is one line of bounded length. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, " ").slice(0, MAX_ERROR)
