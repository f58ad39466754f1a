/**
 * allow: which transactions may be signed, by what this node reads in them. At least one entry all of whose conditions hold must cover
 * every effect of every payload, and its fee. The order of entries never matters.
 */
import { intentText } from "../../intent/text.ts"
import { itemsOf } from "../../settings/schema.ts"
import { annotationsOf } from "../annotations.ts"
import { Coverage } from "../coverage.ts"
import { meaningless } from "../doubt.ts"
import { type Moment, momentOf, resolveAllow } from "../entry.ts"
import { lintAllow } from "../entryLint.ts"
import { type AllowEntry, allowEntry } from "../entrySchema.ts"
import { awaitsInitiator, initiatorsOf } from "../initiators.ts"
import type { Names } from "../names.ts"
import type { Intent, KeySignRequest } from "../request.ts"
import { type Ask, allow as allowed, defineRule, deny, type RuleAnswer, type SettingProblem, some } from "../rule.ts"
import { effectsOf, readable } from "../ruleCases.ts"
import { type WallClock, wallClock } from "../zone.ts"

export const allow = defineRule({
  key: "allow",
  sections: ["key_sign"],
  code: "E-RSK-018",
  doc: "What may be signed. An entry all of whose conditions hold must cover each effect of each payload, and its fee. If the list is left out, every payload that can be read passes; if it is empty, none does.",
  schema: itemsOf(
    allowEntry,
    [
      {
        name: "payout",
        effects: ["transfer"],
        assets: ["ETH"],
        to: ["@own:m/44/60/0/0/*"],
        max_amount: ["1 ETH"],
        max_fee: ["0.02 ETH"],
        paths: ["m/44/60/0/0/*"],
        initiators: ["ops"],
        time_windows: [
          { zone: "Europe/Zurich", days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" },
        ],
        memo: "any",
      },
      {
        name: "swap",
        effects: ["call", "typed_data"],
        chains: ["eip155:1"],
        contracts: ["@router"],
        selectors: ["exactInput((bytes,address,uint256,uint256,uint256))"],
        types: ["Mail(address to,string contents)"],
        arguments: [{ name: "params.recipient", in: ["@own:m/44/60/0/0/*"] }],
        max_fee: ["0.02 ETH"],
        unbounded_fee: false,
      },
    ],
    "Entries.",
  ),
  absent: "not asked",
  problems: uniqueNames,
  prepare: (list, names) => askAllow(list, names),
  lint: lintAllow,
  allows: allowing,
  refuses: (given, _, draw) => {
    const request = readable(given)
    // An entry that would cover everything if it did not have one condition.
    const narrow = allowing(request).map((entry) => ({ ...entry, paths: ["m/2147483647/2147483647"] }))
    return { setting: draw(2) === 0 ? [] : narrow, request }
  },
})

export function uniqueNames(list: readonly { readonly name: string }[]): readonly SettingProblem[] {
  return list.flatMap(({ name }, i) =>
    list.findIndex((other) => other.name === name) < i
      ? [{ at: [i, "name"], expected: "a name of its own for each entry", got: name }]
      : [],
  )
}

/** One entry for effects with an asset, one for effects without. */
function allowing(request: KeySignRequest): {
  name: string
  effects: AllowEntry["effects"]
  chains: string[]
  assets?: string[]
  max_fee: string[]
  unbounded_fee: boolean
}[] {
  const effects = effectsOf(request)
  const chains = [
    ...new Set([
      ...request.intents.map(({ reading }) => reading.chain),
      ...effects.flatMap((effect) => (effect.kind === "delegate_7702" ? [effect.chain] : [])),
    ]),
  ]
  const common = { chains, max_fee: ["any"], unbounded_fee: true }
  const assets = [
    ...new Set(
      effects.flatMap((effect) => ("asset" in effect && typeof effect.asset === "string" ? [effect.asset] : [])),
    ),
  ]
  const kindsOf = (hasAsset: boolean): AllowEntry["effects"] => [
    ...new Set(effects.filter((effect) => "asset" in effect === hasAsset).map(({ kind }) => kind)),
  ]
  return [
    { name: "assets", effects: kindsOf(true), assets, ...common },
    { name: "others", effects: kindsOf(false), ...common },
  ]
}

// ---- asking ------------------------------------------------------------------------------------------------------------

/** Entries sorted by name, so that the entry that is named never depends on the file's order. Throws for a broken entry. */
export function coverageOf(list: readonly AllowEntry[], names: Names): Coverage {
  const entries = list
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry) => {
      const resolved = resolveAllow(entry, names)
      if ("broken" in resolved) throw meaningless(`${entry.name}: ${resolved.broken}`)
      return resolved.entry
    })
  return new Coverage(entries, names)
}

function askAllow(list: readonly AllowEntry[], names: Names): Ask<"key_sign"> {
  const coverage = coverageOf(list, names)
  // Whether the task would be covered, whoever asked for it.
  const byAnybody = new Coverage(
    coverage.entries.map((entry) => ({ ...entry, initiators: undefined })),
    names,
  )
  return ({ intents, extraInfo }, { nowMs, presented }) => {
    const clockOf = clocks(nowMs)
    const initiators = initiatorsOf(extraInfo, names.people, presented)
    const by = new Set<string>()
    for (const [i, intent] of intents.entries()) {
      const moment = momentOf(intent, initiators, clockOf)
      const answer = askOne(coverage, intent, moment, i, by)
      if (answer === undefined) continue
      const isOpen =
        awaitsInitiator(list, names.people, presented) &&
        intents.every((one, at) => askOne(byAnybody, one, momentOf(one, [], clockOf), at, new Set()) === undefined)
      return [isOpen ? { ...answer, awaits: REQUEST } : answer]
    }
    if (intents.length === 0) return [allowed("no payload: blind_paths decides")]
    return [allowed(by.size === 0 ? "nothing needs an entry" : `covered by ${some([...by].toSorted(), 8)}`)]
  }
}

const REQUEST = [{ kind: "request" }] as const

function askOne(
  coverage: Coverage,
  intent: Intent,
  moment: Moment,
  i: number,
  by: Set<string>,
): RuleAnswer | undefined {
  const covered = coverage.of(intent, moment)
  for (const name of covered.by) by.add(name)
  const at = covered.effects.indexOf(false)
  const effect = intent.reading.effects[at]
  if (effect !== undefined) {
    const why = coverage
      .reasons(intent, moment, effect)
      .map(({ entry, missed }) => `${entry}: ${missed ?? "covers it"}`)
    const text = intentText(intent.reading, annotationsOf(coverage.names))[at] ?? effect.kind
    const missing = why.length === 0 ? "there is no entry" : `what does not hold: ${some(why)}`
    return deny(`payload ${i + 1}, effect ${at + 1} is covered by no entry (${some([text])}); ${missing}`)
  }
  return covered.fee ? undefined : deny(`payload ${i + 1}: its fee is covered by no entry that covers an effect of it`)
}

/** Wall clocks of one moment. Reading one costs more than everything else that an entry evaluates. */
export function clocks(nowMs: number): (zone: string) => WallClock {
  const known = new Map<string, WallClock>()
  return (zone) => {
    const clock = known.get(zone) ?? wallClock(zone, nowMs)
    known.set(zone, clock)
    return clock
  }
}
