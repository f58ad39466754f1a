/**
 * One POST of a token to a callback server, and its answer as text: bounded in time and size, no redirect followed, no
 * proxy of the environment used, nothing unpacked. Every way of failing is a typed value.
 */
import { errnoOf } from "../files.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { HttpAnswer, NoDecision, TryCode } from "./answer.ts"

/** The shape of `fetch`. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>

/** Answers are one token; the largest known ones have two kilobytes. */
export const MAX_ANSWER_BYTES = 256 * 1024

const OURS: Readonly<Record<string, string>> = {
  "content-type": "application/x-www-form-urlencoded",
  accept: "*/*",
  // An unpacked answer could be a thousand times its size.
  "accept-encoding": "identity",
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
      method: "POST",
      headers: OURS,
      body: new URLSearchParams({ [FORM_FIELD]: token }).toString(),
      redirect: "manual",
      decompress: false,
      // HTTP_PROXY and its kin must not reroute risk control; false is what turns them off, and Bun's types lack it.
      proxy: false as unknown as string,
      signal: abort.signal,
    })
    if (response.status >= 300 && response.status < 400) return failed("E-RSK-112", `HTTP ${response.status}`)
    const body = await readText(response)
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

/** Undefined as soon as it grows too large. Bytes that are no UTF-8 become marks, and then no token. */
async function readText(response: Response): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
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
