/** Lint for allow and deny entries: names that stand for nothing, parts that are never reached, assets that no limit counts. */
import { type TSchema, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { resolveAmount } from "./amountLimit.ts"
import { resolveAllow, resolveDeny } from "./entry.ts"
import { type AllowEntry, type DenyEntry, denyEntry } from "./entrySchema.ts"
import { type Limit, limitSchema } from "./limitSchema.ts"
import { type Names, assetsOf as namedAssets } from "./names.ts"
import { type Linting, type Say, type SectionRules, some } from "./rule.ts"

/** Kinds that move things without saying how much. */
const UNCOUNTED: ReadonlySet<string> = new Set(["delegatecall", "delegate_7702", "opaque_hash", "typed_data", "call"])
const WITH_ASSET: ReadonlySet<string> = new Set(["transfer", "approve", "permit", "stake"])
const WITH_SELECTOR: ReadonlySet<string> = new Set(["call", "delegatecall"])
const WITH_CONTRACT: ReadonlySet<string> = new Set(["call", "delegatecall", "typed_data", "opaque_hash"])
const WITHOUT_TARGET: ReadonlySet<string> = new Set(["memo", "message", "self"])

export function lintAllow(list: readonly AllowEntry[], linting: Linting): void {
  const { section, names, report } = linting
  if (list.length === 0) return report("error", "empty list: nothing that has a payload passes")
  const denied = entriesIn(Type.Array(denyEntry), section.written["deny"])
  const limited = limitedAssets(section, names)
  for (const [i, entry] of list.entries()) {
    const say: Say = (severity, what) => report(severity, what, `.${entry.name}`)
    const resolved = resolveAllow(entry, names)
    if ("broken" in resolved) say("error", `every task is an error: ${resolved.broken}`)
    lintReach(entry, say)
    lintInitiators(entry, names, say)
    lintWidth(entry, limited !== undefined, say)
    const twin = list.findIndex((other) => Value.Equal({ ...other, name: "" }, { ...entry, name: "" }))
    if (twin < i) say("warning", `unreachable: ${list[twin]?.name} says the same`)
    const denier = denied.find((one) => refusesAllOf(one, entry))
    if (denier !== undefined) say("warning", `contradiction: deny.${denier.name} refuses whatever it covers`)
  }
  if (!list.some(({ max_fee }) => max_fee !== undefined))
    report("warning", "no entry has max_fee: only what costs no fee passes")
  lintUnlimited(list, limited ?? new Set(), linting)
}

/** If the node knows approvers, only approvers can ask for a task. */
function lintInitiators({ initiators }: Pick<AllowEntry, "initiators">, { people }: Names, say: Say): void {
  if (initiators === undefined || people.approvers.size === 0) return
  const strangers = initiators.filter((name) => !people.approvers.has(name))
  if (strangers.length > 0) say("error", `initiators: no approver is called ${strangers.join(", ")}`)
}

/** Conditions that no effect of the entry's kinds can fulfil. */
function lintReach(entry: AllowEntry, say: Say): void {
  const { effects, assets, max_amount, selectors, contracts, types, to } = entry
  if (effects.length === 0) return say("warning", "unreachable: it names no effect")
  const none = (having: ReadonlySet<string>): boolean => !effects.some((kind) => having.has(kind))
  if ((assets !== undefined || max_amount !== undefined) && none(WITH_ASSET))
    say("warning", `unreachable: ${effects.join(", ")} has no asset`)
  if (selectors !== undefined && none(WITH_SELECTOR))
    say("warning", `unreachable: ${effects.join(", ")} has no selector`)
  if (entry.arguments !== undefined && none(WITH_SELECTOR))
    say("warning", `unreachable: ${effects.join(", ")} has no arguments`)
  if (contracts !== undefined && none(WITH_CONTRACT))
    say("warning", `unreachable: ${effects.join(", ")} has no contract`)
  if (types !== undefined && none(new Set(["typed_data"]))) say("warning", "unreachable: only typed_data has a type")
  if (to !== undefined && effects.every((kind) => WITHOUT_TARGET.has(kind)))
    say("warning", `unreachable: ${effects.join(", ")} goes to nobody`)
  for (const [key, value] of Object.entries(entry)) {
    if (key !== "effects" && Array.isArray(value) && value.length === 0)
      say("warning", `unreachable: ${key} is an empty list`)
  }
  const bounded = new Set(max_amount?.map((text) => text.split(" ")[1] ?? text))
  const unbounded = (assets ?? []).filter(
    (asset) => max_amount !== undefined && !bounded.has(asset) && !bounded.has("any"),
  )
  if (unbounded.length > 0) say("warning", `${unbounded.join(", ")} is never covered: it is not in max_amount`)
}

/** Entries that cover more than a reader may expect. */
function lintWidth(entry: AllowEntry, isLimited: boolean, say: Say): void {
  const { effects, contracts, selectors, to, unbounded_fee } = entry
  if (effects.includes("call") && contracts === undefined && selectors === undefined && to === undefined)
    say("warning", "it covers every call of every contract: name contracts and selectors")
  const uncounted = effects.filter((kind) => UNCOUNTED.has(kind))
  if (isLimited && uncounted.length > 0) say("warning", `what ${uncounted.join(", ")} moves is counted by no limit`)
  if (isLimited && unbounded_fee === true)
    say("warning", "a fee without bound is counted by no limit beyond its stated part")
}

function lintUnlimited(list: readonly AllowEntry[], limited: ReadonlySet<string>, { names, report }: Linting): void {
  const movable = list
    .filter(({ effects }) => effects.some((kind) => kind !== "stake" && WITH_ASSET.has(kind)))
    .flatMap(({ assets }) =>
      assets === undefined ? [...names.assets.values()] : assets.flatMap((text) => namedAssets(text, names) ?? []),
    )
  const free = [...new Map(movable.filter(({ id }) => !limited.has(id)).map(({ name }) => [name, name])).keys()]
  if (free.length > 0) report("warning", `without a limit by amount: ${some(free, 12)}`)
}

export function lintDeny(list: readonly DenyEntry[], { names, report }: Linting): void {
  for (const [i, entry] of list.entries()) {
    const say: Say = (severity, what) => report(severity, what, `.${entry.name}`)
    const resolved = resolveDeny(entry, names)
    if ("broken" in resolved) say("error", `every task is an error: ${resolved.broken}`)
    lintInitiators(entry, names, say)
    const conditions = Object.keys(entry).filter((key) => key !== "name")
    if (conditions.length === 0) say("error", "it states no condition: every payload is refused")
    const empty = Object.entries(entry).filter(([, value]) => Array.isArray(value) && value.length === 0)
    for (const [key] of empty) say("warning", `${key} is an empty list: only what is unknown of it matches`)
    const twin = list.findIndex((other) => Value.Equal({ ...other, name: "" }, { ...entry, name: "" }))
    if (twin < i) say("warning", `unreachable: ${list[twin]?.name} says the same`)
  }
}

/** Whether a deny entry has no condition but kinds, and names all kinds of the entry. */
const refusesAllOf = ({ name: _, effects, ...conditions }: DenyEntry, entry: AllowEntry): boolean =>
  Object.keys(conditions).length === 0 &&
  entry.effects.length > 0 &&
  (effects === undefined || entry.effects.every((kind) => effects.includes(kind)))

/** Ids of the assets that some limit counts; undefined if there is no limit by amount. */
function limitedAssets(section: SectionRules, names: Names): ReadonlySet<string> | undefined {
  const limits: readonly Limit[] = entriesIn(Type.Array(limitSchema), section.written["limits"])
  const amounts = limits.filter(({ asset }) => asset !== undefined)
  if (amounts.length === 0) return undefined
  return new Set(amounts.flatMap((limit) => assetsOf(limit, names)))
}

function assetsOf(limit: Limit, names: Names): readonly string[] {
  try {
    return [...resolveAmount(limit, names).assets]
  } catch {
    // lint reports this elsewhere
    return []
  }
}

/** The value of another rule, which the schema has accepted. */
const entriesIn = <S extends TSchema>(schema: S, written: unknown) =>
  Value.Check(schema, written) ? Value.Decode(schema, written) : Value.Decode(schema, [])
