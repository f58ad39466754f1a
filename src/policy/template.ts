/** The annotated [embedded_risk_control_rules] that `config init` writes, generated from the list of rules. All lines are comments. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { isTree } from "../settings/tree.ts"
import { SECTIONS, type Section } from "./request.ts"
import type { AnyRule } from "./rule.ts"
import { ENABLE_DOC, rulesOf, SECTION_DOCS } from "./schema.ts"

const WIDTH = 110

const INTRODUCTION =
  "Risk control by rules inside the node, before any callback server is asked. Default deny: a section that is left out " +
  "rejects every task of its kind, an empty list lets nothing pass, and all rules of a section must allow. A rule that " +
  "is left out is not evaluated. Contradictions: cosigner policy check. What would happen: cosigner policy explain."

/** `table` is the name of the whole table in the file. */
export function rulesTemplate(table: string): readonly string[] {
  const explained = new Set<string>()
  return [
    ...comment(INTRODUCTION),
    `[${table}]`,
    ...comment(ENABLE_DOC),
    "#enable = false",
    ...SECTIONS.flatMap((section) => sectionLines(table, section, explained)),
  ]
}

/** A rule that occurs in several sections is explained in the first one. Lists of tables end a table, so they come last. */
function sectionLines(table: string, section: Section, explained: Set<string>): readonly string[] {
  const rules = rulesOf(section).map((rule) => {
    const isKnown = explained.has(rule.doc)
    explained.add(rule.doc)
    return { rule, note: isKnown ? [] : comment(rule.doc) }
  })
  const header = `${table}.${section}`
  return [
    "",
    ...comment(SECTION_DOCS[section]),
    `#[${header}]`,
    ...rules.flatMap(({ rule, note }) =>
      isBlocks(rule) ? [] : [...note, `#${rule.key} = ${toml(exampleOf(rule.schema))}`],
    ),
    ...rules.flatMap(({ rule, note }) => (isBlocks(rule) ? [...note, ...blockLines(header, rule)] : [])),
  ]
}

const isBlocks = ({ schema }: AnyRule): boolean => KindGuard.IsArray(schema) && KindGuard.IsObject(schema.items)

function blockLines(header: string, { key, schema }: AnyRule): readonly string[] {
  const examples = exampleOf(schema)
  const entries: readonly unknown[] = Array.isArray(examples) ? examples : []
  return entries.flatMap((entry) => [
    `#[[${header}.${key}]]`,
    ...(isTree(entry) ? Object.entries(entry).map(([name, value]) => `#${name} = ${toml(value)}`) : []),
  ])
}

const exampleOf = (schema: TSchema): unknown => schema["example"]

/** A value of the TOML on one line. */
function toml(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`
  if (!isTree(value)) return JSON.stringify(value)
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key} = ${toml(inner)}`)
    .join(", ")} }`
}

/** `text` as comment lines of a bounded width. */
function comment(text: string): readonly string[] {
  const lines: string[] = []
  let line = "#"
  for (const part of text.split(" ").filter((piece) => piece !== "")) {
    if (line.length + part.length >= WIDTH) {
      lines.push(line)
      line = "#"
    }
    line = `${line} ${part}`
  }
  return line === "#" ? lines : [...lines, line]
}
