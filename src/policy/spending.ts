/**
 * What an intent takes from a limit by amount, and the resulting state of the counters (intents.md 5.3). Transfers out count,
 * approvals unless the limit says otherwise, and the highest fee. An effect that cannot be counted is an error. Sums are exact.
 *
 * Transactions that spend the same thing (an outpoint; the nonce of an account on a chain) replace one another: at most one of
 * them can take effect, so they debit their largest, at the time of the latest. Only one input stands for a transaction with several
 * inputs, and only transactions that spend this very input share its debit. So any two members of a group exclude each other.
 */
import { NATIVE_ASSETS } from "../intent/caip.ts"
import type { Account, Effect, Reading } from "../intent/reading.ts"
import type { AmountDebit, Usage } from "./decision.ts"
import { uncountable } from "./doubt.ts"
import { targetOf } from "./effectView.ts"
import { assetKey } from "./names.ts"
import type { Intent } from "./request.ts"

export interface Spends {
  readonly per: "all" | "group" | "destination" | "source"
  /** CAIP-19 ids. */
  readonly assets: ReadonlySet<string>
  readonly approvals: boolean
}

/** What one intent takes, by the scope of counting and by asset: `scopes` of `{asset: base units}`. */
type Taken = Map<string, Map<string, bigint>>

/** The accounts that one limit bounds separately; `""` if it bounds everything together. Throws if an effect cannot be counted. */
function takenBy(limit: Spends, intent: Intent): Taken {
  const { reading } = intent
  const taken: Taken = new Map()
  const take = (scopes: readonly string[], asset: string, amount: bigint): void => {
    if (amount === 0n) return
    for (const scope of scopes) {
      const byAsset = taken.get(scope) ?? new Map<string, bigint>()
      byAsset.set(asset, (byAsset.get(asset) ?? 0n) + amount)
      taken.set(scope, byAsset)
    }
  }
  for (const [i, effect] of reading.effects.entries()) {
    const moved = movedBy(effect, i, limit, intent)
    if (moved !== undefined) take(scopesOf(limit, effect, i, reading), moved.asset, moved.amount)
  }
  const feeAsset = assetKey(reading.fee.asset)
  if (limit.assets.has(feeAsset)) take(feeScopes(limit, reading), feeAsset, reading.fee.max)
  return taken
}

function movedBy(
  effect: Effect,
  i: number,
  { assets, approvals }: Spends,
  { reading, accounts }: Intent,
): { readonly asset: string; readonly amount: bigint } | undefined {
  const isOwn = (account: Account): boolean =>
    typeof account === "string" && accounts.get(account)?.ownPath !== undefined
  if (effect.kind === "close_account") {
    const native = NATIVE_ASSETS.get(reading.chain)?.id ?? assetKey(reading.fee.asset)
    if (assets.has(native) && !isOwn(effect.to))
      throw uncountable(`effect ${i + 1}: what the closed account pays out is not in the payload`)
    return undefined
  }
  if (effect.kind !== "transfer" && effect.kind !== "approve" && effect.kind !== "permit") return undefined
  if (effect.kind === "transfer" ? effect.toPath !== undefined || isOwn(effect.to) : !approvals) return undefined
  if (typeof effect.asset !== "string") throw uncountable(`effect ${i + 1}: which asset moves is not in the payload`)
  const asset = assetKey(effect.asset)
  return assets.has(asset) ? { asset, amount: effect.amount } : undefined
}

function scopesOf({ per }: Spends, effect: Effect, i: number, reading: Reading): readonly string[] {
  if (per === "all" || per === "group") return [""]
  if (per === "destination") {
    const to = targetOf(effect)
    if (typeof to !== "string") throw uncountable(`effect ${i + 1}: where it goes is not in the payload`)
    return [to]
  }
  const from = "from" in effect ? effect.from : undefined
  if (typeof from !== "string") throw uncountable(`effect ${i + 1}: whose funds move is not in the payload`)
  // Coins of several addresses are spent together, but the effects name only one address.
  return reading.from.includes(from) ? reading.from : [from]
}

/** Nobody in particular receives the fee, so it counts for every destination of its transaction. */
function feeScopes({ per }: Spends, { from, effects }: Reading): readonly string[] {
  if (per === "all" || per === "group") return [""]
  if (per === "source") {
    if (from.length === 0) throw uncountable("who pays the fee is not in the payload")
    return from
  }
  const to = new Set(effects.map(targetOf).filter((account) => typeof account === "string"))
  return to.size === 0 ? ["nobody"] : [...to]
}

/** Names of what the transaction spends and what no second transaction can spend; none if nothing is known about it. */
export function spentBy({ format, chain, from, nonce }: Reading): readonly string[] {
  if (nonce === undefined) return []
  if (format === "bitcoin/psbt")
    return nonce
      .split(" ")
      .filter((outpoint) => outpoint !== "")
      .map((outpoint) => `${chain} ${outpoint}`)
      .toSorted()
  return format === "evm/transaction" && from[0] !== undefined ? [`${chain} ${from[0]} ${nonce}`] : []
}

/** Counters are named by what they count, never by the limit. */
function counterOf({ per, approvals }: Spends, scope: string, asset: string, rootKey: string): string {
  const what = approvals ? "amount" : "transfers"
  switch (per) {
    case "all":
      return `${what}/all/${asset}`
    case "group":
      return `${what}/key/${rootKey}/${asset}`
    case "destination":
      return `${what}/to/${asset}/${scope}`
    case "source":
      return `${what}/from/${asset}/${scope}`
  }
}

export interface ScopeUse {
  /** The account that is bounded separately; empty if everything is counted together. */
  readonly scope: string
  readonly used: bigint
  /** The total if the request is approved. */
  readonly total: bigint
}

interface Spending {
  readonly scopes: readonly ScopeUse[]
  readonly debits: readonly AmountDebit[]
}

/** Throws if something cannot be counted. */
export function spending(
  limit: Spends,
  intents: readonly Intent[],
  rootKey: string,
  usage: Usage,
  sinceMs: number,
): Spending {
  const tallies = new Map<string, { readonly scope: string; readonly tally: AmountTally }>()
  for (const intent of intents) {
    const names = spentBy(intent.reading)
    for (const [scope, byAsset] of takenBy(limit, intent)) {
      for (const [asset, amount] of byAsset) {
        const counter = counterOf(limit, scope, asset, rootKey)
        const known = tallies.get(counter) ?? { scope, tally: new AmountTally(usage, counter, sinceMs) }
        known.tally.add(amount, names)
        tallies.set(counter, known)
      }
    }
  }
  const scopes = Map.groupBy(tallies.values(), ({ scope }) => scope)
  return {
    scopes: [...scopes].map(([scope, items]) => ({
      scope,
      ...together(
        limit,
        scope,
        items.map(({ tally }) => tally),
        rootKey,
        usage,
        sinceMs,
      ),
    })),
    debits: [...tallies.values()].flatMap(({ tally }) => tally.debits()),
  }
}

/** All assets of the limit in one scope, including those of which the request takes nothing. */
function together(
  limit: Spends,
  scope: string,
  tallies: readonly AmountTally[],
  rootKey: string,
  usage: Usage,
  sinceMs: number,
): { readonly used: bigint; readonly total: bigint } {
  const taken = new Set(tallies.map(({ counter }) => counter))
  const others = [...limit.assets]
    .map((asset) => counterOf(limit, scope, asset, rootKey))
    .filter((counter) => !taken.has(counter))
    .reduce((sum, counter) => sum + usage.sum(counter, sinceMs), 0n)
  return {
    used: tallies.reduce((sum, tally) => sum + tally.used, others),
    total: tallies.reduce((sum, tally) => sum + tally.total(), others),
  }
}

/** One counter, and what the intents of one request take from it. */
class AmountTally {
  readonly used: bigint
  #alone = 0n
  /** The largest amounts of this request, by what they replace. */
  readonly #replacing: Map<string, bigint> = new Map()

  constructor(
    readonly usage: Usage,
    readonly counter: string,
    readonly sinceMs: number,
  ) {
    this.used = usage.sum(counter, sinceMs)
    if (this.used < 0n) throw new RangeError(`the counter ${counter} reads ${this.used}`)
  }

  add(amount: bigint, names: readonly string[]): void {
    const known = names.find(
      (name) => this.#replacing.has(name) || this.usage.replaced(this.counter, name) !== undefined,
    )
    const name = known ?? names[0]
    if (name === undefined) this.#alone += amount
    else this.#replacing.set(name, larger(amount, this.#replacing.get(name) ?? 0n))
  }

  total(): bigint {
    let total = this.used + this.#alone
    for (const [name, amount] of this.#replacing) {
      const before = this.usage.replaced(this.counter, name)
      const counted = before !== undefined && before.latestMs >= this.sinceMs ? before.amount : 0n
      total += larger(amount, before?.amount ?? 0n) - counted
    }
    return total
  }

  debits(): readonly AmountDebit[] {
    const all = [["", this.#alone] as const, ...this.#replacing]
    return all
      .filter(([, amount]) => amount > 0n)
      .map(([replaces, amount]) => ({ counter: this.counter, amount, replaces }))
  }
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
