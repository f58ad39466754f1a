/** One POST of one event to one server. HTTP 200 or 201 means that the server took it; the body of the answer is ignored. */
import { errnoOf } from "../files.ts"
import { type Fetch, postForm } from "../outbound.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { EventServer } from "./servers.ts"

/** Why a server did not take an event. */
export interface NotTaken {
  readonly reason: string
  /** The server answered, and may refuse only this event. Other events are sent meanwhile. */
  readonly isOfEvent: boolean
}

/** Other answers (401, 404, 429, 503 and so on) would be the same for every event. */
const OF_EVENT: ReadonlySet<number> = new Set([400, 409, 413, 415, 422, 500])

/** Undefined if the server took the event, otherwise why not. */
export async function deliver(
  fetch: Fetch,
  server: EventServer,
  token: string,
  signal: AbortSignal,
): Promise<NotTaken | undefined> {
  const { url, proxy } = server
  const timeoutMs = server.requestTimeoutSeconds * 1000
  // Reads only the status of the answer.
  const post = { url, proxy, form: { [FORM_FIELD]: token }, timeoutMs, signal }
  const answer = await postForm(fetch, post, ({ status }) => status)
  if (answer.ok) {
    const { value: status } = answer
    return status === 200 || status === 201 ? undefined : { reason: `HTTP ${status}`, isOfEvent: OF_EVENT.has(status) }
  }
  if (answer.late) return unreached(`no answer within ${timeoutMs / 1000} s`)
  const { error } = answer
  return unreached(errnoOf(error) ?? (error instanceof Error ? error.name : "unknown error"))
}

const unreached = (reason: string): NotTaken => ({ reason, isOfEvent: false })
