/** One POST of one event to one server. Taken means HTTP 200 or 201; the body of the answer is nobody's business. */
import { errnoOf } from "../files.ts"
import { AS_IT_IS, type Fetch, requestOptions } from "../outbound.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { EventServer } from "./servers.ts"

/** Why a server did not take an event. */
export interface NotTaken {
  readonly reason: string
  /** The server answered, and what it refused may be this event alone: others have their turn meanwhile. */
  readonly isOfEvent: boolean
}

/** Other answers (401, 404, 429, 503 and their like) say the same of every event. */
const OF_EVENT: ReadonlySet<number> = new Set([400, 409, 413, 415, 422, 500])

/** Undefined if the server took the event, otherwise why not. */
export async function deliver(
  fetch: Fetch,
  server: EventServer,
  token: string,
  signal: AbortSignal,
): Promise<NotTaken | undefined> {
  const abort = new AbortController()
  const timeoutMs = server.requestTimeoutSeconds * 1000
  const timer = setTimeout(() => abort.abort("timeout"), timeoutMs)
  const onAbort = () => abort.abort("outside")
  signal.addEventListener("abort", onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const response = await fetch(server.url, {
      ...requestOptions(server.proxy),
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...AS_IT_IS },
      body: new URLSearchParams({ [FORM_FIELD]: token }).toString(),
      signal: abort.signal,
    })
    const { status } = response
    if (status === 200 || status === 201) return undefined
    return { reason: `HTTP ${status}`, isOfEvent: OF_EVENT.has(status) }
  } catch (error) {
    if (abort.signal.reason === "timeout") return unreached(`no answer within ${timeoutMs / 1000} s`)
    return unreached(errnoOf(error) ?? (error instanceof Error ? error.name : "unknown error"))
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", onAbort)
    // Ends the connection, and with it a body that nobody reads.
    abort.abort("done")
  }
}

const unreached = (reason: string): NotTaken => ({ reason, isOfEvent: false })
