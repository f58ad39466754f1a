/**
 * Who may read the console: a caller with its token, in a header or by a session that the login form opened. Only digests of the token and
 * of sessions are kept. The rate of wrong tokens is limited before they are compared, so that nobody can keep guessing.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, secretEqual, utf8 } from "../../bytes.ts"
import { bearerOf, isToken } from "../../panel/asking.ts"
import { digestOf } from "../../panel/listen.ts"
import { TokenBucket } from "../../tokenBucket.ts"

type SessionAdmission = "admitted" | "refused" | "too many"

export interface Sessions {
  /** Checks the session cookie or the Authorization header. */
  admits(request: Request): SessionAdmission
  /** Opens a session for a token from the form, and returns its cookie. */
  open(token: string): { readonly cookie: string } | Exclude<SessionAdmission, "admitted">
  /** Ends the session of the request, and returns the cookie that replaces its cookie. */
  close(request: Request): string
}

/** Ten wrong tokens at once, then one in ten seconds. */
const WRONG = { burst: 10, perSecond: 0.1 }
const MOST_SESSIONS = 64
export const SESSION_MS = 8 * 3_600_000
const NAME = "cosigner_console"
const COOKIE = /(?:^|;\s*)cosigner_console=([A-Za-z0-9_-]{43})(?:;|$)/

/** `clock` is monotonic, in milliseconds. */
export function createSessions(token: Bytes, clock: () => number): Sessions {
  const wrong = new TokenBucket(WRONG, clock())
  /** Oldest first. */
  const sessions: { readonly digest: Bytes; readonly endMs: number }[] = []

  function admitsToken(given: string): SessionAdmission {
    if (wrong.tokens(clock()) < 1) return "too many"
    if (isToken(given, token)) return "admitted"
    wrong.charge(1)
    return "refused"
  }

  /** Compares with all sessions, each in constant time. */
  function indexOf(request: Request): number {
    const id = COOKIE.exec(request.headers.get("cookie") ?? "")?.[1]
    if (id === undefined) return -1
    const digest = digestOf(utf8(id))
    let found = -1
    for (const [i, session] of sessions.entries()) if (secretEqual(session.digest, digest)) found = i
    return found
  }

  function forgetEnded(): void {
    while (sessions[0] !== undefined && sessions[0].endMs <= clock()) sessions.shift()
  }

  return {
    admits(request) {
      forgetEnded()
      if (indexOf(request) >= 0) return "admitted"
      const given = bearerOf(request)
      return given === undefined ? "refused" : admitsToken(given)
    },
    open(given) {
      const admission = admitsToken(given)
      if (admission !== "admitted") return admission
      forgetEnded()
      const id = randomBytes(32).toString("base64url")
      sessions.push({ digest: digestOf(utf8(id)), endMs: clock() + SESSION_MS })
      if (sessions.length > MOST_SESSIONS) sessions.shift()
      return { cookie: `${NAME}=${id}; ${FLAGS}; Max-Age=${SESSION_MS / 1000}` }
    },
    close(request) {
      const index = indexOf(request)
      if (index >= 0) sessions.splice(index, 1)
      return `${NAME}=; ${FLAGS}; Max-Age=0`
    },
  }
}

/** Without Secure: the listener is plain HTTP on the loopback, and some browsers send no Secure cookies there. */
const FLAGS = "Path=/; HttpOnly; SameSite=Strict"
