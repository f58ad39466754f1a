/**
 * The fencing token that a node shows to several replicas at the same time (formats.md 14.4). The node's commits go on meanwhile, and
 * proofs reach the replicas in any order; a token lower than the one before would look like an older copy of the database. So all
 * proofs that are in flight at one time carry the same token.
 */
import type { FencingToken } from "../wire/hello.ts"

export class OneToken {
  readonly #present: () => FencingToken
  readonly #unanswered = new Set<object>()
  #said: FencingToken | undefined

  constructor(present: () => FencingToken) {
    this.#present = present
  }

  /** The token for the proof that link `by` makes now: that of the unanswered proofs if there are any, else a fresh one. */
  say(by: object): FencingToken {
    const said = this.#unanswered.size > 0 && this.#said !== undefined ? this.#said : this.#present()
    this.#said = said
    this.#unanswered.add(by)
    return said
  }

  /** The proof of `by` is no longer in flight: the node was welcomed or refused, or the connection broke. */
  answered(by: object): void {
    this.#unanswered.delete(by)
  }
}
