/**
 * The annotated configuration that `config init` writes: every key there is, with what it does and its default. Keys
 * with a default stand as comments, so that a default that changes later changes for those who never chose.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { rulesTemplate } from "../policy/template.ts"
import { configSchema, RULES_TABLE } from "./config.ts"
import { metaOf } from "./schema.ts"

const WIDTH = 110

export function template(): string {
  return [
    "# Configuration of cosigner. Every key is shown; a commented one shows its default, or an example.",
    "# Relative paths are relative to the working directory. After a change: cosigner config check",
    "",
    ...tableLines(configSchema, []),
    "",
    ...rulesTemplate(RULES_TABLE),
    "",
  ].join("\n")
}

/** The lines of a table: its own keys first, then the tables inside, each under its header. */
function tableLines(table: TSchema, path: readonly string[]): readonly string[] {
  const properties: readonly (readonly [string, TSchema])[] = Object.entries(table["properties"] ?? {})
  const inner = properties.filter(([key, schema]) => key !== RULES_TABLE && isBlock(schema))
  const keys = properties.filter(([key, schema]) => key !== RULES_TABLE && !isBlock(schema))
  return [
    ...keys.flatMap(([key, schema]) => keyLines(key, schema)),
    ...inner.flatMap(([key, schema]) => blockLines(schema, [...path, key])),
  ]
}

const isTable = (schema: TSchema): boolean => KindGuard.IsObject(schema)
const isMap = (schema: TSchema): boolean => KindGuard.IsRecord(schema)
const isTables = (schema: TSchema): boolean => KindGuard.IsArray(schema) && isTable(schema.items)
const isBlock = (schema: TSchema): boolean => isTable(schema) || isTables(schema) || isMap(schema)

function blockLines(schema: TSchema, path: readonly string[]): readonly string[] {
  const name = path.join(".")
  const note = comment(metaOf(schema).description)
  if (isTables(schema)) return ["", ...note, `#[[${name}]]`, ...commented(tableLines(schema["items"], path))]
  if (isMap(schema)) return ["", ...note, `#[${name}]`, `#"m/86" = "bip340"`]
  return ["", ...note, `[${name}]`, ...tableLines(schema, path)]
}

function keyLines(key: string, schema: TSchema): readonly string[] {
  const { description, example } = metaOf(schema)
  const fallback: unknown = schema["default"] ?? (KindGuard.IsArray(schema) ? [] : undefined)
  return [...comment(description), `#${key} = ${JSON.stringify(fallback ?? example)}`]
}

const commented = (lines: readonly string[]): readonly string[] =>
  lines.map((line) => (line.startsWith("#") || line === "" ? line : `#${line}`))

/** `text` as comment lines of a bounded width. */
function comment(text: string): readonly string[] {
  const lines: string[] = []
  let line = "#"
  for (const word of text.split(" ").filter((part) => part !== "")) {
    if (line.length + word.length >= WIDTH) {
      lines.push(line)
      line = "#"
    }
    line = `${line} ${word}`
  }
  return line === "#" ? lines : [...lines, line]
}
