/** Sessions seen from outside: which are open, when they should have ended, and how long each took. */
import type { Ending, SessionSpec } from "../../mpc/session.ts"
import type { StartSession } from "../../tasks/ports.ts"

export interface SessionInProgress {
  readonly protocol: string
  /** Monotonic, ms; past this something should have ended it. */
  readonly endsAt: number
}

interface SessionBook {
  /** Starts a session as `start` does, and keeps track of it. */
  readonly startSession: StartSession
  open(): Iterable<SessionInProgress>
}

/** The name of a session in metrics: `dkg`, `reshare`, or `sign ecdsa`. */
const protocolOf = (spec: SessionSpec<unknown>): string =>
  spec.protocol === "sign" ? `sign ${spec.algorithm}` : spec.protocol

export function sessionBook(parts: {
  readonly start: StartSession
  readonly clock: () => number
  /** The longest a session of this kind may take, ms. */
  readonly limitMs: (spec: SessionSpec<unknown>) => number
  readonly onEnd: (protocol: string, ending: Ending["kind"], tookMs: number) => void
}): SessionBook {
  const open = new Set<SessionInProgress>()
  return {
    startSession(spec, io) {
      const begunAt = parts.clock()
      const entry: SessionInProgress = { protocol: protocolOf(spec), endsAt: begunAt + parts.limitMs(spec) }
      const session = parts.start(spec, io)
      open.add(entry)
      session.ending.then((ending) => {
        open.delete(entry)
        parts.onEnd(entry.protocol, ending.kind, parts.clock() - begunAt)
      })
      return session
    },
    open: () => open,
  }
}
