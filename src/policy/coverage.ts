/**
 * Which allow entries cover the effects of a reading. At least one entry all of whose conditions hold must cover every effect and the
 * fee. In addition, a call to a listed token's own transfer function is covered by the transfer that it makes, and a
 * memo by an entry with `memo = "any"` that covers something else.
 */
import { toHex } from "../bytes.ts"
import { chainOf } from "../intent/caip.ts"
import type { Call, Effect, Transfer } from "../intent/reading.ts"
import { type EffectView, viewOf } from "./effectView.ts"
import {
  type Allowing,
  ceilingOf,
  coversFee,
  type Missed,
  type Moment,
  missedByEffect,
  missedByKind,
  missedByReading,
} from "./entry.ts"
import type { Names } from "./names.ts"
import { firstSettled, Plans } from "./plans.ts"
import type { Intent } from "./request.ts"

interface Covered {
  readonly effects: readonly boolean[]
  readonly fee: boolean
  /** Entries that cover something, as far as they were evaluated. */
  readonly by: ReadonlySet<string>
}

export class Coverage {
  constructor(
    readonly entries: readonly Allowing[],
    readonly names: Names,
  ) {}

  of(intent: Intent, moment: Moment): Covered {
    const asked = new ReadingCoverage(this, intent, moment)
    const effects = asked.views.map((view) => asked.first(view) !== undefined)
    const by = new Set(asked.found)
    const transfers = coveredTransfers(asked.views, effects)
    const withCalls = effects.map((is, i) => is || isCoveredCall(asked.views[i], transfers, this.names))
    const isMemo = (i: number): boolean => asked.views[i]?.effect.kind === "memo"
    const anyMemo = withCalls.some((is, i) => !is && isMemo(i)) && asked.anyMemo()
    const all = withCalls.map((is, i) => is || (anyMemo && isMemo(i)))
    return { effects: all, fee: asked.coversFee(), by }
  }

  /** For people: every entry for an effect, and why each entry that does not cover it does not. */
  reasons(intent: Intent, moment: Moment, effect: Effect): readonly { entry: string; missed: Missed | undefined }[] {
    const view = viewOf(effect, intent, this.names)
    return this.entries.map((entry) => ({
      entry: entry.name,
      missed: missedByReading(entry, moment) ?? missedByEffect(entry, view, this.names),
    }))
  }
}

/** One reading under all entries. Evaluates conditions on the whole reading once for each entry, and keeps the entries that may cover something. */
class ReadingCoverage {
  readonly views: readonly EffectView[]
  readonly found: Set<string> = new Set()
  readonly standing: readonly Allowing[]
  readonly #plans: Plans<Allowing>

  constructor(
    readonly coverage: Coverage,
    readonly intent: Intent,
    moment: Moment,
  ) {
    this.views = intent.reading.effects.map((effect) => viewOf(effect, intent, coverage.names))
    this.standing = coverage.entries.filter((entry) => missedByReading(entry, moment) === undefined)
    this.#plans = this.#plansOf(this.standing)
  }

  #plansOf(entries: readonly Allowing[]): Plans<Allowing> {
    const { names } = this.coverage
    return new Plans(entries, {
      fits: (entry, view) => missedByKind(entry, view, names) === undefined,
      ceiling: ceilingOf,
    })
  }

  first(view: EffectView): Allowing | undefined {
    const entry = this.#firstOf(this.#plans, view)
    if (entry !== undefined) this.found.add(entry.name)
    return entry
  }

  #firstOf(plans: Plans<Allowing>, view: EffectView): Allowing | undefined {
    const { alike, open } = plans.for(view)
    return (
      firstSettled(alike, view) ??
      open.reaching(view).find((entry) => missedByEffect(entry, view, this.coverage.names) === undefined)
    )
  }

  /** Whether an entry that `among` accepts covers some effect. */
  #coversSomething(among: (entry: Allowing) => boolean): boolean {
    const entries = this.standing.filter(among)
    if (entries.length === 0) return false
    const plans = this.#plansOf(entries)
    return this.views.some((view) => this.#firstOf(plans, view) !== undefined)
  }

  anyMemo(): boolean {
    return this.#coversSomething((entry) => entry.anyMemo)
  }

  coversFee(): boolean {
    const { fee } = this.intent.reading
    if (fee.max === 0n && !fee.unbounded) return true
    return this.#coversSomething((entry) => coversFee(entry, fee))
  }
}

// ---- a token's own transfer functions ----------------------------------------------------------------------------------

const WORD = 32
/** transfer(address,uint256); transferFrom(address,address,uint256); safeTransferFrom(address,address,uint256). */
const TRANSFERS: Readonly<Record<string, { readonly words: number; readonly to: number }>> = {
  "0xa9059cbb": { words: 2, to: 0 },
  "0x23b872dd": { words: 3, to: 1 },
  "0x42842e0e": { words: 3, to: 1 },
}

/** Transfers by what they move: an amount, or the id of a token. */
type Transfers = ReadonlyMap<bigint, readonly Transfer[]>

function coveredTransfers(views: readonly EffectView[], covered: readonly boolean[]): Transfers {
  const byValue = new Map<bigint, Transfer[]>()
  for (const [i, { effect }] of views.entries()) {
    if (covered[i] !== true || effect.kind !== "transfer") continue
    for (const value of new Set([effect.amount, effect.tokenId ?? effect.amount])) {
      const known = byValue.get(value)
      if (known === undefined) byValue.set(value, [effect])
      else known.push(effect)
    }
  }
  return byValue
}

/** Whether an effect is a call that does nothing but make a transfer that is listed beside it and is covered. */
function isCoveredCall(view: EffectView | undefined, transfers: Transfers, names: Names): boolean {
  if (view === undefined || view.effect.kind !== "call" || view.to.is !== "known") return false
  const made = transferOf(view.effect)
  if (made === undefined) return false
  const contract = view.to.value.account
  const chain = view.chains[0] ?? ""
  return transfers.get(made.value)?.some((effect) => isTransferOf(effect, contract, chain, made, names)) === true
}

interface TransferCall {
  /** 20 bytes, hex. */
  readonly to: string
  readonly value: bigint
}

function transferOf({ selector, data }: Call): TransferCall | undefined {
  const form = TRANSFERS[selector]
  if (form === undefined || data.length !== 4 + form.words * WORD) return undefined
  const word = (n: number): Uint8Array => data.subarray(4 + n * WORD, 4 + (n + 1) * WORD)
  const to = toHex(word(form.to)).slice(-40)
  return { to, value: BigInt(`0x${toHex(word(form.words - 1))}`) }
}

/** The transfer of `contract`'s own listed token that the call makes. TRON has one call in a transaction, and spells accounts differently. */
function isTransferOf(effect: Transfer, contract: string, chain: string, made: TransferCall, names: Names): boolean {
  const { asset, to, amount, tokenId } = effect
  if (typeof asset !== "string" || typeof to !== "string" || !names.assets.has(asset) || chainOf(asset) !== chain)
    return false
  const [, reference = ""] = asset.split("/")
  const [standard = "", token] = reference.split(":")
  const isToken = token === contract || token === contract.toLowerCase()
  const value = standard === "erc721" ? tokenId : amount
  if (!isToken || value !== made.value) return false
  return standard === "trc20" || to.toLowerCase() === `0x${made.to}`
}
