/** The table of the rules in configuration.md, from the rules themselves. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { SECTIONS } from "../../src/policy/request.ts"
import type { AnyRule } from "../../src/policy/rule.ts"
import { ENABLE_DOC, RULES, SECTION_DOCS } from "../../src/policy/schema.ts"
import { metaOf } from "../../src/settings/schema.ts"
import { code, table } from "./markdown.ts"

const ABSENT: Readonly<Record<AnyRule["absent"], string>> = {
  "not asked": "not evaluated",
  "a problem": "refused: must be written",
  "asked as empty": "an empty list",
}

export const rulesReference = (): readonly string[] => [
  [
    "Risk control by rules inside the node, before any callback server is asked. All rules of a section must allow, and an error in",
    "a rule is a reject. A section that is left out while the rules are on rejects every task of its kind. `cosigner policy check`",
    "finds contradictions, `cosigner policy explain` shows how the rules judge a task, `cosigner policy replay` tries a draft on past tasks.",
  ].join("\n"),
  table(
    ["key or section", "value", "default", "meaning"],
    [
      [code("enable"), "true or false", code("false"), ENABLE_DOC],
      ...SECTIONS.map((section) => [code(`[${section}]`), "a table", "everything is rejected", SECTION_DOCS[section]]),
    ],
  ),
  "### Rules",
  table(["rule", "in", "value", "left out", "meaning", "refuses with"], RULES.flatMap(rowsOf)),
]

function rowsOf(rule: AnyRule): readonly (readonly string[])[] {
  const { key, sections, schema, doc, absent, code: refusal } = rule
  return [
    [code(key), sections.join(", "), metaOf(schema).expected, ABSENT[absent], doc, refusal],
    ...(KindGuard.IsArray(schema) ? entryRows(key, schema.items) : []),
  ]
}

const entryRows = (key: string, entry: TSchema): readonly (readonly string[])[] =>
  KindGuard.IsObject(entry)
    ? Object.entries<TSchema>(entry.properties).map(([name, schema]) => [
        code(`${key}[].${name}`),
        "",
        metaOf(schema).expected,
        entry.required?.includes(name) === true ? "refused: must be written" : "see meaning",
        metaOf(schema).description,
        "",
      ])
    : []
