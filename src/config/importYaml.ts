/**
 * Converts a YAML configuration of the published format to our annotated TOML: each value with the line it came from, keys without
 * counterpart as comments, and new keys that are worth setting.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { CosignerError } from "../errors.ts"
import { rulesTemplate } from "../policy/template.ts"
import { readSettings } from "../settings/read.ts"
import { tableText, templateOf } from "../settings/template.ts"
import { parseToml } from "../settings/toml.ts"
import { isTree, type KeyPath, keyOf, type Tree } from "../settings/tree.ts"
import { parseYaml } from "../settings/yaml.ts"
import { configSchema, RULES_TABLE } from "./config.ts"

interface ImportedConfig {
  readonly toml: string
  /** Keys without a counterpart here, with their lines: `mysql.dsn (node.yaml:12)`. */
  readonly dropped: readonly string[]
  /** Keys that a node needs, or should have, and that the file does not set. */
  readonly wanted: readonly string[]
}

/** Throws E-CFG-002 for text that is not YAML, and E-CFG-003 for invalid values. */
export function importYaml(source: string, file: string): ImportedConfig {
  // The name becomes part of comments, which a line feed would end.
  const name = file.replace(/\p{Cc}/gu, "?")
  const document = parseYaml(source, name, configSchema)
  const dropped: string[] = []
  const { tree } = document
  dropUnknown(tree, configSchema, [], (path) => dropped.push(`${keyOf(path)} (${name}:${document.lineOf(path)})`))
  const read = readSettings(configSchema, { ...document, tree: structuredClone(tree) })
  const origin = (path: KeyPath): string => `${name}:${document.lineOf(path)}`
  const rules = tree[RULES_TABLE]
  const wanted = WANTED.filter(({ key }) => !isSet(tree, key)).map(({ key, why }) => `${key}: ${why}`)
  const toml = [
    templateOf(configSchema, { head: headOf(name, dropped, wanted), set: tree, origin }),
    isTree(rules) ? tableText(rules, [RULES_TABLE], origin) : `${rulesTemplate(RULES_TABLE).join("\n")}\n`,
  ].join("\n")
  const written = readSettings(configSchema, parseToml(toml, "the imported configuration"))
  // A difference would change what a node signs.
  if (!Value.Equal(read.tree, written.tree))
    throw new CosignerError("E-CLI-001", { what: "an imported configuration is not the one that was read" })
  return { toml, dropped, wanted }
}

const WANTED: readonly { readonly key: string; readonly why: string }[] = [
  { key: "websocket.url", why: "a node needs the address of its WaaS" },
  { key: "websocket.waas_public_key", why: "tasks signed by any other key are refused" },
  { key: "status.enable", why: "health, readiness and metrics for local queries" },
  { key: "backup.interval", why: "proven backups of the database" },
  { key: "checkup.interval", why: "proofs that every key share is still whole" },
]

function isSet(tree: unknown, key: string): boolean {
  return key.split(".").reduce<unknown>((at, part) => (isTree(at) ? at[part] : undefined), tree) !== undefined
}

const headOf = (name: string, dropped: readonly string[], wanted: readonly string[]): readonly string[] => [
  `Configuration of cosigner, imported from ${name}. Every key is shown; a commented one shows its default, or an example.`,
  "Relative paths are relative to the working directory. After a change: cosigner config check",
  ...(dropped.length === 0
    ? []
    : ["", "Without a counterpart here, and left out:", ...dropped.map((key) => `  ${key}`)]),
  ...(wanted.length === 0 ? [] : ["", "New here, and worth setting:", ...wanted.map((key) => `  ${key}`)]),
]

/** Removes keys from the tree that the schema does not know. The rules' own reader refuses unknown keys, which are never left out. */
function dropUnknown(tree: Tree, schema: TSchema, path: KeyPath, tell: (path: KeyPath) => void): void {
  const known: Readonly<Record<string, TSchema>> = schema["properties"] ?? {}
  for (const key of Object.keys(tree)) {
    const inner = Object.hasOwn(known, key) ? known[key] : undefined
    const at = [...path, key]
    if (inner === undefined) {
      tell(at)
      delete tree[key]
    } else if (KindGuard.IsObject(inner)) {
      const value = tree[key]
      if (isTree(value)) dropUnknown(value, inner, at, tell)
    } else if (KindGuard.IsArray(inner) && KindGuard.IsObject(inner.items)) {
      const items: unknown = tree[key]
      const { items: itemSchema } = inner
      if (Array.isArray(items)) {
        items.forEach((item, i) => {
          if (isTree(item)) dropUnknown(item, itemSchema, [...at, i], tell)
        })
      }
    }
  }
}
