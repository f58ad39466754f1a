/** Checked settings in the form that people and programs may see: every key, secrets hidden. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { REDACTED } from "../secret.ts"
import { metaOf } from "./schema.ts"
import { isTree, type Tree } from "./tree.ts"

/** `tree` as read.ts checked it. A part that no schema describes holds no secrets and is shown as written. */
export const redacted = (tree: Readonly<Tree>, schema: TSchema): Readonly<Tree> => redactTable(tree, schema)

function redactTable(tree: Readonly<Tree>, schema: TSchema): Readonly<Tree> {
  const properties: Readonly<Record<string, TSchema>> = schema["properties"] ?? {}
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, redact(value, properties[key])]))
}

function redact(value: unknown, schema: TSchema | undefined): unknown {
  if (schema === undefined) return value
  if (metaOf(schema).visible === "never") return REDACTED
  if (typeof value === "string") return withoutCredentials(value)
  if (isTree(value)) return redactTable(value, schema)
  if (Array.isArray(value) && KindGuard.IsArray(schema)) return value.map((item) => redact(item, schema.items))
  return value
}

/** A URL keeps everything but its user and password. */
const withoutCredentials = (text: string): string =>
  URL.canParse(text) ? text.replace(/\/\/[^/@]*@/, `//${REDACTED}@`) : text

/** TOML-like lines: `callback.retry_times = 2`, in the order of the schema. */
export function lines(tree: Readonly<Tree>, prefix = ""): readonly string[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const name = `${prefix}${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`
    if (isTree(value)) return lines(value, `${name}.`)
    if (Array.isArray(value) && value.some(isTree)) {
      return value.flatMap((item, i) => (isTree(item) ? lines(item, `${name}[${i}].`) : []))
    }
    return [`${name} = ${JSON.stringify(value)}`]
  })
}
