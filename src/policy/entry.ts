/**
 * Judges the effects of a reading by allow and deny entries (intents.md 5.2). A condition on a field that is absent or unknown
 * fails in an allow entry and matches in a deny entry. Names are resolved once, when the rules are read. An entry with a name
 * that stands for nothing is broken, and a broken entry is an error of its rule.
 */
import type { Fee } from "../intent/reading.ts"
import {
  argumentsFit,
  argumentsMayFit,
  type CallConditions,
  callConditionsOf,
  maySelect,
  selects,
} from "./callConditions.ts"
import { doubtOf, meaningless } from "./doubt.ts"
import { type EffectView, isAnyChain } from "./effectView.ts"
import type { AllowEntry, DenyEntry } from "./entrySchema.ts"
import { assetsOf, type Names, parseAmount } from "./names.ts"
import { matchesPath, type PathPattern } from "./pathPattern.ts"
import type { Intent } from "./request.ts"
import { mayReach, reaches, type Targets, targetsOf } from "./targets.ts"
import { openWindow, type TimeWindow } from "./timeWindow.ts"
import type { WallClock } from "./zone.ts"

/** A condition that does not hold, by its key; `abi` stands for a call that its contract's ABI does not read. */
export type Missed = keyof AllowEntry | "abi"

/** Conditions with their names resolved. */
export interface Conditions extends CallConditions {
  readonly name: string
  readonly kinds: ReadonlySet<string> | undefined
  readonly chains: ReadonlySet<string> | undefined
  readonly assets: ReadonlySet<string> | undefined
  readonly to: Targets | undefined
  readonly contracts: Targets | undefined
  readonly types: ReadonlySet<string> | undefined
  readonly paths: readonly PathPattern[] | undefined
  readonly initiators: ReadonlySet<string> | undefined
  readonly windows: readonly TimeWindow[] | undefined
}

export interface Allowing extends Conditions {
  readonly maxAmount: Bounds | undefined
  readonly maxFee: Bounds | undefined
  readonly unboundedFee: boolean
  readonly anyMemo: boolean
}

interface Bounds {
  /** Base units by asset; undefined is no bound. */
  readonly byAsset: ReadonlyMap<string, bigint | undefined>
  readonly any: boolean
}

/** The facts that hold for the whole of one reading at one moment. */
export interface Moment {
  readonly signers: readonly (readonly number[] | undefined)[]
  /** Who asked for the task (initiators.ts); empty if nobody knows. */
  readonly initiators: readonly string[]
  readonly fee: Fee
  readonly clockOf: (zone: string) => WallClock
}

export const momentOf = ({ reading }: Intent, initiators: readonly string[], clockOf: Moment["clockOf"]): Moment => ({
  signers: reading.signs.map(({ path }) => path),
  initiators,
  fee: reading.fee,
  clockOf,
})

// ---- reading entries -------------------------------------------------------------------------------------------------

type Resolved<C> = { readonly entry: C } | { readonly broken: string }

/** Either the entry with its names resolved, or why they cannot be. */
export function resolveAllow(entry: AllowEntry, names: Names): Resolved<Allowing> {
  return attempt(() => ({
    ...conditionsOf(entry, names),
    maxAmount: entry.max_amount && boundsOf(entry.max_amount, names),
    maxFee: entry.max_fee && boundsOf(entry.max_fee, names),
    unboundedFee: entry.unbounded_fee === true,
    anyMemo: entry.memo === "any",
  }))
}

export const resolveDeny = (entry: DenyEntry, names: Names): Resolved<Conditions> =>
  attempt(() => conditionsOf(entry, names))

function attempt<C>(resolve: () => C): Resolved<C> {
  try {
    return { entry: resolve() }
  } catch (error) {
    return { broken: doubtOf(error).reason }
  }
}

const conditionsOf = (entry: AllowEntry | DenyEntry, names: Names): Conditions => ({
  name: entry.name,
  kinds: entry.effects && new Set(entry.effects),
  chains: entry.chains && new Set(entry.chains),
  assets: entry.assets && new Set(entry.assets.flatMap((text) => assetIds(text, names))),
  to: entry.to && targetsOf(entry.to, names, "to"),
  contracts: entry.contracts && targetsOf(entry.contracts, names, "contracts"),
  ...callConditionsOf(entry, names),
  types: entry.types && new Set(entry.types),
  paths: entry.paths,
  initiators: entry.initiators && new Set(entry.initiators),
  windows: entry.time_windows,
})

function assetIds(text: string, names: Names): readonly string[] {
  const assets = assetsOf(text, names)
  if (assets === undefined) throw meaningless(`no asset is called ${text}`)
  return assets.map(({ id }) => id)
}

function boundsOf(texts: readonly string[], names: Names): Bounds {
  const amounts = texts.filter((text) => text !== "any").map((text) => parseAmount(text, names))
  const byAsset = new Map<string, bigint | undefined>()
  for (const { assets, max } of amounts) {
    for (const { id, name } of assets) {
      if (byAsset.has(id)) throw meaningless(`two bounds for ${name}`)
      byAsset.set(id, max)
    }
  }
  return { byAsset, any: texts.includes("any") }
}

// ---- asking them -----------------------------------------------------------------------------------------------------

const holds = ({ byAsset, any }: Bounds, asset: string, amount: bigint): boolean => {
  const max = byAsset.get(asset)
  return max === undefined ? any || byAsset.has(asset) : amount <= max
}

/** Evaluates the conditions on the reading as a whole. Undefined if they hold; otherwise the one that does not. */
export function missedByReading(entry: Allowing, { signers, initiators, fee, clockOf }: Moment): Missed | undefined {
  if (entry.paths !== undefined && !signers.every((path) => path !== undefined && isUnder(entry.paths, path)))
    return "paths"
  const { initiators: named } = entry
  if (named !== undefined && (initiators.length === 0 || !initiators.every((name) => named.has(name))))
    return "initiators"
  if (entry.windows !== undefined && !entry.windows.some((window) => openWindow(window, clockOf))) return "time_windows"
  if (fee.max > 0n && entry.maxFee !== undefined && !holds(entry.maxFee, fee.asset, fee.max)) return "max_fee"
  return undefined
}

/** Whether an entry that covers an effect of the reading also covers its fee. */
export function coversFee({ maxFee, unboundedFee }: Allowing, { max, asset, unbounded }: Fee): boolean {
  if (unbounded && !unboundedFee) return false
  if (max === 0n && !unbounded) return true
  return maxFee !== undefined && holds(maxFee, asset, max)
}

/** Undefined if the conditions on a single effect hold. */
export const missedByEffect = (entry: Allowing, view: EffectView, names: Names): Missed | undefined =>
  missedByKind(entry, view, names) ?? missedByTarget(entry, view)

/** Conditions on what effects of one kind, chain, asset, function and type have in common (plans.ts). */
export function missedByKind(entry: Allowing, view: EffectView, names: Names): Missed | undefined {
  if (entry.kinds?.has(view.effect.kind) === false) return "effects"
  if (!chainsHold(entry, view)) return "chains"
  if (!assetHolds(entry, view, names)) return "assets"
  if (view.call.is === "unknown") return "abi"
  if (!selects(entry, view)) return "selectors"
  if (entry.types !== undefined && !(view.encodeType !== undefined && entry.types.has(view.encodeType))) return "types"
  return undefined
}

function missedByTarget(entry: Allowing, view: EffectView): Missed | undefined {
  if (entry.to !== undefined && !reaches(entry.to, view.to)) return "to"
  if (entry.contracts !== undefined && !(view.isContract && reaches(entry.contracts, view.to))) return "contracts"
  if (!argumentsFit(entry, view)) return "arguments"
  return amountHolds(entry, view) ? undefined : "max_amount"
}

const chainsHold = ({ chains }: Allowing, view: EffectView): boolean =>
  chains === undefined
    ? view.chains.length === 1 && !view.chains.some(isAnyChain)
    : view.chains.every((chain) => chains.has(chain))

const assetHolds = ({ assets }: Allowing, { asset }: EffectView, names: Names): boolean => {
  if (asset.is === "known") return assets === undefined ? names.assets.has(asset.value) : assets.has(asset.value)
  return asset.is === "absent" && assets === undefined
}

function amountHolds(entry: Allowing, view: EffectView): boolean {
  const most = ceilingOf(entry, view)
  return typeof most === "bigint" ? view.amount !== undefined && view.amount <= most : most === "any"
}

/** The largest amount of its asset that the entry lets an effect move; "none" if it must be bounded and cannot be. */
export function ceilingOf({ maxAmount }: Allowing, { asset, amount }: EffectView): bigint | "any" | "none" {
  if (maxAmount === undefined) return "any"
  if (asset.is !== "known" || amount === undefined) return "none"
  const max = maxAmount.byAsset.get(asset.value)
  if (max !== undefined) return max
  return maxAmount.any || maxAmount.byAsset.has(asset.value) ? "any" : "none"
}

const isUnder = (patterns: readonly PathPattern[] | undefined, path: readonly number[]): boolean =>
  patterns?.some((pattern) => matchesPath(pattern, path)) === true

/** Whether a deny entry's conditions on the reading as a whole match; an unknown value counts as a match. */
export function matchesReading(
  { paths, initiators: named, windows }: Conditions,
  { signers, initiators, clockOf }: Moment,
): boolean {
  if (paths !== undefined && !signers.some((path) => path === undefined || isUnder(paths, path))) return false
  if (named !== undefined && initiators.length > 0 && !initiators.some((name) => named.has(name))) return false
  return windows === undefined || windows.some((window) => openWindow(window, clockOf))
}

export const matchesEffect = (entry: Conditions, view: EffectView): boolean =>
  matchesKind(entry, view) && matchesTarget(entry, view)

/** Conditions on what effects of one kind, chain, asset, function and type have in common (plans.ts). */
export function matchesKind(entry: Conditions, view: EffectView): boolean {
  const { kinds, chains, assets, types } = entry
  if (kinds?.has(view.effect.kind) === false) return false
  if (chains !== undefined && !view.chains.some((chain) => isAnyChain(chain) || chains.has(chain))) return false
  if (assets !== undefined && view.asset.is === "known" && !assets.has(view.asset.value)) return false
  return maySelect(entry, view) && (types === undefined || view.encodeType === undefined || types.has(view.encodeType))
}

function matchesTarget(entry: Conditions, view: EffectView): boolean {
  const { to, contracts } = entry
  if (to !== undefined && !mayReach(to, view.to)) return false
  if (contracts !== undefined && view.isContract && !mayReach(contracts, view.to)) return false
  return argumentsMayFit(entry, view)
}
