/**
 * [embedded_risk_control_rules]: from a TOML table to Rules, by the list of rules alone. Closed: an unknown key, a wrong
 * type and a value out of range are problems with a place, and one problem refuses the whole set. The config knows the file and line
 * of a place.
 *
 * A section that is absent while the module is on rejects every task of its kind.
 */
import { KindGuard, type TSchema, Type } from "@sinclair/typebox"
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value"
import { requiredBoolean } from "../settings/schema.ts"
import { isTree } from "../settings/tree.ts"
import { type Names, NO_NAMES } from "./names.ts"
import { SECTIONS, type Section } from "./request.ts"
import type { AnyRule, SectionRules, SettingProblem } from "./rule.ts"
import { LISTED } from "./ruleList.ts"

/** In the order of evaluation, which is the order of their codes. */
export const RULES: readonly AnyRule[] = LISTED.toSorted((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0))

export const rulesOf = (section: Section): readonly AnyRule[] =>
  RULES.filter(({ sections }) => sections.includes(section))

export interface Rules {
  readonly enable: boolean
  /** The sections as written; undefined for a section that was not written. */
  readonly sections: Readonly<Record<Section, SectionRules | undefined>>
  /** What the names in the rules stand for. */
  readonly names: Names
}

const NO_SECTIONS: Rules["sections"] = {
  key_gen: undefined,
  key_sign: undefined,
  key_reshare: undefined,
  key_share_sign: undefined,
}

/** The module switched off: what an absent table means. */
export const RULES_OFF: Rules = { enable: false, sections: NO_SECTIONS, names: NO_NAMES }

export const SECTION_DOCS: Readonly<Record<Section, string>> = {
  key_gen: "New keys.",
  key_sign: "Signatures.",
  key_reshare: "Changes of the members of a key.",
  key_share_sign: "Check-ups of a key share.",
}

export const ENABLE_DOC = "Whether the rules are asked at all."

const sectionSchema = (section: Section): TSchema =>
  Type.Object(
    Object.fromEntries(
      rulesOf(section).flatMap(({ key, formerKey, schema, absent }) => [
        [key, absent === "a problem" ? schema : Type.Optional(schema)],
        ...(formerKey === undefined ? [] : [[formerKey, Type.Optional(schema)]]),
      ]),
    ),
    { additionalProperties: false, description: SECTION_DOCS[section], expected: "a table" },
  )

/** The table as TypeBox sees it. Rules make further checks of their values in checkRules. */
export const rulesSchema: TSchema = Type.Object(
  {
    enable: Type.Optional(requiredBoolean(false, ENABLE_DOC)),
    ...Object.fromEntries(SECTIONS.map((section) => [section, Type.Optional(sectionSchema(section))])),
  },
  {
    additionalProperties: false,
    description: "Risk control by rules inside the node, before any callback server is asked.",
    expected: "a table",
  },
)

type Checked =
  | { readonly ok: true; readonly rules: Rules }
  | { readonly ok: false; readonly problems: readonly SettingProblem[] }

/** Checks the whole table; `undefined` is the module switched off. Problems are placed relative to the table. */
export function checkRules(value: unknown, names: Names = NO_NAMES): Checked {
  if (value === undefined) return { ok: true, rules: RULES_OFF }
  const problems = [...schemaProblems(value), ...ruleProblems(value)]
  if (problems.length > 0 || !isTree(value)) return { ok: false, problems }
  const sections = SECTIONS.map((section) => [section, bound(section, value[section], names)] as const)
  return {
    ok: true,
    rules: { enable: value["enable"] === true, sections: { ...NO_SECTIONS, ...Object.fromEntries(sections) }, names },
  }
}

/** The same rules with their names resolved. */
export function withNames({ enable, sections }: Rules, names: Names): Rules {
  const named = SECTIONS.map((section) => {
    const before = sections[section]
    const after = bound(section, before?.written, names)
    return [section, after && { ...after, renamed: before?.renamed ?? [] }] as const
  })
  return { enable, sections: { ...NO_SECTIONS, ...Object.fromEntries(named) }, names }
}

function bound(section: Section, written: unknown, names: Names): SectionRules | undefined {
  if (!isTree(written)) return undefined
  const renamed = rulesOf(section).filter(
    ({ formerKey }) => formerKey !== undefined && Object.hasOwn(written, formerKey),
  )
  const table = Object.fromEntries(
    Object.entries(written).map(([key, value]) => [
      renamed.find(({ formerKey }) => formerKey === key)?.key ?? key,
      value,
    ]),
  )
  const rules = rulesOf(section).flatMap((rule) => rule.bind(section, table, names) ?? [])
  return { section, written: table, rules, renamed }
}

/** One problem for each place: for TypeBox a missing key is also a wrong type, and one of the two is enough. */
function schemaProblems(value: unknown): readonly SettingProblem[] {
  const dates = notTables(rulesSchema, value, [])
  const seen = new Set(dates.map(({ at }) => at.join("/")))
  const problems = [...dates]
  for (const error of Value.Errors(rulesSchema, value)) {
    const at = placeOf(error.path)
    const isInside = at.some((_, i) => seen.has(at.slice(0, i).join("/")))
    if (isInside || seen.has(at.join("/"))) continue
    seen.add(at.join("/"))
    problems.push({ at, expected: expectedOf(error), got: gotOf(error) })
  }
  return problems
}

/** TypeBox takes a date for an object without members, and so for a table with everything left out. */
function notTables(schema: TSchema, value: unknown, at: SettingProblem["at"]): readonly SettingProblem[] {
  if (value === undefined) return []
  if (KindGuard.IsArray(schema) && Array.isArray(value))
    return value.flatMap((item: unknown, i) => notTables(schema.items, item, [...at, i]))
  if (!KindGuard.IsObject(schema)) return []
  if (!isTree(value)) return [{ at, expected: "a table", got: shown(value) }]
  return Object.entries<TSchema>(schema.properties).flatMap(([key, inner]) =>
    notTables(inner, value[key], [...at, key]),
  )
}

function ruleProblems(value: unknown): readonly SettingProblem[] {
  if (!isTree(value)) return []
  return SECTIONS.flatMap((section) => {
    const written = value[section]
    if (!isTree(written)) return []
    return rulesOf(section).flatMap((rule) => [
      ...namesOf(rule).flatMap((key) =>
        rule.problems(written[key]).map((problem) => ({ ...problem, at: [section, key, ...problem.at] })),
      ),
      ...twice(section, rule, written),
    ])
  })
}

const namesOf = ({ key, formerKey }: AnyRule): readonly string[] => (formerKey === undefined ? [key] : [key, formerKey])

/** A rule is written under both of its names, and nobody can tell which one is meant. */
function twice(section: Section, { key, formerKey }: AnyRule, written: object): readonly SettingProblem[] {
  if (formerKey === undefined || !Object.hasOwn(written, key) || !Object.hasOwn(written, formerKey)) return []
  return [{ at: [section, formerKey], expected: `${key} alone, which is its name now`, got: "both" }]
}

const placeOf = (pointer: string): SettingProblem["at"] =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))

function expectedOf({ type, schema, message, value }: ValueError): string {
  if (type === ValueErrorType.ObjectAdditionalProperties)
    return `one of the keys ${Object.keys(schema["properties"] ?? {}).join(", ")}`
  const expected = String(schema["expected"] ?? "") || message
  return value === undefined ? `${expected}; it has no default` : expected
}

const gotOf = ({ type, value }: ValueError): string =>
  type === ValueErrorType.ObjectAdditionalProperties ? "an unknown key" : shown(value)

function shown(value: unknown): string {
  if (value === undefined) return "nothing"
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a table or a date"
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}
