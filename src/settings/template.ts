/**
 * The annotated file of a schema: every key there is, with what it does and its default. Keys with a default stand as
 * comments, so that a default that changes later changes for those who never chose.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { metaOf } from "./schema.ts"
import { isTree, type Tree } from "./tree.ts"

const WIDTH = 110

interface Annotation {
  /** Comment lines at the top: whose file it is, and what to do after a change. */
  readonly head: readonly string[]
  /** Keys that the file sets, each as `table.key` names it; the others stand as comments. */
  readonly set?: Readonly<Record<string, unknown>>
}

/** TOML with a line feed at its end. A key whose schema says nothing about its inside is left out. */
export const templateOf = (schema: TSchema, { head, set = {} }: Annotation): string =>
  [...head.map((line) => `# ${line}`), "", ...tableLines(schema, [], set), ""].join("\n").replace(/\n{3,}/g, "\n\n")

type Path = readonly string[]

/** The lines of a table: its own keys first, then the tables inside, each under its header. */
function tableLines(table: TSchema, path: Path, set: Readonly<Tree>): readonly string[] {
  const properties = Object.entries<TSchema>(table["properties"] ?? {}).filter(
    ([, schema]) => !KindGuard.IsUnknown(schema),
  )
  const inner = properties.filter(([, schema]) => isBlock(schema))
  const keys = properties.filter(([, schema]) => !isBlock(schema))
  return [
    ...keys.flatMap(([key, schema]) => keyLines(key, schema, set[[...path, key].join(".")])),
    ...inner.flatMap(([key, schema]) => blockLines(schema, [...path, key], set)),
  ]
}

const isTable = (schema: TSchema): boolean => KindGuard.IsObject(schema)
const isMap = (schema: TSchema): boolean => KindGuard.IsRecord(schema)
const isTables = (schema: TSchema): boolean => KindGuard.IsArray(schema) && isTable(schema.items)
const isBlock = (schema: TSchema): boolean => isTable(schema) || isTables(schema) || isMap(schema)

function blockLines(schema: TSchema, path: Path, set: Readonly<Tree>): readonly string[] {
  const name = path.join(".")
  const note = comment(metaOf(schema).description)
  if (isTables(schema)) return ["", ...note, ...commented([`[[${name}]]`, ...tableLines(schema["items"], path, {})])]
  if (isMap(schema)) {
    const { example } = metaOf(schema)
    const entries = Object.entries(isTree(example) ? example : {})
    const lines = entries.map(([key, value]) => `${JSON.stringify(key)} = ${JSON.stringify(value)}`)
    return ["", ...note, ...commented([`[${name}]`, ...lines])]
  }
  const lines = [`[${name}]`, ...tableLines(schema, path, set)]
  // a table that is off unless written would be on by its header alone
  return ["", ...note, ...(schema["default"] === undefined ? commented(lines) : lines)]
}

function keyLines(key: string, schema: TSchema, value: unknown): readonly string[] {
  const { description, example } = metaOf(schema)
  const fallback: unknown = schema["default"] ?? (KindGuard.IsArray(schema) && example === "" ? [] : undefined)
  const line =
    value === undefined ? `#${key} = ${JSON.stringify(fallback ?? example)}` : `${key} = ${JSON.stringify(value)}`
  return [...comment(description), line]
}

const commented = (lines: readonly string[]): readonly string[] =>
  lines.map((line) => (line.startsWith("#") || line === "" ? line : `#${line}`))

/** `text` as comment lines of a bounded width. */
export function comment(text: string): readonly string[] {
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
