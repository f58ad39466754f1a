/**
 * A request that WaaS does not carry out, with the number and HTTP status that its caller gets (formats.md 7.3). Its text
 * goes to the caller as it is, so it never holds a secret, a path of this machine or a stack.
 */

/** The vendor's error codes, each with its HTTP status. */
const STATUS = {
  2000: 500, // internal
  2003: 400, // missing parameter
  2006: 400, // invalid parameter
  2021: 404, // no such endpoint
  2024: 401, // API key or signature
  2025: 403, // a proven key that may not do that
  2026: 429, // too many requests
  2028: 404, // not found
  2029: 400, // not in a state for that
  30001: 400, // request_id already used
  30032: 400, // no signing group available
  60005: 400, // cannot cancel
} as const

type ErrorCode = keyof typeof STATUS

export class ApiFailure extends Error {
  override readonly name = "ApiFailure"
  readonly status: number
  /** Of 429: seconds after which another try may go through. */
  readonly retryAfter: number | undefined
  constructor(
    readonly errorCode: ErrorCode,
    message: string,
    retryAfter = 1,
  ) {
    super(message)
    this.status = STATUS[errorCode]
    this.retryAfter = this.status === 429 ? retryAfter : undefined
  }
}

export const notFound = (what: string, id: string): ApiFailure => new ApiFailure(2028, `no ${what} ${id}`)
