/** Entries by the accounts that they name: of hundreds, few are asked of one effect. */
import { type EffectView, isAnyChain } from "./effectView.ts"
import type { Conditions } from "./entry.ts"
import type { Targets } from "./targets.ts"

export class ByTarget<C extends Conditions> {
  /** That name no account, or a path. */
  readonly #anywhere: readonly C[]
  readonly #byAccount: ReadonlyMap<string, readonly C[]>
  /** Whether some are here by the contracts that they name, which ask nothing of an effect that speaks to none. */
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

  /** Whichever could reach where the effect goes; one more than once, where several names lead to it. */
  reaching({ to }: EffectView): readonly C[] {
    if (to.is !== "known" || this.#byAccount.size === 0) return this.#anywhere
    const named = to.value.keys.flatMap((key) => this.#byAccount.get(key) ?? [])
    return named.length === 0 ? this.#anywhere : [...named, ...this.#anywhere]
  }

  /** For conditions that what is unknown matches. */
  matching(view: EffectView): readonly C[] {
    const isCertain =
      view.to.is === "known" &&
      !view.to.value.isStrange &&
      !isAnyChain(view.to.value.chain) &&
      (view.isContract || !this.#hasContracts)
    return isCertain ? this.reaching(view) : this.entries
  }
}

/** What it goes to, if that is accounts alone. */
function accountsOf({ to, contracts }: Conditions): Targets | undefined {
  const targets = to ?? contracts
  return targets?.paths.length === 0 ? targets : undefined
}
