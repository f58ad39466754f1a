/** Finds the problems in a tree of settings, key by key, each with its place, what was expected and what was found. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value"
import type { KeyProblem } from "../errors/config.ts"
import { metaOf, refinementOf } from "./schema.ts"
import { isTree, type KeyPath, keyOf } from "./tree.ts"

/** `configs/cosigner.toml:9`, or the flag that set it. */
export type Where = (path: KeyPath) => string

/**
 * All problems of `value`. Those of single keys come first. A refinement is checked only for a table whose keys are all
 * valid, so it can rely on them.
 */
export function problemsOf(schema: TSchema, value: unknown, where: Where): readonly KeyProblem[] {
  const bad = new Set<string>()
  const problems = [...keyProblems(schema, value, where, bad)]
  refine(schema, value, [], bad, (path, expected, got) => {
    problems.push({ where: where(path), key: keyOf(path), expected, got })
  })
  return problems
}

/** One problem for each place: for TypeBox a missing key is also a wrong type, and one of the two is enough. */
function* keyProblems(schema: TSchema, value: unknown, where: Where, seen: Set<string>): Generator<KeyProblem> {
  for (const error of Value.Errors(schema, value)) {
    if (seen.has(error.path)) continue
    seen.add(error.path)
    const path = pathOf(error.path)
    yield { where: where(path), key: keyOf(path), expected: expectedOf(error), got: gotOf(error) }
  }
}

type Tell = (path: KeyPath, expected: string, got: string) => void

function refine(schema: TSchema, value: unknown, path: KeyPath, bad: ReadonlySet<string>, tell: Tell): void {
  if (value === undefined) return
  if (KindGuard.IsObject(schema) && isTree(value)) {
    for (const [key, inner] of Object.entries<TSchema>(schema.properties))
      refine(inner, value[key], [...path, key], bad, tell)
  }
  if (KindGuard.IsArray(schema) && Array.isArray(value)) {
    for (const [i, item] of value.entries()) refine(schema.items, item, [...path, i], bad, tell)
  }
  const refinement = refinementOf(schema)
  if (refinement === undefined || isBad(path, bad)) return
  for (const { at, expected, got } of refinement(value)) tell([...path, ...at], expected, got)
}

/** Whether something at or below the place is invalid. */
function isBad(path: KeyPath, bad: ReadonlySet<string>): boolean {
  const pointer = path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("")
  return [...bad].some((place) => place === pointer || place.startsWith(`${pointer}/`))
}

const pathOf = (pointer: string): KeyPath =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))

function expectedOf(error: ValueError): string {
  if (error.type !== ValueErrorType.ObjectAdditionalProperties) return metaOf(error.schema).expected || error.message
  const known = Object.keys(error.schema["properties"] ?? {})
  return `one of the keys ${known.join(", ")}`
}

function gotOf(error: ValueError): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) return "an unknown key"
  return shown(error.value, error.schema)
}

/** A value in a form that an error may repeat. */
function shown(value: unknown, schema: TSchema): string {
  if (value === undefined) return "nothing"
  if (metaOf(schema).visible !== "always")
    return typeof value === "string" ? `${value.length} characters [secret]` : "[secret]"
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === "object") return isTree(value) ? "a table" : "a date"
  // A text where none belongs may be anything, for example a secret pasted into the wrong line.
  if (typeof value === "string" && !KindGuard.IsString(schema)) return `a text of ${value.length} characters`
  const text = (JSON.stringify(value) ?? String(value)).replace(/\/\/[^/@]*@/g, "//[secret]@")
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}
