/**
 * Hundreds of entries over hundreds of effects, without asking each of each. Most effects of a payload differ in destination and
 * amount alone: what entries ask of kind, chain, asset, function and type is asked once for all that agree in these. What is
 * left of an entry is at most a bound, its accounts and its arguments. Who is asked changes; what is answered does not.
 */
import { ByTarget } from "./byTarget.ts"
import type { EffectView } from "./effectView.ts"
import type { Conditions } from "./entry.ts"

interface EntryPlan<C> {
  /** Of which nothing is left to ask but `ceiling`; in their order. */
  readonly alike: readonly Settled<C>[]
  /** The others, by account. */
  readonly open: ByTarget<C & Conditions>
}

interface Settled<C> {
  readonly entry: C
  /** The highest that this entry or one before it takes; undefined is any amount. */
  readonly reach: bigint | undefined
}

interface Questions<C> {
  /** Whether all holds that an entry asks of what `keyOf` has. */
  readonly fits: (entry: C, view: EffectView) => boolean
  /** The most that the entry takes of the effect's asset: "any", or "none". */
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

/** The first whose bound takes the amount; an effect without amount meets entries without bounds alone. */
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

/** Everything that `fits` and `ceiling` may look at. A line feed stands in no name, chain, asset or selector. */
function keyOf({ effect, chains, asset, selector, encodeType, call }: EffectView): string {
  const named = call.is === "known" ? call.value.name : ""
  const worth = asset.is === "known" ? asset.value : ""
  return [effect.kind, chains.join(" "), asset.is, worth, selector ?? "-", call.is, named, encodeType ?? "-"].join("\n")
}
