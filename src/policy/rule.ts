/**
 * Defines a rule of [embedded_risk_control_rules]: data, one file for each in rules/. The one list of rules (ruleList.ts)
 * reads the configuration, writes its template and reference, evaluates, lints and explains. So every key that is
 * accepted is also evaluated. A rule that gives no answer, or an answer that is not one of the three, is an error, and an
 * error rejects.
 */
import type { StaticDecode, StaticEncode, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import type { Code } from "../errors.ts"
import type { Awaited, Debit, Usage } from "./decision.ts"
import { doubtOf } from "./doubt.ts"
import type { Names } from "./names.ts"
import type { Presented } from "./people.ts"
import type { PolicyRequest, RequestOf, Section } from "./request.ts"
import type { RuleOutcome } from "./verdict.ts"

/** Everything that a rule may know besides the request: no rule reads a clock or a store of its own. */
export interface Facts {
  readonly usage: Usage
  /** Milliseconds since 1970. */
  readonly nowMs: number
  /** The statements of people about the task that this node verified. */
  readonly presented: Presented
  /** The section that contains the rule. */
  readonly section: SectionRules
}

export interface RuleAnswer {
  readonly outcome: RuleOutcome["outcome"]
  /** Why, for people; always present. */
  readonly reason: string
  /** The entry of the rule that answers, if entries answer separately: `hourly` of `limits.hourly`. */
  readonly entry?: string
  /** What approving the request takes from the counters. */
  readonly debits: readonly Debit[]
  /** For an error. */
  readonly code?: Code
  /** For a denial that statements of people would end: which ones. */
  readonly awaits?: readonly Awaited[]
  /** A person whose approval is needed said no. */
  readonly isVetoed?: boolean
}

export const allow = (reason: string, debits: readonly Debit[] = []): RuleAnswer => ({
  outcome: "allow",
  reason,
  debits,
})
export const deny = (reason: string): RuleAnswer => ({ outcome: "deny", reason, debits: [] })

/** The answer of one entry. An exception in it is only this entry's error, and the others still answer. */
export function entry(name: string, ask: () => RuleAnswer): RuleAnswer {
  try {
    return { ...ask(), entry: name }
  } catch (error) {
    const { code, reason } = doubtOf(error)
    return { outcome: "error", reason: some([reason]), entry: name, debits: [], code }
  }
}

export interface SettingProblem {
  /** Keys and list indices that lead from the checked table to the value. */
  readonly at: readonly (string | number)[]
  readonly expected: string
  readonly got: string
}

export interface LintFinding {
  readonly severity: "error" | "warning"
  /** The key, from [embedded_risk_control_rules] down. */
  readonly where: string
  readonly what: string
}

/** Reports a finding about the part of a rule that is being checked. */
export type Say = (severity: LintFinding["severity"], what: string) => void

/** What lint of one rule sees: its own section, and where to report. */
export interface Linting {
  readonly section: SectionRules
  readonly names: Names
  /** `below` names the part of the rule: `[1]`, `.hourly`; empty for all of it. */
  readonly report: (severity: LintFinding["severity"], what: string, below?: string) => void
}

/** A number from 0 to `below` - 1, from a source that the caller seeds. */
export type Draw = (below: number) => number

/** A request that some setting of the rule refuses, made by the rule itself. */
export interface RefusedSample<R extends PolicyRequest, W> {
  readonly setting: W
  readonly request: R
  /** If the counters decide. */
  readonly usage?: Usage
}

/** The answers of a rule to one request. */
export type Ask<K extends Section> = (request: RequestOf<K>, facts: Facts) => readonly RuleAnswer[]

/** `check` judges a request right away. `prepare` first turns the value, once, into a function that judges each request. */
type Checking<K extends Section, V> =
  | { readonly check: (value: V, request: RequestOf<K>, facts: Facts) => readonly RuleAnswer[] }
  | { readonly prepare: (value: V, names: Names) => Ask<K> }

type RuleSpec<K extends Section, S extends TSchema> = Stated<K, S> & Checking<K, StaticDecode<S>>

interface Stated<K extends Section, S extends TSchema> {
  /** As the TOML has it. */
  readonly key: string
  /** Its name in earlier releases, which is still read. */
  readonly formerKey?: string
  readonly sections: readonly K[]
  /** The schema of the value in the TOML. Leaves that mean more than their text decode themselves. */
  readonly schema: S
  /** A description of the rule, for the annotated file and the reference. */
  readonly doc: string
  /** The code of its denial. Rules are evaluated in the order of their codes, and the first denial names the verdict. */
  readonly code?: Code
  /** The meaning of a missing key. */
  readonly absent: "not asked" | "a problem" | "asked as empty"
  /** For a rule that is "asked as empty": whether this applies to a section that does not have the key. */
  readonly needed?: (table: WrittenTable) => boolean
  /** Checks that a schema cannot express. Gets only values that fit the schema. */
  readonly problems?: (written: StaticEncode<S>) => readonly SettingProblem[]
  /** Lint for a value that parses: parts that are never reached, contradictions. */
  readonly lint?: (value: StaticDecode<S>, linting: Linting) => void
  /** A setting that lets the request pass. */
  readonly allows: (request: RequestOf<K>, nowMs: number, draw: Draw) => StaticEncode<S>
  /** A setting and a request, made from `request`, that this rule alone refuses. */
  readonly refuses: (request: RequestOf<K>, nowMs: number, draw: Draw) => RefusedSample<RequestOf<K>, StaticEncode<S>>
}

/** A rule together with its value in one section. */
interface BoundRule {
  readonly key: string
  readonly code: Code
  /** Answers of the rule, each with its debits. Never throws. */
  readonly ask: (request: PolicyRequest, facts: Facts) => readonly RuleOpinion[]
  readonly lint: (linting: Linting) => void
}

export interface RuleOpinion {
  readonly outcome: RuleOutcome
  /** The code of its denial or error. */
  readonly code: Code
  readonly debits: readonly Debit[]
  readonly awaits: readonly Awaited[]
  readonly isVetoed: boolean
}

/** The table of a section; every value in it fits the schema of its rule. */
export type WrittenTable = Readonly<Record<string, unknown>>

/** One section as written. */
export interface SectionRules {
  readonly section: Section
  readonly written: WrittenTable
  /** In the order in which they are asked. */
  readonly rules: readonly BoundRule[]
  /** Rules that were written under a former name. */
  readonly renamed: readonly Pick<AnyRule, "key" | "formerKey">[]
}

/** A rule, whatever the type of its value. */
export interface AnyRule {
  readonly key: string
  readonly formerKey: string | undefined
  readonly sections: readonly Section[]
  readonly schema: TSchema
  readonly doc: string
  readonly code: Code
  readonly absent: "not asked" | "a problem" | "asked as empty"
  /** For a value that fits the schema. */
  readonly problems: (written: unknown) => readonly SettingProblem[]
  /** Undefined if the rule is not evaluated. The table is the section's; the rule's value in it fits the schema. */
  readonly bind: (section: Section, table: WrittenTable, names: Names) => BoundRule | undefined
  readonly allows: (request: PolicyRequest, nowMs: number, draw: Draw) => unknown
  readonly refuses: (request: PolicyRequest, nowMs: number, draw: Draw) => RefusedSample<PolicyRequest, unknown>
}

/** `V` is the value as checks see it. */
interface Rule<V> extends AnyRule {
  /** The value in a section; undefined if it is not written. */
  readonly valueIn: (section: SectionRules) => V | undefined
}

const EMPTY: readonly never[] = []

export function defineRule<const K extends Section, S extends TSchema>(spec: RuleSpec<K, S>): Rule<StaticDecode<S>> {
  const { key, sections, schema, doc, absent, code = "E-RSK-017" } = spec
  const decode = (written: unknown): StaticDecode<S> => Value.Decode(schema, written)
  const orAbsent = (written: unknown): unknown =>
    written === undefined && absent === "asked as empty" ? EMPTY : written
  const concerning = (request: PolicyRequest): RequestOf<K> => {
    if (concerns(request, sections)) return request
    throw new TypeError(`${key} is no rule of ${request.type}`)
  }
  const prepared = (value: StaticDecode<S>, names: Names): Ask<K> => {
    if ("check" in spec) return (request, facts) => spec.check(value, request, facts)
    try {
      return spec.prepare(value, names)
    } catch (error) {
      // The set parses, and lint says what is wrong. Until somebody corrects it, every request is an error of this rule.
      return () => {
        throw error
      }
    }
  }
  const bind: AnyRule["bind"] = (section, table, names) => {
    const isNeeded = table[key] !== undefined || spec.needed?.(table) !== false
    const raw = isNeeded ? orAbsent(table[key]) : undefined
    if (raw === undefined) return undefined
    const value = decode(raw)
    const ask = prepared(value, names)
    return {
      key,
      code,
      ask: (request, facts) => asked(`${section}.${key}`, code, () => ask(concerning(request), facts)),
      lint: (linting) => spec.lint?.(value, linting),
    }
  }
  return {
    key,
    formerKey: spec.formerKey,
    sections,
    schema,
    doc,
    code,
    absent,
    bind,
    problems: (written) => (Value.Check(schema, written) ? (spec.problems?.(written) ?? EMPTY) : EMPTY),
    valueIn: ({ written }) => {
      const raw = orAbsent(written[key])
      return raw === undefined ? undefined : decode(raw)
    },
    allows: (request, nowMs, draw) => spec.allows(concerning(request), nowMs, draw),
    refuses: (request, nowMs, draw) => spec.refuses(concerning(request), nowMs, draw),
  }
}

const concerns = <K extends Section>(request: PolicyRequest, sections: readonly K[]): request is RequestOf<K> =>
  sections.some((section) => section === request.type)

function asked(rule: string, code: Code, check: () => readonly RuleAnswer[]): readonly RuleOpinion[] {
  const error = (doubt: Code, reason: string): readonly RuleOpinion[] => [
    {
      outcome: { rule, outcome: "error", reason: some([reason]) },
      code: doubt,
      debits: [],
      awaits: [],
      isVetoed: false,
    },
  ]
  try {
    const answers = check()
    if (answers.length === 0) return error("E-RSK-001", "the rule gave no answer")
    return answers.map((answer) => {
      const outcome = outcomeOf(rule, answer)
      return {
        outcome,
        code: outcome.outcome === "error" ? (answer.code ?? "E-RSK-001") : code,
        debits: answer.debits,
        // Only a denial waits; an error never does, whatever it says.
        awaits: outcome.outcome === "deny" ? (answer.awaits ?? EMPTY) : EMPTY,
        isVetoed: outcome.outcome === "deny" && answer.isVetoed === true,
      }
    })
  } catch (cause) {
    const { code: doubt, reason } = doubtOf(cause)
    return error(doubt, reason)
  }
}

function outcomeOf(rule: string, { outcome, reason, entry: name }: RuleAnswer): RuleOutcome {
  const full = name === undefined ? rule : `${rule}.${name}`
  // Only an exact "allow" allows: a rule with an invalid answer has not approved.
  if (outcome === "allow" || outcome === "deny") return { rule: full, outcome, reason }
  return { rule: full, outcome: "error", reason }
}

/** `a, b, c and 4 more`: reasons stay readable whatever a task contains. */
export function some(words: Iterable<string>, most = 4): string {
  const all = [...words].map((text) => (text.length > 140 ? `${text.slice(0, 140)}...` : text))
  const more = all.length - most
  return more > 0 ? `${all.slice(0, most).join(", ")} and ${more} more` : all.join(", ")
}
