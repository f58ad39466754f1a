/** One call of the REST API from the caller's side: signs the request with an API key and verifies the answer (formats.md 7.1, 7.2). */
import { fromHex, toHex } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { AS_IT_IS, readBounded } from "../outbound.ts"
import type { Secret } from "../secret.ts"
import { signedHash } from "./api/canonical.ts"
import { type ApiKeyCurve, apiPublicKey, signApiHash } from "./apiKey.ts"

export interface ClientOptions {
  /** `http://127.0.0.1:11050`, without /v2. */
  readonly baseUrl: string
  readonly apiKeyCurve: ApiKeyCurve
  /** The caller disposes it. */
  readonly apiKeySecret: Secret
  /** Hex. If present, every answer must carry a signature that verifies under it. */
  readonly responseKey: string | undefined
  /** How far the time of an answer may be from this clock, ms. Absent: answers of any age are accepted. */
  readonly maxAgeMs?: number
}

export type Query = Readonly<Record<string, string>>

/**
 * Calls an endpoint; `below` is the path below /v2, e.g. `/wallets/mpc/vaults`. Rejects with E-WAA-012 if the server answers with an
 * error, and with E-WAA-013 if there is no usable answer.
 */
export type SignedCall = (
  method: "GET" | "POST" | "PUT",
  below: string,
  query?: Query,
  body?: unknown,
) => Promise<unknown>

export function signedCaller(options: ClientOptions): SignedCall {
  const key = apiPublicKey(options.apiKeyCurve, options.apiKeySecret)
  let last = 0
  // The time in milliseconds, as in the SDKs, but never the same twice: otherwise two equal requests would count as a replay.
  const nonce = (): string => {
    last = Math.max(last + 1, Date.now())
    return String(last)
  }

  return async (method, below, query = {}, body) => {
    const path = `/v2${below}`
    const search = new URLSearchParams({ ...query }).toString()
    const text = body === undefined ? "" : JSON.stringify(body)
    const fresh = nonce()
    const hash = signedHash([method, path, fresh, search, text].join("|"))
    const url = `${options.baseUrl}${path}${search === "" ? "" : `?${search}`}`
    const { response, answer } = await reach(url, {
      method,
      headers: {
        "content-type": "application/json",
        ...AS_IT_IS,
        "BIZ-API-KEY": key,
        "BIZ-API-NONCE": fresh,
        "BIZ-API-SIGNATURE": toHex(signApiHash(options.apiKeyCurve, options.apiKeySecret, hash)),
      },
      ...(text === "" ? {} : { body: text }),
    })
    if (options.responseKey !== undefined) verifyAnswer(options.responseKey, url, response.headers, answer)
    if (options.maxAgeMs !== undefined) requireRecent(options.maxAgeMs, url, response.headers)
    const value = parsed(url, answer)
    if (!response.ok) throw refusal(response.status, value)
    return value
  }
}

/** More than a page of the longest records. The bound matters because the answer is read before its signature can be verified. */
const MAX_ANSWER = 64 * 1024 * 1024
/** The longest wait that can be asked for, and time for the answer. */
const ANSWER_MS = 180_000

async function reach(
  url: string,
  init: RequestInit,
): Promise<{ readonly response: Response; readonly answer: string }> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS)
    const response = await fetch(url, { ...init, redirect: "error", decompress: false, signal })
    const body = await readBounded(response, MAX_ANSWER)
    if (body !== undefined) return { response, answer: body.toString("utf8") }
  } catch (cause) {
    throw new CosignerError("E-WAA-013", { url, problem: reachProblem(cause) }, { cause })
  }
  throw new CosignerError("E-WAA-013", { url, problem: `the answer is longer than ${MAX_ANSWER} bytes` })
}

/** Why the server was not reached, in words for error names that say little. */
function reachProblem(cause: unknown): string {
  const code = errnoOf(cause)
  if (code === "EACCES" || code === "EPERM")
    return `this process may not connect there (${code}): a firewall, a sandbox or the service's own unit forbids it`
  if (code === "ENOTFOUND") return "its host has no address (ENOTFOUND)"
  return code === "ECONNREFUSED" ? "nothing listens there (ECONNREFUSED)" : errorText(cause)
}

function verifyAnswer(responseKey: string, url: string, headers: Headers, answer: string): void {
  const timestamp = headers.get("biz-timestamp") ?? ""
  const signature = fromHex(headers.get("biz-resp-signature") ?? "")
  const key = fromHex(responseKey)
  const verifies =
    key !== undefined && signature !== undefined && verifyEd25519(key, signedHash(`${answer}|${timestamp}`), signature)
  if (!verifies) throw new CosignerError("E-WAA-013", { url, problem: "the answer's signature does not verify" })
}

/** Refuses old answers: somebody who recorded a signed answer must not be able to replay it. */
function requireRecent(maxAgeMs: number, url: string, headers: Headers): void {
  const awayMs = Math.abs(Date.now() - Number(headers.get("biz-timestamp") ?? "NaN"))
  if (!(awayMs <= maxAgeMs)) throw new CosignerError("E-WAA-013", { url, problem: "the answer is not of this time" })
}

function parsed(url: string, answer: string): unknown {
  try {
    return JSON.parse(answer)
  } catch (cause) {
    throw new CosignerError("E-WAA-013", { url, problem: "the answer is not JSON" }, { cause })
  }
}

function refusal(status: number, value: unknown): CosignerError {
  const field = (name: string): unknown => (typeof value === "object" && value !== null ? Reflect.get(value, name) : "")
  const errorCode = Number(field("error_code"))
  return new CosignerError("E-WAA-012", { status, errorCode, message: String(field("error_message")) })
}
