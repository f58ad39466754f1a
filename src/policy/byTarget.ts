/** An index of entries by the accounts that they name: of hundreds of entries, only a few have to be evaluated for one effect. */
import { type EffectView, isAnyChain } from "./effectView.ts"
import type { Conditions } from "./entry.ts"
import type { Targets } from "./targets.ts"

export class ByTarget<C extends Conditions> {
  /** Entries that name no account, or that name a path. */
  readonly #anywhere: readonly C[]
  readonly #byAccount: ReadonlyMap<string, readonly C[]>
  /** Whether some entries are here because of the contracts that they name. These do not concern an effect that calls no contract. */
  readonly #hasContracts: boolean

  constructor(readonly entries: readonly C[]) {
    this.#anywhere = entries.filter((entry) => accountsOf(entry) === undefined)
    this.#hasContracts = entries.some((entry) => entry.to === undefined && accountsOf(entry) !== undefined)
    const byAccount = new Map<string, C[]>()
    for (const entry of entries) {
      for (const account of accountsOf(entry)?.accounts ?? []) {
        const known = byAccount.get(account)
        if (known === undefined) byAccount.set(account, [entry])
        else known.push(entry)
      }
    }
    this.#byAccount = byAccount
  }

  /** The entries that could cover the effect's destination; an entry occurs more than once if several of its names lead there. */
  reaching({ to }: EffectView): readonly C[] {
    if (to.is !== "known" || this.#byAccount.size === 0) return this.#anywhere
    const named = to.value.keys.flatMap((key) => this.#byAccount.get(key) ?? [])
    return named.length === 0 ? this.#anywhere : [...named, ...this.#anywhere]
  }

  /** The same for conditions that an unknown value matches. */
  matching(view: EffectView): readonly C[] {
    const isCertain =
      view.to.is === "known" &&
      !view.to.value.isStrange &&
      !isAnyChain(view.to.value.chain) &&
      (view.isContract || !this.#hasContracts)
    return isCertain ? this.reaching(view) : this.entries
  }
}

/** The destinations of an entry, if all of them are accounts. */
function accountsOf({ to, contracts }: Conditions): Targets | undefined {
  const targets = to ?? contracts
  return targets?.paths.length === 0 ? targets : undefined
}
