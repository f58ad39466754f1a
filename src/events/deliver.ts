/** One POST of one event to one server. Taken means HTTP 200 or 201; the body of the answer is nobody's business. */
import { errnoOf } from "../files.ts"
import { AS_IT_IS, type Fetch, requestOptions } from "../outbound.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { EventServer } from "./servers.ts"

/** Undefined if the server took the event, otherwise why not. */
export async function deliver(
  fetch: Fetch,
  server: EventServer,
  token: string,
  signal: AbortSignal,
): Promise<string | undefined> {
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
    return response.status === 200 || response.status === 201 ? undefined : `HTTP ${response.status}`
  } catch (error) {
    if (abort.signal.reason === "timeout") return `no answer within ${timeoutMs / 1000} s`
    const errno = errnoOf(error)
    if (errno !== undefined) return errno
    return error instanceof Error ? error.name : "unknown error"
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", onAbort)
    // Ends the connection, and with it a body that nobody reads.
    abort.abort("done")
  }
}
