/**
 * Whether a rule lets less pass than before: lists that permit, lists that forbid, entries, limits, required
 * approvals. A change that is not plainly tighter counts as looser. Works on settings as they are written, after their check.
 */
import { formOf } from "./bundleForm.ts"

/** How a change affects what may pass. */
export type Tendency = "same" | "tightens" | "loosens"

type PolicyEntry = Readonly<Record<string, unknown>>

const worst = (all: readonly Tendency[]): Tendency =>
  all.includes("loosens") ? "loosens" : all.includes("tightens") ? "tightens" : "same"

export const isSame = (a: unknown, b: unknown): boolean => formOf(a) === formOf(b)

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const isEntry = (value: unknown): value is PolicyEntry =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const entriesOf = (value: unknown): readonly PolicyEntry[] => listOf(value).filter(isEntry)

const within = (inner: readonly unknown[], outer: readonly unknown[]): boolean => {
  const known = new Set(outer.map(formOf))
  return inner.every((item) => known.has(formOf(item)))
}

/** A list of which one matching item is enough to pass. If it is left out, everything passes. */
export function permitting(before: unknown, after: unknown): Tendency {
  if (isSame(before, after)) return "same"
  if (before === undefined) return "tightens"
  return after !== undefined && within(listOf(after), listOf(before)) ? "tightens" : "loosens"
}

/** The same for a list that lets nothing pass if it is left out. */
export const permittingNone = (before: unknown, after: unknown): Tendency => permitting(before ?? [], after ?? [])

/** A list in which each item refuses something. */
export function forbidding(before: unknown, after: unknown): Tendency {
  if (isSame(before ?? [], after ?? [])) return "same"
  return within(listOf(before), listOf(after)) ? "tightens" : "loosens"
}

/** A list in which each item is demanded; an empty list refuses everything. */
export function demanding(before: unknown, after: unknown): Tendency {
  if (isSame(before, after)) return "same"
  if (before === undefined) return "tightens"
  if (listOf(before).length === 0) return "loosens"
  return after !== undefined && (listOf(after).length === 0 || within(listOf(before), listOf(after)))
    ? "tightens"
    : "loosens"
}

/** A maximum. If it is left out, there is no bound. */
export function bounding(before: unknown, after: unknown): Tendency {
  if (before === after) return "same"
  if (before === undefined) return "tightens"
  return typeof before === "number" && typeof after === "number" && after < before ? "tightens" : "loosens"
}

// ---- entries with names ------------------------------------------------------------------------------------------------

interface Pairing {
  readonly name: string
  readonly before: PolicyEntry | undefined
  readonly after: PolicyEntry | undefined
}

export function pairs(before: unknown, after: unknown, nameOf: (entry: PolicyEntry) => string): readonly Pairing[] {
  const named = (value: unknown) => Map.groupBy(entriesOf(value), nameOf)
  const [old, young] = [named(before), named(after)]
  return [...new Set([...old.keys(), ...young.keys()])].sort().flatMap((name): readonly Pairing[] => {
    const [a = [], b = []] = [old.get(name), young.get(name)]
    if (a.length <= 1 && b.length <= 1) return [{ name, before: a[0], after: b[0] }]
    // Several entries may have one name. Equal ones are the same; nobody knows which of the others became which.
    const [gone, come] = [a.filter((one) => !has(b, one)), b.filter((one) => !has(a, one))]
    return [
      ...gone.map((one) => ({ name, before: one, after: undefined })),
      ...come.map((one) => ({ name, before: undefined, after: one })),
    ]
  })
}

const has = (all: readonly PolicyEntry[], one: PolicyEntry): boolean => all.some((other) => isSame(other, one))

export const ownName = ({ name }: PolicyEntry): string => String(name ?? "")

/** The name of a `require` entry: only names tell apart several entries of one group. */
export const requireName = ({ name, group }: PolicyEntry): string => String(name ?? `of ${String(group)}`)

// ---- what one entry covers ---------------------------------------------------------------------------------------------

/** Conditions under which fewer effects match; without them an entry matches more. */
const NARROWED_BY_ANY = ["to", "contracts", "selectors", "types", "paths", "initiators"] as const
/** Without these a default choice applies, so adding one of them may make the entry cover more. */
const NARROWED_WITHIN = ["effects", "chains", "assets", "time_windows", "arguments"] as const

/** How a change of an `allow` entry affects what it covers: fewer effects, or more. */
export function allowing(before: PolicyEntry, after: PolicyEntry): Tendency {
  if (isSame(before, after)) return "same"
  const lists = NARROWED_BY_ANY.map((key) => permitting(before[key], after[key]))
  const own = NARROWED_WITHIN.map((key): Tendency => {
    if (isSame(before[key], after[key])) return "same"
    const isNarrower =
      before[key] !== undefined &&
      after[key] !== undefined &&
      key !== "arguments" &&
      within(listOf(after[key]), listOf(before[key]))
    return isNarrower ? "tightens" : "loosens"
  })
  return worst([
    ...lists,
    ...own,
    amounts(before["max_amount"], after["max_amount"], "any"),
    amounts(before["max_fee"], after["max_fee"], "none"),
    flag(before["unbounded_fee"] === true, after["unbounded_fee"] === true),
    flag(before["memo"] !== undefined, after["memo"] !== undefined),
    others(before, after, [...NARROWED_BY_ANY, ...NARROWED_WITHIN, "max_amount", "max_fee", "unbounded_fee", "memo"]),
  ])
}

const MATCHED = [...NARROWED_BY_ANY, "effects", "chains", "assets", "time_windows"] as const

/** How a change of a `deny` entry, or of the conditions of `require`, affects what it matches: more, or less. */
function matching(before: PolicyEntry, after: PolicyEntry): Tendency {
  const lists = MATCHED.map((key): Tendency => {
    if (isSame(before[key], after[key])) return "same"
    const isWider =
      after[key] === undefined || (before[key] !== undefined && within(listOf(before[key]), listOf(after[key])))
    return isWider ? "tightens" : "loosens"
  })
  return worst([
    ...lists,
    after["arguments"] === undefined && before["arguments"] !== undefined
      ? "tightens"
      : others(before, after, [], ["arguments"]),
  ])
}

export function denying(before: PolicyEntry, after: PolicyEntry): Tendency {
  if (isSame(before, after)) return "same"
  return worst([matching(before, after), others(before, after, [...MATCHED, "arguments"])])
}

export function limiting(before: PolicyEntry, after: PolicyEntry): Tendency {
  if (isSame(before, after)) return "same"
  const { window: oldWindow, window: _ } = before
  return worst([
    bounding(before["max"], after["max"]),
    before["max_amount"] === undefined && after["max_amount"] === undefined
      ? "same"
      : amounts([before["max_amount"]], [after["max_amount"]], "none"),
    longer(oldWindow, after["window"]),
    // A limit with approvals and one without have counters of their own, and the other counter may be empty.
    (before["approvals"] === false) === (after["approvals"] === false) ? "same" : "loosens",
    others(before, after, ["max", "max_amount", "window", "approvals"]),
  ])
}

/** How a change of required approvals affects them: more people, or in more cases. */
export function requiring(before: PolicyEntry, after: PolicyEntry): Tendency {
  if (isSame(before, after)) return "same"
  const [old, young] = [before["min"], after["min"]]
  const more: Tendency =
    old === young
      ? "same"
      : typeof old === "number" && typeof young === "number" && young > old
        ? "tightens"
        : "loosens"
  return worst([
    more,
    above(before["above"], after["above"]),
    before["above"] === undefined && after["above"] === undefined ? "same" : longer(before["window"], after["window"]),
    matching(before, after),
    others(before, after, ["min", "above", "window", ...MATCHED, "arguments"]),
  ])
}

// ---- values ------------------------------------------------------------------------------------------------------------

const flag = (before: boolean, after: boolean): Tendency => (before === after ? "same" : after ? "loosens" : "tightens")

/** Nobody here knows the meaning of a difference in any other key. */
function others(before: PolicyEntry, after: PolicyEntry, known: readonly string[], only?: readonly string[]): Tendency {
  const keys =
    only ?? [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => !known.includes(key))
  return keys.every((key) => isSame(before[key], after[key])) ? "same" : "loosens"
}

/** `above` of a requirement: if it is left out, the requirement always applies. */
function above(before: unknown, after: unknown): Tendency {
  if (before === after) return "same"
  if (after === undefined) return "tightens"
  return before === undefined ? "loosens" : amounts([before], [after], "none")
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function durationOf(text: unknown): number | undefined {
  const [, count, unit = ""] = /^([1-9][0-9]{0,6})([smhd])$/.exec(String(text)) ?? []
  const ms = UNIT_MS[unit]
  return count === undefined || ms === undefined ? undefined : Number(count) * ms
}

/** The longer a window is, the more it counts. */
function longer(before: unknown, after: unknown): Tendency {
  if (before === after) return "same"
  if (before === undefined) return "tightens"
  const [old, young] = [durationOf(before), durationOf(after)]
  return old !== undefined && young !== undefined && young >= old ? (young === old ? "same" : "tightens") : "loosens"
}

/** Amounts by asset. An asset that is not in the list is not covered; a list that is left out means `absent`. */
function amounts(before: unknown, after: unknown, absent: "any" | "none"): Tendency {
  if (isSame(before, after)) return "same"
  if (before === undefined) return absent === "any" ? "tightens" : "loosens"
  if (after === undefined) return absent === "any" ? "loosens" : "tightens"
  const [old, young] = [listOf(before).map(amountOf), listOf(after).map(amountOf)]
  // One bound may hide another on the same asset; then removing one does not tighten.
  const areAlone = old.every(({ unit, isAny }) => !isAny && !unit.includes("/"))
  if (!areAlone && !isSame(units(old), units(young))) return "loosens"
  const isLess = young.every((one) => {
    const sameUnit = old.filter(({ unit }) => unit === one.unit)
    const [first] = sameUnit
    if (sameUnit.length !== 1 || first === undefined || young.filter(({ unit }) => unit === one.unit).length !== 1)
      return false
    if (first.isAny) return one.isAny || one.value !== undefined
    return one.value !== undefined && first.value !== undefined && one.value <= first.value
  })
  return isLess ? "tightens" : "loosens"
}

const units = (all: readonly { readonly unit: string }[]): readonly string[] => all.map(({ unit }) => unit).sort()

const SCALE = 80

/** `1.5 ETH`, `any ETH`, `any`. */
function amountOf(text: unknown): {
  readonly unit: string
  readonly value: bigint | undefined
  readonly isAny: boolean
} {
  const [number = "", unit = ""] = String(text).split(" ")
  const [, whole, fraction = ""] = /^(\d{1,80})(?:\.(\d{1,80}))?$/.exec(number) ?? []
  const value = whole === undefined ? undefined : BigInt(whole + fraction.padEnd(SCALE, "0"))
  return { unit, value, isAny: number === "any" }
}
