/**
 * The embedded risk control module: from rules and a request to a decision. Pure: usage and time are arguments. Every rule is
 * evaluated and any deny wins. The order of rules only decides which denial is named first. An exception
 * inside a rule is an "error" outcome, and that rejects.
 */
import { errorText } from "../errors.ts"
import { type Awaited, type Debit, type Decision, isAmount, type Usage } from "./decision.ts"
import { NOBODY, type Presented } from "./people.ts"
import type { PolicyRequest, UnreadableRequest } from "./request.ts"
import { type Facts, type RuleOpinion, type SectionRules, some } from "./rule.ts"
import type { Rules } from "./schema.ts"
import type { Verdict } from "./verdict.ts"

/** The rules' decision about the request at `nowMs` (ms since 1970), and what an approval takes from the counters. */
export function evaluate(
  rules: Rules,
  request: PolicyRequest | UnreadableRequest,
  usage: Usage,
  nowMs: number,
  presented: Presented = NOBODY,
): Decision {
  if (request.type === "unreadable") return refused("request", "E-RSK-016", request.problem)
  if (!rules.enable) return off
  try {
    if (!Number.isSafeInteger(nowMs) || nowMs < 0) throw new RangeError(`the time ${nowMs} is no time`)
    if (!Object.hasOwn(rules.sections, request.type)) throw new TypeError("no rule applies")
    const section = rules.sections[request.type]
    return section === undefined
      ? closed(request.type)
      : decide(askAll(section, request, { usage, nowMs, section, presented }))
  } catch (error) {
    return refused("rules", "E-RSK-001", some([errorText(error)]))
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

function askAll({ rules }: SectionRules, request: PolicyRequest, facts: Facts): readonly RuleOpinion[] {
  if (rules.length === 0) throw new TypeError("no rule applies")
  return rules.flatMap((rule) => rule.ask(request, facts))
}

function decide(asked: readonly RuleOpinion[]): Decision {
  const rules = asked.map(({ outcome }) => outcome)
  const first = asked.find(({ outcome }) => outcome.outcome !== "allow")
  if (first === undefined) {
    const debits = together(asked.flatMap((one) => one.debits))
    return { verdict: { action: "approve", code: "", reason: "", rules }, debits }
  }
  const { rule, reason } = first.outcome
  const verdict = { action: "reject", code: first.code, reason: `${rule}: ${reason}`, rules } as const
  const refusing = asked.filter(({ outcome }) => outcome.outcome !== "allow")
  const veto = asked.find(({ isVetoed }) => isVetoed)?.outcome.reason
  const vetoed = veto === undefined ? {} : { vetoed: veto }
  // If people cannot end a denial, it is a refusal, whatever else is missing.
  if (refusing.some(({ awaits }) => awaits.length === 0)) return { verdict, debits: [], ...vetoed }
  return { verdict, debits: [], awaits: once(refusing.flatMap(({ awaits }) => awaits)) }
}

const once = (awaited: readonly Awaited[]): readonly Awaited[] => [
  ...new Map(awaited.map((one) => [one.kind === "request" ? "request" : `${one.group} ${one.min}`, one])).values(),
]

/** Each debit once: rules that name the same counter name the same amount. */
function together(debits: readonly Debit[]): readonly Debit[] {
  const byName = new Map<string, Debit>()
  for (const debit of debits) {
    const name = isAmount(debit) ? `${debit.counter} ${debit.replaces}` : debit.counter
    const known = byName.get(name) ?? debit
    if (known.amount !== debit.amount) throw new RangeError(`two amounts for the counter ${debit.counter}`)
    byName.set(name, debit)
  }
  return [...byName.values()]
}

/** The answer for a section that was not written. */
function closed(section: string): Decision {
  const reason = "the rules have no section for this kind of task"
  return rejected("E-RSK-002", { rule: section, outcome: "deny", reason })
}

const refused = (rule: string, code: string, reason: string): Decision =>
  rejected(code, { rule, outcome: "error", reason })

function rejected(code: string, outcome: Verdict["rules"][number]): Decision {
  const reason = `${outcome.rule}: ${outcome.reason}`
  return { verdict: { action: "reject", code, reason, rules: [outcome] }, debits: [] }
}
