/**
 * Evaluates hundreds of entries over hundreds of effects without evaluating each pair. Most effects of a payload differ only in destination
 * and amount. So the conditions on kind, chain, asset, function and type are evaluated once for all effects that agree in these. Of an
 * entry at most a bound, its accounts and its arguments remain to be evaluated. This changes only the work, never the answer.
 */
import { ByTarget } from "./byTarget.ts"
import type { EffectView } from "./effectView.ts"
import type { Conditions } from "./entry.ts"

interface EntryPlan<C> {
  /** Entries of which only `ceiling` remains to be checked; in their order. */
  readonly alike: readonly Settled<C>[]
  /** The other entries, by account. */
  readonly open: ByTarget<C & Conditions>
}

interface Settled<C> {
  readonly entry: C
  /** The highest amount that this entry or one before it accepts; undefined is any amount. */
  readonly reach: bigint | undefined
}

interface Questions<C> {
  /** Whether all conditions of an entry on the fields of `keyOf` hold. */
  readonly fits: (entry: C, view: EffectView) => boolean
  /** The largest amount of the effect's asset that the entry accepts: "any", or "none". */
  readonly ceiling: (entry: C, view: EffectView) => bigint | "any" | "none"
}

export class Plans<C extends Conditions> {
  readonly #plans = new Map<string, EntryPlan<C>>()

  constructor(
    readonly entries: readonly C[],
    readonly questions: Questions<C>,
  ) {}

  for(view: EffectView): EntryPlan<C> {
    const key = keyOf(view)
    const known = this.#plans.get(key)
    if (known !== undefined) return known
    const plan = this.#make(view)
    this.#plans.set(key, plan)
    return plan
  }

  #make(view: EffectView): EntryPlan<C> {
    const { fits, ceiling } = this.questions
    const fitting = this.entries.filter((entry) => fits(entry, view))
    const alike: Settled<C>[] = []
    for (const entry of fitting.filter(isSettled)) {
      const most = ceiling(entry, view)
      if (most === "none") continue
      const before = alike.at(-1)
      if (before !== undefined && before.reach === undefined) break
      const reach =
        most === "any" ? undefined : before?.reach !== undefined && before.reach > most ? before.reach : most
      alike.push({ entry, reach })
    }
    return { alike, open: new ByTarget(fitting.filter((entry) => !isSettled(entry))) }
  }
}

/** The first entry whose bound accepts the amount. For an effect without amount only entries without bounds count. */
export function firstSettled<C>(alike: readonly Settled<C>[], { amount }: EffectView): C | undefined {
  let low = 0
  let high = alike.length
  while (low < high) {
    const middle = (low + high) >> 1
    const reach = alike[middle]?.reach
    if (reach === undefined || (amount !== undefined && reach >= amount)) high = middle
    else low = middle + 1
  }
  return alike[low]?.entry
}

const isSettled = (entry: Conditions): boolean =>
  entry.to === undefined && entry.contracts === undefined && entry.arguments === undefined

/** Everything that `fits` and `ceiling` may look at. No name, chain, asset or selector contains a line feed. */
function keyOf({ effect, chains, asset, selector, encodeType, call }: EffectView): string {
  const named = call.is === "known" ? call.value.name : ""
  const worth = asset.is === "known" ? asset.value : ""
  return [effect.kind, chains.join(" "), asset.is, worth, selector ?? "-", call.is, named, encodeType ?? "-"].join("\n")
}
