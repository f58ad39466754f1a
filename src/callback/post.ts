/**
 * One POST of a token to a callback server, and its answer as text: bounded in time and size, no redirect followed, no
 * proxy of the environment used, nothing unpacked. Every way of failing is a typed value.
 */
import { errnoOf } from "../files.ts"
import { AS_IT_IS, type Fetch, readBounded, requestOptions } from "../outbound.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { HttpAnswer, NoDecision, TryCode } from "./answer.ts"

/** Answers are one token; the largest known ones have two kilobytes. */
export const MAX_ANSWER_BYTES = 256 * 1024

const OURS: Readonly<Record<string, string>> = {
  "content-type": "application/x-www-form-urlencoded",
  accept: "*/*",
  ...AS_IT_IS,
}

export async function postToken(
  fetch: Fetch,
  address: string,
  token: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HttpAnswer | NoDecision> {
  // Its own controller, so that leaving early also ends the connection.
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort("timeout"), timeoutMs)
  const onAbort = () => abort.abort("outside")
  signal.addEventListener("abort", onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const response = await fetch(address, {
      ...requestOptions(),
      method: "POST",
      headers: OURS,
      body: new URLSearchParams({ [FORM_FIELD]: token }).toString(),
      signal: abort.signal,
    })
    if (response.status >= 300 && response.status < 400) return failed("E-RSK-112", `HTTP ${response.status}`)
    // Bytes that are no UTF-8 become marks, and then no token.
    const body = (await readBounded(response, MAX_ANSWER_BYTES))?.toString("utf8")
    if (body === undefined) return failed("E-RSK-113", `${MAX_ANSWER_BYTES} bytes`)
    return { status: response.status, body, dateMs: dateOf(response) }
  } catch (error) {
    if (abort.signal.reason === "timeout") return failed("E-RSK-111", `${timeoutMs / 1000} s`)
    return failed("E-RSK-110", nameOf(error))
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", onAbort)
    abort.abort("done")
  }
}

function dateOf(response: Response): number | undefined {
  const ms = Date.parse(response.headers.get("date") ?? "")
  return Number.isNaN(ms) ? undefined : ms
}

/** The system's name of the failure, never its text, which may repeat the address. */
function nameOf(error: unknown): string {
  const errno = errnoOf(error)
  if (errno !== undefined) return errno
  return error instanceof Error ? error.name : "unknown error"
}

const failed = (code: TryCode, reason: string): NoDecision => ({ kind: "failed", code, reason, skewMs: undefined })
