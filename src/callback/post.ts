/**
 * One POST of a token to a callback server, and its answer as text. It is bounded in time and size, follows no redirect, uses no
 * proxy of the environment, and unpacks nothing. Every way of failing is a typed value.
 */
import { errnoOf } from "../files.ts"
import { type Fetch, postForm, readBounded } from "../outbound.ts"
import { FORM_FIELD } from "../wire/tssJwt.ts"
import type { HttpAnswer, NoDecision, TryCode } from "./answer.ts"

/** An answer is one token; the largest known ones have two kilobytes. */
export const MAX_ANSWER_BYTES = 256 * 1024

export async function postToken(
  fetch: Fetch,
  address: string,
  token: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<HttpAnswer | NoDecision> {
  const form = { [FORM_FIELD]: token }
  const post = { url: address, form, headers: { accept: "*/*" }, timeoutMs, signal }
  const answer = await postForm(fetch, post, async (response) => {
    if (response.status >= 300 && response.status < 400) return failed("E-RSK-112", `HTTP ${response.status}`)
    // Bytes that are not UTF-8 become replacement characters, and the text is then no valid token.
    const body = (await readBounded(response, MAX_ANSWER_BYTES))?.toString("utf8")
    if (body === undefined) return failed("E-RSK-113", `${MAX_ANSWER_BYTES} bytes`)
    return { status: response.status, body, dateMs: dateOf(response) }
  })
  if (answer.ok) return answer.value
  return answer.late ? failed("E-RSK-111", `${timeoutMs / 1000} s`) : failed("E-RSK-110", nameOf(answer.error))
}

function dateOf(response: Response): number | undefined {
  const ms = Date.parse(response.headers.get("date") ?? "")
  return Number.isNaN(ms) ? undefined : ms
}

/** The system's name of the failure, never its text, because the text may repeat the address. */
function nameOf(error: unknown): string {
  const errno = errnoOf(error)
  if (errno !== undefined) return errno
  return error instanceof Error ? error.name : "unknown error"
}

const failed = (code: TryCode, reason: string): NoDecision => ({ kind: "failed", code, reason, skewMs: undefined })
