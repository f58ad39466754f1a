/**
 * Whether a `require` entry applies to a request, and whether the statements of people fulfil it. An entry applies where its conditions
 * match, as those of a deny entry do: an unknown value matches. Every entry that applies must be fulfilled; none waives another.
 *
 * If an entry applies, the task also needs the statement of the person who asked for it, and no asker counts as an approver. One
 * member's rejection refuses the task for good. Until then `awaits` names what is missing, and nothing is approved.
 */
import { formatDecimal } from "../intent/amount.ts"
import { resolveAmount } from "./amountLimit.ts"
import type { Debit } from "./decision.ts"
import { NO_USAGE } from "./decision.ts"
import { meaningless } from "./doubt.ts"
import { viewOf } from "./effectView.ts"
import { type Conditions, type Moment, matchesEffect, matchesReading, momentOf, resolveDeny } from "./entry.ts"
import { initiatorsOf } from "./initiators.ts"
import type { Names } from "./names.ts"
import { parseAmount } from "./names.ts"
import { matchesPath } from "./pathPattern.ts"
import type { People, Presented } from "./people.ts"
import type { KeySignRequest } from "./request.ts"
import { labelOf, type RequireEntry, type RequireSetupEntry } from "./requireSchema.ts"
import { allow, deny, type Facts, type RuleAnswer, some } from "./rule.ts"
import { clocks } from "./rules/allow.ts"
import { spending } from "./spending.ts"
import { openWindow } from "./timeWindow.ts"

// ---- fulfilled or not --------------------------------------------------------------------------------------------------

export function askPeople(
  { group, min }: RequireSetupEntry,
  people: People,
  presented: Presented,
  why: string,
  debits: readonly Debit[],
): RuleAnswer {
  const members = people.groups.get(group)
  if (members === undefined) return deny(`${why}, and no group is called ${group}`)
  const rejecting = members.filter((name) => presented.rejectedBy.has(name))
  if (rejecting.length > 0) return { ...deny(`rejected by ${some(rejecting, 8)} of ${group}`), isVetoed: true }
  const approving = members.filter((name) => presented.approvedBy.has(name) && !presented.requestedBy.has(name))
  const isAsked = presented.requestedBy.size > 0
  const words = `${approving.length} of ${min} approvals of ${group}${approving.length === 0 ? "" : `: ${some(approving, 8)}`}`
  if (isAsked && approving.length >= min) {
    return allow(`${words}; asked for by ${some(presented.requestedBy, 8)}`, debits)
  }
  const missing = [
    ...(isAsked ? [] : [{ kind: "request" } as const]),
    ...(approving.length >= min ? [] : [{ kind: "approvals", group, min, by: approving } as const]),
  ]
  return { ...deny(`${why}: ${words}${isAsked ? "" : ", and nobody signed that they ask for it"}`), awaits: missing }
}

// ---- whether it applies ------------------------------------------------------------------------------------------------

/** One entry, ready to be evaluated. Throws E-RSK-023 with the reason if its names cannot be resolved. */
export function requirement(entry: RequireEntry, names: Names): (request: KeySignRequest, facts: Facts) => RuleAnswer {
  const { group, min, above, window, per = "all", name: _, ...conditions } = entry
  const resolved = resolveDeny({ ...conditions, name: labelOf(entry) }, names)
  if ("broken" in resolved) throw meaningless(`${labelOf(entry)}: ${resolved.broken}`)
  const threshold = above === undefined ? undefined : amountOf(above, window, per, names)
  return (request, facts) => {
    const { presented } = facts
    if (!concerns(resolved.entry, request, facts, names)) {
      // What moves counts in the window in any case. Otherwise a sum of which only one part matches could be split into tasks.
      const debits = threshold?.window === undefined ? [] : exceeds(threshold, request, facts).debits
      return allow("it does not concern the task", debits)
    }
    const moved = threshold === undefined ? undefined : exceeds(threshold, request, facts)
    if (moved !== undefined && !moved.isAbove) return allow(moved.words, moved.debits)
    return askPeople(
      entry,
      names.people,
      presented,
      moved?.words ?? `${min} of ${group} must approve`,
      moved?.debits ?? [],
    )
  }
}

/** Whether the conditions are about some message of the task, or some effect of it. */
function concerns(entry: Conditions, request: KeySignRequest, facts: Facts, names: Names): boolean {
  const clockOf = clocks(facts.nowMs)
  const initiators = initiatorsOf(request.extraInfo, names.people, facts.presented)
  const ofMoment = (moment: Moment): boolean => matchesReading(entry, moment)
  const isRead = request.intents.some((intent) => {
    if (!ofMoment(momentOf(intent, initiators, clockOf))) return false
    return intent.reading.effects.some((effect) => matchesEffect(entry, viewOf(effect, intent, names)))
  })
  if (isRead) return true
  // Of a digest only the path is known, so every other condition matches.
  const { paths, windows, initiators: named } = entry
  const isTime = windows === undefined || windows.some((one) => openWindow(one, clockOf))
  const isAsker = named === undefined || initiators.length === 0 || initiators.some((name) => named.has(name))
  return request.messages.some(
    ({ payload, path }) =>
      payload === undefined && isTime && isAsker && (paths?.some((pattern) => matchesPath(pattern, path)) ?? true),
  )
}

interface Threshold {
  readonly spends: Parameters<typeof spending>[0]
  readonly max: bigint
  readonly words: (amount: bigint) => string
  readonly window: number | undefined
}

function amountOf(
  above: string,
  window: number | undefined,
  per: NonNullable<RequireEntry["per"]>,
  names: Names,
): Threshold {
  const [first] = parseAmount(above, names).assets
  if (first === undefined) throw meaningless(`${above} is no amount`)
  const unit = above.split(" ")[1] ?? ""
  const { assets, approvals, max, decimals } = resolveAmount(
    { name: "above", per, window: window ?? 0, asset: unit, max_amount: above },
    names,
  )
  const time = window === undefined ? "in this task" : "with what moved before"
  return {
    spends: { per, assets, approvals },
    max,
    window,
    words: (amount) => `${formatDecimal(amount, decimals)} ${unit} ${time}, where approvals are needed above ${above}`,
  }
}

function exceeds(
  { spends, max, window, words }: Threshold,
  { intents, messages, rootKey }: KeySignRequest,
  { usage, nowMs }: Facts,
): { readonly isAbove: boolean; readonly words: string; readonly debits: readonly Debit[] } {
  const counted = window === undefined ? NO_USAGE : usage
  const { scopes, debits } = spending(spends, intents, rootKey, counted, nowMs - (window ?? 0))
  const most = scopes.reduce((sum, { total }) => (total > sum ? total : sum), 0n)
  const isBlind = messages.some(({ payload }) => payload === undefined)
  return {
    isAbove: isBlind || most > max,
    words: isBlind ? "a digest, of which nobody knows what it moves" : words(most),
    // Keeps a debit only if a window counts it: otherwise a counter that nobody reads would be debited.
    debits: window === undefined ? [] : debits,
  }
}
