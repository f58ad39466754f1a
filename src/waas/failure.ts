/**
 * Why WaaS does not carry out a request, with the error code and HTTP status that the caller gets (formats.md 7.3). The caller gets the
 * text as it is, so it never contains a secret, a path of this machine or a stack.
 */

interface ApiError {
  readonly http: number
  readonly meaning: string
  /** What the caller can do. */
  readonly what: string
}

const error = (http: number, meaning: string, what: string): ApiError => ({ http, meaning, what })

/** The vendor's error codes, each with its HTTP status. */
export const API_ERRORS = {
  2000: error(500, "internal", "keep `error_id`: the log of WaaS has it beside the cause"),
  2003: error(400, "a parameter is missing", "the message names it"),
  2006: error(400, "a parameter is invalid or unknown", "the message names it and what it must be"),
  2021: error(404, "no such endpoint", "a published call that has no meaning here says why"),
  2024: error(
    401,
    "the API key or the signature is not accepted",
    "see Authentication; a used request is not taken twice",
  ),
  2025: error(403, "a proven key that may not do that", "its role or its addresses: `cosigner waas key list`"),
  2026: error(429, "too many requests, or too many tasks in work", "wait as many seconds as `Retry-After` says"),
  2028: error(404, "not found", "the message names what there is not"),
  2029: error(400, "not in a state for that", "the message says which state it is in"),
  30001: error(
    400,
    "the request_id was used for another request",
    "take a new one; the same request again is answered as before",
  ),
  30032: error(400, "no signing group is available", "make the keys first, or name a group that has them"),
  60005: error(400, "it cannot be cancelled any more", "look at what it is now"),
} as const satisfies Readonly<Record<number, ApiError>>

type ErrorCode = keyof typeof API_ERRORS

export class ApiFailure extends Error {
  override readonly name = "ApiFailure"
  readonly status: number
  /** For HTTP 429: seconds after which another try may succeed. */
  readonly retryAfter: number | undefined
  constructor(
    readonly errorCode: ErrorCode,
    message: string,
    retryAfter = 1,
  ) {
    super(message)
    this.status = API_ERRORS[errorCode].http
    this.retryAfter = this.status === 429 ? retryAfter : undefined
  }
}

export const notFound = (what: string, id: string): ApiFailure => new ApiFailure(2028, `no ${what} ${id}`)
