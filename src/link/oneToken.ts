/**
 * The fencing token that a node shows to several replicas at one time. Its commits go on meanwhile, and replicas hear proofs in any order:
 * a token that is lower than the one before it would look like an older copy of the database. So all proofs that are under way at one time
 * say the same.
 */
import type { FencingToken } from "../wire/hello.ts"

export class OneToken {
  readonly #present: () => FencingToken
  readonly #unanswered = new Set<object>()
  #said: FencingToken | undefined

  constructor(present: () => FencingToken) {
    this.#present = present
  }

  /** For a proof that `by` makes now. */
  say(by: object): FencingToken {
    const said = this.#unanswered.size > 0 && this.#said !== undefined ? this.#said : this.#present()
    this.#said = said
    this.#unanswered.add(by)
    return said
  }

  /** Let in, refused or cut off. */
  answered(by: object): void {
    this.#unanswered.delete(by)
  }
}
