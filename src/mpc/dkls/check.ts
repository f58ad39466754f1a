/**
 * The ban rule for checks on secrets (threshold.md 2.5). Whether such a check passes tells the peer something about our OT
 * state. So its beginning and its verdict are recorded, and any error inside counts as a failure.
 */
import type { PartyId } from "../../keys/party.ts"
import { ban } from "../blame.ts"
import { type Protocol, record } from "../exchange.ts"

export interface CheckResult<T> {
  readonly passed: boolean
  readonly value: T
}

/**
 * Runs `check` on signed input of `peer` whose sid, view and confirmation matched. Throws BAN(peer) unless it passes.
 * An error inside `check` is also a BAN: an error that a peer can provoke would otherwise hide the same predicate.
 */
export function* guarded<T>(peer: PartyId, reason: string, check: () => CheckResult<T>): Protocol<T> {
  yield* record({ kind: "checking", peer })
  const value = passedOrBanned(peer, reason, check)
  yield* record({ kind: "checked", peer })
  return value
}

function passedOrBanned<T>(peer: PartyId, reason: string, check: () => CheckResult<T>): T {
  let verdict: CheckResult<T>
  try {
    verdict = check()
  } catch (error) {
    // The peer is not at fault if this node is out of memory: the session crashes, and the open check is counted (rule 9).
    if (isOutOfMemory(error)) throw error
    throw ban(peer, `${reason}: threw`)
  }
  if (!verdict.passed) throw ban(peer, reason)
  return verdict.value
}

// The engine marks this error only by its text.
const isOutOfMemory = (error: unknown): boolean => error instanceof RangeError && error.message === "Out of memory"
