/** deny: which transactions must not be signed, by what this node reads in them. One entry that matches one effect refuses the task. */
import { intentText } from "../../intent/text.ts"
import { itemsOf } from "../../settings/schema.ts"
import { annotationsOf } from "../annotations.ts"
import { meaningless } from "../doubt.ts"
import { type EffectView, viewOf } from "../effectView.ts"
import { type Conditions, matchesEffect, matchesKind, matchesReading, momentOf, resolveDeny } from "../entry.ts"
import { lintDeny } from "../entryLint.ts"
import { type DenyEntry, denyEntry, EFFECT_KINDS } from "../entrySchema.ts"
import { awaitsInitiator, initiatorsOf } from "../initiators.ts"
import type { Names } from "../names.ts"
import { firstSettled, Plans } from "../plans.ts"
import type { KeySignRequest } from "../request.ts"
import { type Ask, allow, defineRule, deny as denied, type Facts, some } from "../rule.ts"
import { effectsOf, readable } from "../ruleCases.ts"
import { clocks, uniqueNames } from "./allow.ts"

export const deny = defineRule({
  key: "deny",
  sections: ["key_sign"],
  code: "E-RSK-019",
  doc: "What must not be signed, even if allow covers it. One entry that matches an effect of a payload refuses the task. A condition on something that the payload does not state matches.",
  schema: itemsOf(
    denyEntry,
    [
      { name: "never", effects: ["approve", "permit", "delegatecall", "delegate_7702", "opaque_hash"] },
      { name: "payees", effects: ["call"], arguments: [{ name: "params.recipient", in: ["@exchange"] }] },
    ],
    "Entries.",
  ),
  absent: "not asked",
  problems: uniqueNames,
  prepare: askDeny,
  lint: lintDeny,
  allows: (request) => {
    const present = effectsOf(request).map(({ kind }) => kind)
    return [{ name: "others", effects: EFFECT_KINDS.filter((kind) => !present.includes(kind)) }]
  },
  refuses: (given, _, draw) => {
    const request = readable(given)
    const effects = effectsOf(request)
    const one = effects[draw(effects.length)]
    return {
      setting: [{ name: "never", ...(one === undefined || draw(4) === 0 ? {} : { effects: [one.kind] }) }],
      request,
    }
  },
})

function askDeny(list: readonly DenyEntry[], names: Names): Ask<"key_sign"> {
  const sorted = list
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((entry): Conditions => {
      const resolved = resolveDeny(entry, names)
      if ("broken" in resolved) throw meaningless(`${entry.name}: ${resolved.broken}`)
      return resolved.entry
    })
  const anybodys = sorted.filter(({ initiators }) => initiators === undefined)
  return (request, facts) => {
    const match = matchIn(anybodys, request, facts, names)
    if (match !== undefined) return [denied(match)]
    const named = anybodys.length === sorted.length ? undefined : matchIn(sorted, request, facts, names)
    if (named === undefined) return [allow(`none of ${sorted.length} entries matches`)]
    // Perhaps the person that the entry names did not ask for the task. This is known once somebody has signed.
    const isOpen = awaitsInitiator(sorted, names.people, facts.presented)
    return [isOpen ? { ...denied(named), awaits: [{ kind: "request" }] } : denied(named)]
  }
}

/** The first entry that matches an effect of the task, in words. */
function matchIn(
  entries: readonly Conditions[],
  { intents, extraInfo }: KeySignRequest,
  { nowMs, presented }: Facts,
  names: Names,
): string | undefined {
  const clockOf = clocks(nowMs)
  const initiators = initiatorsOf(extraInfo, names.people, presented)
  for (const [i, intent] of intents.entries()) {
    const moment = momentOf(intent, initiators, clockOf)
    const standing = entries.filter((entry) => matchesReading(entry, moment))
    const plans = new Plans(standing, { fits: matchesKind, ceiling: () => "any" })
    for (const [at, effect] of intent.reading.effects.entries()) {
      const entry = firstMatch(plans, viewOf(effect, intent, names))
      if (entry === undefined) continue
      const text = intentText(intent.reading, annotationsOf(names))[at] ?? effect.kind
      return `${entry.name} matches effect ${at + 1} of payload ${i + 1} (${some([text])})`
    }
  }
  return undefined
}

function firstMatch(plans: Plans<Conditions>, view: EffectView): Conditions | undefined {
  const { alike, open } = plans.for(view)
  return firstSettled(alike, view) ?? open.matching(view).find((entry) => matchesEffect(entry, view))
}
