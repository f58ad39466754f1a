/** What is wrong with a tree of TOML, key by key, each with its place, what was expected and what was found. */
import type { TSchema } from "@sinclair/typebox"
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value"
import type { KeyProblem } from "../errors/config.ts"
import { CosignerError } from "../errors.ts"
import { DEFAULT_PATH_RULES, type PathRule, parsePathRules } from "../keys/pathRule.ts"
import { checkRules, type Rules } from "../policy/schema.ts"
import { configSchema, RULES_TABLE } from "./config.ts"
import type { KeyPath } from "./lines.ts"
import { metaOf } from "./schema.ts"
import type { Tree } from "./source.ts"

/** `configs/cosigner.toml:9`, or the flag that said it. */
export type Where = (path: KeyPath) => string

/** One problem for each place: a missing key is also a wrong type to TypeBox, and one of the two is enough. */
export function* schemaProblems(tree: Tree, where: Where): Generator<KeyProblem> {
  const seen = new Set<string>()
  for (const error of Value.Errors(configSchema, tree)) {
    if (seen.has(error.path)) continue
    seen.add(error.path)
    const path = pathOf(error.path)
    yield { where: where(path), key: keyOf(path), expected: expectedOf(error), got: gotOf(error) }
  }
}

const pathOf = (pointer: string): KeyPath =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part))

/** `event.server[1].url` */
export const keyOf = (path: KeyPath): string =>
  path
    .map((part, i) =>
      typeof part === "number"
        ? `[${part}]`
        : `${i === 0 ? "" : "."}${/^[\w-]+$/.test(part) ? part : JSON.stringify(part)}`,
    )
    .join("")

function expectedOf(error: ValueError): string {
  if (error.type !== ValueErrorType.ObjectAdditionalProperties) return metaOf(error.schema).expected || error.message
  const known = Object.keys(error.schema["properties"] ?? {})
  return `one of the keys ${known.join(", ")}`
}

function gotOf(error: ValueError): string {
  if (error.type === ValueErrorType.ObjectAdditionalProperties) return "an unknown key"
  return shown(error.value, error.schema)
}

/** A value as an error may repeat it. */
function shown(value: unknown, schema: TSchema): string {
  if (value === undefined) return "nothing"
  if (metaOf(schema).visible !== "always")
    return typeof value === "string" ? `${value.length} characters [secret]` : "[secret]"
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof Date) return "a date"
  if (typeof value === "object") return "a table"
  const text = (JSON.stringify(value) ?? String(value)).replace(/\/\/[^/@]*@/g, "//[secret]@")
  return text.length > 80 ? `${text.slice(0, 80)}...` : text
}

// ---- the two tables with a reader of their own -----------------------------------------------------------------------

export function readRules(table: unknown, where: Where, problems: KeyProblem[]): Rules | undefined {
  const checked = checkRules(table)
  if (checked.ok) return checked.rules
  for (const { at, expected, got } of checked.problems) {
    const path = [RULES_TABLE, ...at]
    problems.push({ where: where(path), key: keyOf(path), expected, got })
  }
  return undefined
}

/** The rules of the file beside the defaults, which a rule for the same path replaces. */
export function readPathRules(table: unknown, where: Where, problems: KeyProblem[]): readonly PathRule[] | undefined {
  const written: PathRule[] = []
  for (const [path, algorithm] of Object.entries(isWords(table) ? table : {})) {
    // another algorithm is the schema's to report
    if (algorithm !== "ecdsa" && algorithm !== "bip340") continue
    try {
      written.push(...parsePathRules({ [path]: algorithm }))
    } catch (error) {
      if (!(error instanceof CosignerError)) throw error
      const at = ["signing", "path_algorithms", path]
      problems.push({
        where: where(at),
        key: keyOf(at),
        expected: 'a path such as "m/86" and its algorithm',
        got: error.message,
      })
    }
  }
  const names = written.map((rule) => rule.prefix.join("/"))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) {
    const at = ["signing", "path_algorithms"]
    problems.push({ where: where(at), key: keyOf(at), expected: "each path once", got: `m/${twice} twice` })
  }
  if (problems.length > 0) return undefined
  return [...DEFAULT_PATH_RULES.filter((rule) => !names.includes(rule.prefix.join("/"))), ...written]
}

const isWords = (table: unknown): table is Readonly<Record<string, string>> =>
  typeof table === "object" && table !== null && Object.values(table).every((word) => typeof word === "string")
