/**
 * The annotated TOML file of a schema: every key, with what it does and its default. Keys with a default are
 * comments, so that a default that changes later also changes for users who never set the key. Given values are set.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { metaOf } from "./schema.ts"
import { isTree, type KeyPath, type Tree } from "./tree.ts"

const WIDTH = 110

interface Annotation {
  /** Comment lines at the top: whose file it is, and what to do after a change. */
  readonly head: readonly string[]
  /** The values that the file sets, as tables; every other key is a comment. */
  readonly set?: Readonly<Tree>
  /** Written beside a key that is set: where its value comes from. */
  readonly origin?: (path: KeyPath) => string | undefined
}

/** Ends with a line feed. A key whose schema does not describe its contents is left out. */
export const templateOf = (schema: TSchema, { head, set = {}, origin = () => undefined }: Annotation): string =>
  [...head.map((line) => `# ${line}`.trimEnd()), "", ...new Template(origin).table(schema, [], set), ""]
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")

/** A table without a schema, as TOML under its header: what is set, and nothing else. */
export const tableText = (table: Readonly<Tree>, path: KeyPath, origin: NonNullable<Annotation["origin"]>): string =>
  `${new Template(origin).plain(table, path).join("\n")}\n`

const isTable = (schema: TSchema): boolean => KindGuard.IsObject(schema)
const isMap = (schema: TSchema): boolean => KindGuard.IsRecord(schema)
const isTables = (schema: TSchema): boolean => KindGuard.IsArray(schema) && isTable(schema.items)
const isBlock = (schema: TSchema): boolean => isTable(schema) || isTables(schema) || isMap(schema)

class Template {
  readonly #origin: NonNullable<Annotation["origin"]>

  constructor(origin: NonNullable<Annotation["origin"]>) {
    this.#origin = origin
  }

  /** The lines of a table: its own keys first, then the tables inside, each under its header. */
  table(table: TSchema, path: KeyPath, set: unknown): readonly string[] {
    const given = isTree(set) ? set : {}
    const properties = Object.entries<TSchema>(table["properties"] ?? {}).filter(
      ([, schema]) => !KindGuard.IsUnknown(schema),
    )
    const inner = properties.filter(([, schema]) => isBlock(schema))
    const keys = properties.filter(([, schema]) => !isBlock(schema))
    return [
      ...keys.flatMap(([key, schema]) => this.#key(schema, [...path, key], given[key])),
      ...inner.flatMap(([key, schema]) => this.#block(schema, [...path, key], given[key])),
    ]
  }

  #block(schema: TSchema, path: KeyPath, set: unknown): readonly string[] {
    const name = headerOf(path)
    const note = comment(metaOf(schema).description)
    if (isTables(schema)) {
      const items: readonly unknown[] = Array.isArray(set) ? set : []
      if (items.length === 0) {
        return ["", ...note, ...commented([`[[${name}]]`, ...this.table(schema["items"], path, {})])]
      }
      return ["", ...note, ...items.flatMap((item, i) => this.#entry(schema["items"], [...path, i], item))]
    }
    if (isMap(schema)) {
      const { example } = metaOf(schema)
      const lines = (entries: unknown) => Object.entries(isTree(entries) ? entries : {}).map(([k, v]) => line(k, v))
      const given = lines(set)
      return [
        "",
        ...note,
        ...(given.length > 0 ? [`[${name}]`, ...given] : commented([`[${name}]`, ...lines(example)])),
      ]
    }
    const lines = [`[${name}]`, ...this.table(schema, path, set)]
    // The header alone would switch on a table that is off unless it is written.
    return ["", ...note, ...(schema["default"] === undefined && set === undefined ? commented(lines) : lines)]
  }

  /** One table of a list, with the keys that it sets. */
  #entry(schema: TSchema, path: KeyPath, set: unknown): readonly string[] {
    const given = isTree(set) ? set : {}
    const known: Readonly<Record<string, TSchema>> = schema["properties"] ?? {}
    const keys = Object.entries(given).filter(([key]) => !isBlock(known[key] ?? schema))
    const inner = Object.entries(known).filter(([key, schema]) => isBlock(schema) && given[key] !== undefined)
    return [
      `[[${headerOf(path)}]]`,
      ...keys.map(([key, value]) => this.#set([...path, key], value)),
      ...inner.flatMap(([key, schema]) => this.#block(schema, [...path, key], given[key])),
    ]
  }

  #key(schema: TSchema, path: KeyPath, value: unknown): readonly string[] {
    const { description, example } = metaOf(schema)
    const fallback: unknown = schema["default"] ?? (KindGuard.IsArray(schema) && example === "" ? [] : undefined)
    const key = String(path.at(-1))
    return [
      ...comment(description),
      value === undefined ? `#${line(key, fallback ?? example)}` : this.#set(path, value),
    ]
  }

  /** A line that sets a key, with where its value comes from. */
  #set(path: KeyPath, value: unknown): string {
    const origin = this.#origin(path)
    const text = line(String(path.at(-1)), value)
    return origin === undefined ? text : `${text} # ${origin}`
  }

  plain(table: Readonly<Tree>, path: KeyPath): readonly string[] {
    const isInner = (value: unknown): boolean =>
      isTree(value) || (Array.isArray(value) && value.length > 0 && value.every(isTree))
    const keys = Object.entries(table).filter(([, value]) => !isInner(value))
    const inner = Object.entries(table).filter(([, value]) => isInner(value))
    const isItem = typeof path.at(-1) === "number"
    return [
      isItem ? `[[${headerOf(path)}]]` : `[${headerOf(path)}]`,
      ...keys.map(([key, value]) => this.#set([...path, key], value)),
      ...inner.flatMap(([key, value]) =>
        Array.isArray(value)
          ? value.flatMap((item, i) => ["", ...this.plain(isTree(item) ? item : {}, [...path, key, i])])
          : ["", ...this.plain(isTree(value) ? value : {}, [...path, key])],
      ),
    ]
  }
}

const keyText = (key: string): string => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))
const line = (key: string, value: unknown): string => `${keyText(key)} = ${valueText(value)}`

/** JSON's texts, numbers, switches and lists are also TOML's; tables inside a list are not. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`
  if (isTree(value))
    return `{ ${Object.entries(value)
      .map(([key, inner]) => line(key, inner))
      .join(", ")} }`
  return JSON.stringify(value)
}

/** The name in a header: list indices are counted by repeating it. */
const headerOf = (path: KeyPath): string =>
  path
    .filter((part) => typeof part === "string")
    .map(keyText)
    .join(".")

const commented = (lines: readonly string[]): readonly string[] =>
  lines.map((text) => (text.startsWith("#") || text === "" ? text : `#${text}`))

/** `text` as comment lines of a bounded width. */
function comment(text: string): readonly string[] {
  const lines: string[] = []
  let current = "#"
  for (const word of text.split(" ").filter((part) => part !== "")) {
    if (current.length + word.length >= WIDTH) {
      lines.push(current)
      current = "#"
    }
    current = `${current} ${word}`
  }
  return current === "#" ? lines : [...lines, current]
}
