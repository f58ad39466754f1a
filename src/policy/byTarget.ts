/** Entries by the accounts that they name: of hundreds, few are asked of one effect. */
import { type EffectView, isAnyChain } from "./effectView.ts"
import type { Conditions } from "./entry.ts"

export class ByTarget<C extends Conditions> {
  /** That name no account in `to`, or a path. */
  readonly #anywhere: readonly C[]
  readonly #byAccount: ReadonlyMap<string, readonly C[]>

  constructor(readonly entries: readonly C[]) {
    this.#anywhere = entries.filter((entry) => !isNamed(entry))
    const byAccount = new Map<string, C[]>()
    for (const entry of entries.filter(isNamed)) {
      for (const account of entry.to?.accounts ?? []) {
        const known = byAccount.get(account)
        if (known === undefined) byAccount.set(account, [entry])
        else known.push(entry)
      }
    }
    this.#byAccount = byAccount
  }

  /** Whichever could reach where the effect goes; one more than once, where several names lead to it. */
  reaching({ to }: EffectView): readonly C[] {
    if (to.is !== "known" || this.#byAccount.size === 0) return this.#anywhere
    const named = to.value.keys.flatMap((key) => this.#byAccount.get(key) ?? [])
    return named.length === 0 ? this.#anywhere : [...named, ...this.#anywhere]
  }

  /** For conditions that what is unknown matches. */
  matching(view: EffectView): readonly C[] {
    const isCertain = view.to.is === "known" && !view.to.value.isStrange && !isAnyChain(view.to.value.chain)
    return isCertain ? this.reaching(view) : this.entries
  }
}

/** Whether it goes to accounts alone. */
const isNamed = ({ to }: Conditions): boolean => to !== undefined && to.paths.length === 0
