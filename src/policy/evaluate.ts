/**
 * The embedded risk control module: rules and a request to a decision. Pure: usage and time are arguments. Every rule is
 * evaluated, any deny wins, and the order of rules decides nothing but which denial is named first. Whatever goes wrong
 * inside a rule is an "error" outcome, and that rejects.
 */

import { errorText } from "../errors.ts"
import type {
  KeyGenRequest,
  KeyReshareRequest,
  KeyShareSignRequest,
  KeySignRequest,
  PolicyRequest,
  Section,
  Unreadable,
} from "./request.ts"
import { type Check, type Facts, some, type Usage } from "./rule.ts"
import { allowedGroups } from "./rules/allowedGroups.ts"
import { allowedPaths } from "./rules/allowedPaths.ts"
import { allowedRootKeys } from "./rules/allowedRootKeys.ts"
import { keyGenAllowList, keyReshareAllowList } from "./rules/allowList.ts"
import { curves } from "./rules/curves.ts"
import { extraInfoRequired } from "./rules/extraInfoRequired.ts"
import { type Debit, limits } from "./rules/limits.ts"
import { maxBatch } from "./rules/maxBatch.ts"
import { noSection, rejectAll } from "./rules/rejectAll.ts"
import { signatureTypes } from "./rules/signatureTypes.ts"
import { timeWindows } from "./rules/timeWindows.ts"
import { forbiddenNodeIds, requiredNodeIds } from "./rules/usedNodes.ts"
import type { KeyGenRules, KeyReshareRules, KeyShareSignRules, KeySignRules, Rules } from "./schema.ts"
import type { RuleOutcome, Verdict } from "./verdict.ts"

/** As tasks/ports.ts has it. */
export interface Decision {
  readonly verdict: Verdict
  /** Applied only when the verdict approves. */
  readonly debits: readonly Debit[]
}

/** What the rules say of the request at `nowMs` (ms since 1970), and what an approval takes from the counters. */
export function evaluate(rules: Rules, request: PolicyRequest | Unreadable, usage: Usage, nowMs: number): Decision {
  if (request.type === "unreadable") return refused("request", "E-RSK-016", request.problem)
  if (!rules.enable) return off
  try {
    if (!Number.isSafeInteger(nowMs) || nowMs < 0) throw new RangeError(`the time ${nowMs} is no time`)
    const { checks, debits } = open(rules, request)
    if (checks.length === 0) throw new TypeError("no rule applies")
    const facts = { usage, nowMs }
    return decide(
      checks.map((check) => ({ check, outcome: outcomeOf(check, facts) })),
      debits,
    )
  } catch (error) {
    return refused("rules", "E-RSK-001", messageOf(error))
  }
}

const off: Decision = {
  verdict: {
    action: "approve",
    code: "",
    reason: "",
    rules: [{ rule: "enable", outcome: "allow", reason: "the embedded rules are switched off" }],
  },
  debits: [],
}

interface Open {
  readonly checks: readonly Check[]
  readonly debits: readonly Debit[]
}

function open(rules: Rules, request: PolicyRequest): Open {
  switch (request.type) {
    case "key_gen":
      return section(request.type, rules.keyGen, (keyGenRules) => keyGenChecks(keyGenRules, request))
    case "key_sign": {
      const { checks, debits } = limits(rules.keySign?.limits ?? [], request)
      return {
        ...section(request.type, rules.keySign, (keySignRules) => [...keySignChecks(keySignRules, request), checks]),
        debits,
      }
    }
    case "key_reshare":
      return section(request.type, rules.keyReshare, (keyReshareRules) => keyReshareChecks(keyReshareRules, request))
    case "key_share_sign":
      return section(request.type, rules.keyShareSign, (keyShareSignRules) =>
        keyShareSignChecks(keyShareSignRules, request),
      )
  }
}

type Maybe = Check | undefined | readonly Check[]

function section<S>(name: Section, rules: S | undefined, checks: (rules: S) => readonly Maybe[]): Open {
  if (rules === undefined) return { checks: [noSection(name)], debits: [] }
  return {
    checks: checks(rules).flatMap((maybe) => maybe ?? []),
    debits: [],
  }
}

/** A rule that was not written asks nothing. */
const ifWritten = <T>(value: T | undefined, make: (value: T) => Check): Check | undefined =>
  value === undefined ? undefined : make(value)

const keyGenChecks = (r: KeyGenRules, q: KeyGenRequest): readonly Maybe[] => [
  rejectAll(q.type, r.rejectAll),
  keyGenAllowList(r.allowList, q),
  ifWritten(r.curves, (items) => curves(q.type, items, q.curve)),
  ifWritten(r.timeWindows, (items) => timeWindows(q.type, items)),
  ifWritten(r.extraInfoRequired, (items) => extraInfoRequired(q.type, items, q.extraInfo)),
]

const keySignChecks = (r: KeySignRules, q: KeySignRequest): readonly Maybe[] => [
  rejectAll(q.type, r.rejectAll),
  ifWritten(r.allowedGroups, (items) => allowedGroups(q.type, items, [q.groupId])),
  ifWritten(r.allowedRootKeys, (items) => allowedRootKeys(items, q.rootPubKey)),
  ifWritten(r.signatureTypes, (items) => signatureTypes(items, q.signatureType)),
  ifWritten(r.curves, (items) => curves(q.type, items, q.curve)),
  ifWritten(r.allowedPaths, (items) => allowedPaths(items, q.messages)),
  ifWritten(r.maxBatch, (count) => maxBatch(q.type, count, q.messages.length)),
  ifWritten(r.requiredNodeIds, (items) => requiredNodeIds(q.type, items, q.usedNodeIds)),
  ifWritten(r.forbiddenNodeIds, (items) => forbiddenNodeIds(q.type, items, q.usedNodeIds)),
  ifWritten(r.timeWindows, (items) => timeWindows(q.type, items)),
  ifWritten(r.extraInfoRequired, (items) => extraInfoRequired(q.type, items, q.extraInfo)),
]

const keyReshareChecks = (r: KeyReshareRules, q: KeyReshareRequest): readonly Maybe[] => [
  rejectAll(q.type, r.rejectAll),
  keyReshareAllowList(r.allowList, q),
  ifWritten(r.allowedGroups, (items) => allowedGroups(q.type, items, [q.oldGroupId])),
  ifWritten(r.curves, (items) => curves(q.type, items, q.curve)),
  ifWritten(r.requiredNodeIds, (items) => requiredNodeIds(q.type, items, q.usedNodeIds)),
  ifWritten(r.forbiddenNodeIds, (items) => forbiddenNodeIds(q.type, items, q.usedNodeIds)),
  ifWritten(r.timeWindows, (items) => timeWindows(q.type, items)),
  ifWritten(r.extraInfoRequired, (items) => extraInfoRequired(q.type, items, q.extraInfo)),
]

const keyShareSignChecks = (r: KeyShareSignRules, q: KeyShareSignRequest): readonly Maybe[] => [
  rejectAll(q.type, r.rejectAll),
  ifWritten(r.allowedGroups, (items) => allowedGroups(q.type, items, q.groupIds)),
  ifWritten(r.maxBatch, (count) => maxBatch(q.type, count, q.groupIds.length)),
  ifWritten(r.timeWindows, (items) => timeWindows(q.type, items)),
  ifWritten(r.extraInfoRequired, (items) => extraInfoRequired(q.type, items, q.extraInfo)),
]

function outcomeOf(check: Check, facts: Facts): RuleOutcome {
  try {
    const answer = check.ask(facts)
    // Only the value true approves: a rule that answers nonsense has not approved.
    return { rule: check.rule, outcome: answer.allow === true ? "allow" : "deny", reason: answer.reason }
  } catch (error) {
    return { rule: check.rule, outcome: "error", reason: messageOf(error) }
  }
}

function decide(asked: readonly { check: Check; outcome: RuleOutcome }[], debits: readonly Debit[]): Decision {
  const rules = asked.map(({ outcome }) => outcome)
  const first = asked.find(({ outcome }) => outcome.outcome !== "allow")
  if (first === undefined) return { verdict: { action: "approve", code: "", reason: "", rules }, debits }
  const { rule, outcome, reason } = first.outcome
  const code = outcome === "error" ? "E-RSK-001" : first.check.code
  return { verdict: { action: "reject", code, reason: `${rule}: ${reason}`, rules }, debits: [] }
}

function refused(rule: string, code: string, reason: string): Decision {
  const verdict: Verdict = {
    action: "reject",
    code,
    reason: `${rule}: ${reason}`,
    rules: [{ rule, outcome: "error", reason }],
  }
  return { verdict, debits: [] }
}

const messageOf = (error: unknown): string => some([errorText(error)])
