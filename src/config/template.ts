/**
 * The annotated configuration that `config init` writes: every key there is, with what it does and its default. Keys
 * with a default stand as comments, so that a default that changes later changes for those who never chose.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
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
    ...RULES.trim().split("\n"),
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

// The rules are read by policy/schema.ts, which has no schema to walk.
const RULES = `
# Risk control by rules inside the node, before any callback server is asked. Default deny: a section that is left out
# rejects every task of its kind, an empty list lets nothing pass, and all rules of a section must allow. A rule that
# is left out is not asked. Contradictions: cosigner policy check. What would happen: cosigner policy explain.
[${RULES_TABLE}]
# Whether the rules are asked at all.
#enable = false

# New keys. reject_all stands in every section and has no default.
#[${RULES_TABLE}.key_gen]
#reject_all = false
# Only these curves: "secp256k1", "ed25519".
#curves = ["secp256k1", "ed25519"]
# Dotted names in extra_info that must be there and not empty.
#extra_info_required = ["org.org_id"]
# Only within these times of the week; \`to\` is after \`from\`, a night is two windows.
#time_windows = [{ zone = "Europe/Zurich", days = ["mon", "tue", "wed", "thu", "fri"], from = "08:00", to = "18:00" }]
# Each new key must match one entry: exactly these nodes, in any order.
#[[${RULES_TABLE}.key_gen.allow_list]]
#threshold = 2
#node_ids = ["NODE-ID-1", "NODE-ID-2"]

# Signatures.
#[${RULES_TABLE}.key_sign]
#reject_all = false
#allowed_groups = ["GROUP-ID"]
#allowed_root_keys = ["xpub..."]
#signature_types = ["ECDSA", "EdDSA", "Schnorr"]
#curves = ["secp256k1", "ed25519"]
# A level is a number, a range, * for any; ** at the end is any number of levels.
#allowed_paths = ["m/44/60/0/0/0-99", "m/84/**"]
# Messages in one task.
#max_batch = 16
# Nodes that must all take part, and nodes that must not.
#required_node_ids = ["NODE-ID-1"]
#forbidden_node_ids = ["NODE-ID-3"]
#extra_info_required = ["transaction.raw_tx_info"]
#time_windows = [{ zone = "UTC", days = ["mon"], from = "00:00", to = "24:00" }]
# Signatures per rolling window, counted for all ("all"), for each key ("group"), or below a path ("path_prefix").
# "group" follows the key: a group that a reshare of mode extend makes counts together with the one it came from,
# and so does every other group of the same root key. window: 1m to 31d.
#[[${RULES_TABLE}.key_sign.limits]]
#name = "hourly"
#per = "path_prefix"
#path_prefix = "m/44/60"
#window = "1h"
#max = 100

# Changes of the members of a key.
#[${RULES_TABLE}.key_reshare]
#reject_all = true
#curves = ["secp256k1", "ed25519"]
#allowed_groups = ["GROUP-ID"]
#required_node_ids = ["NODE-ID-1"]
#forbidden_node_ids = ["NODE-ID-3"]
#extra_info_required = ["org.org_id"]
#time_windows = [{ zone = "UTC", days = ["mon"], from = "00:00", to = "24:00" }]
#[[${RULES_TABLE}.key_reshare.allow_list]]
#xpubkey = "xpub..."
#new_threshold = 2
#new_node_ids = ["NODE-ID-1", "NODE-ID-4"]

# Check-ups of a key share.
#[${RULES_TABLE}.key_share_sign]
#reject_all = false
#allowed_groups = ["GROUP-ID"]
#max_batch = 8
#extra_info_required = ["org.org_id"]
#time_windows = [{ zone = "UTC", days = ["mon"], from = "00:00", to = "24:00" }]
`
