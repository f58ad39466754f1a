/**
 * Which allow entries cover what a reading does. Every effect and the fee must be covered by at least one entry all of whose
 * conditions hold. Besides: a call to a listed token's own transfer function is covered by the transfer that it makes, and a
 * memo by an entry with `memo = "any"` that covers something else.
 */
import { toHex } from "../bytes.ts"
import { chainOf } from "../intent/caip.ts"
import type { Call, Effect, Transfer } from "../intent/reading.ts"
import { ByTarget } from "./byTarget.ts"
import { type EffectView, viewOf } from "./effectView.ts"
import { type Allowing, coversFee, type Missed, type Moment, missedByEffect, missedByReading } from "./entry.ts"
import type { Names } from "./names.ts"
import type { Intent } from "./request.ts"

interface Covered {
  readonly effects: readonly boolean[]
  readonly fee: boolean
  /** Entries by which something is covered, as far as they were asked. */
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
    const withCalls = effects.map((is, i) => is || isCoveredCall(asked.views, effects, i, this.names))
    const all = withCalls.map((is, i) => is || (asked.views[i]?.effect.kind === "memo" && asked.anyMemo()))
    return { effects: all, fee: asked.coversFee(), by }
  }

  /** Every entry of an effect and why those that do not cover it do not: for people. */
  reasons(intent: Intent, moment: Moment, effect: Effect): readonly { entry: string; missed: Missed | undefined }[] {
    const view = viewOf(effect, intent, this.names)
    return this.entries.map((entry) => ({
      entry: entry.name,
      missed: missedByReading(entry, moment) ?? missedByEffect(entry, view, this.names),
    }))
  }
}

/** One reading under all entries. What holds for the whole reading is asked once of each, and leaves those that may cover something. */
class ReadingCoverage {
  readonly views: readonly EffectView[]
  readonly found: Set<string> = new Set()
  readonly standing: readonly Allowing[]
  readonly #byKind: Map<string, ByTarget<Allowing>> = new Map()

  constructor(
    readonly coverage: Coverage,
    readonly intent: Intent,
    moment: Moment,
  ) {
    this.views = intent.reading.effects.map((effect) => viewOf(effect, intent, coverage.names))
    this.standing = coverage.entries.filter((entry) => missedByReading(entry, moment) === undefined)
  }

  #covers(entry: Allowing, view: EffectView): boolean {
    return missedByEffect(entry, view, this.coverage.names) === undefined
  }

  #candidates(view: EffectView): readonly Allowing[] {
    const { kind } = view.effect
    let entries = this.#byKind.get(kind)
    if (entries === undefined) {
      entries = new ByTarget(this.standing.filter(({ kinds }) => kinds?.has(kind)))
      this.#byKind.set(kind, entries)
    }
    return entries.reaching(view)
  }

  first(view: EffectView): Allowing | undefined {
    const entry = this.#candidates(view).find((one) => this.#covers(one, view))
    if (entry !== undefined) this.found.add(entry.name)
    return entry
  }

  #coversSomething(entry: Allowing, among: (view: EffectView) => boolean): boolean {
    return this.views.some(
      (view) => among(view) && entry.kinds?.has(view.effect.kind) === true && this.#covers(entry, view),
    )
  }

  anyMemo(): boolean {
    return this.standing.some(
      (entry) => entry.anyMemo && this.#coversSomething(entry, ({ effect }) => effect.kind !== "memo"),
    )
  }

  coversFee(): boolean {
    const { fee } = this.intent.reading
    if (fee.max === 0n && !fee.unbounded) return true
    return this.standing.some((entry) => coversFee(entry, fee) && this.#coversSomething(entry, () => true))
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

/** Whether effect `i` is a call that does nothing but a transfer beside it, which is covered. */
function isCoveredCall(views: readonly EffectView[], covered: readonly boolean[], i: number, names: Names): boolean {
  const view = views[i]
  if (view === undefined || view.effect.kind !== "call" || view.to.is !== "known") return false
  const call = view.effect
  const made = transferOf(call)
  if (made === undefined) return false
  const contract = view.to.value.account
  return views.some(
    ({ effect }, j) =>
      covered[j] === true &&
      effect.kind === "transfer" &&
      isTransferOf(effect, contract, view.chains[0] ?? "", made, names),
  )
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

/** The transfer of `contract`'s own token, listed, that the call says. TRON has one call in a transaction, and spells accounts otherwise. */
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
