/**
 * Fills in what the file leaves out. TypeBox's own Value.Default merges a table into a list where a list was expected,
 * which would turn a server written in the wrong form into no server at all. Here a value that is present stays as it is.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { isTree } from "./tree.ts"

export function withDefaults(schema: TSchema, value: unknown): unknown {
  const present = value === undefined ? structuredClone(schema["default"]) : value
  if (KindGuard.IsObject(schema) && isTree(present)) {
    const filled = Object.entries<TSchema>(schema.properties).map(([key, inner]) => [
      key,
      withDefaults(inner, present[key]),
    ])
    return { ...present, ...Object.fromEntries(filled.filter(([, value]) => value !== undefined)) }
  }
  if (KindGuard.IsArray(schema) && Array.isArray(present)) {
    return present.map((item) => withDefaults(schema.items, item))
  }
  return present
}
