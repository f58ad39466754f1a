/**
 * Flags over the file. -c, -d, --key-file and --ws-url say where things are, and win. Every other flag fills in what the
 * file leaves out; if it says something else than the file, that is refused (E-CFG-004), because either might be the
 * mistake. The vendor lets the file win in silence; scripts that pass flags and file alike see no difference.
 */
import { CosignerError } from "../errors.ts"
import { isTree, type Tree } from "./source.ts"

/** What flags say, by the key they stand for: `{"callback.retry_times": {flag: "--cb-retry-times", value: 5}}`. */
export type Overrides = Readonly<Record<string, { readonly flag: string; readonly value: unknown }>>

const WINS = new Set(["db.path", "db.key_file", "db.allow_readable_key_file", "websocket.url"])

/** Puts the flags into the tree; answers which keys came from which flag. */
export function lay(tree: Tree, overrides: Overrides, file: string): ReadonlyMap<string, string> {
  const from = new Map<string, string>()
  for (const [key, { flag, value }] of Object.entries(overrides)) {
    const parts = key.split(".")
    const last = parts.pop() ?? key
    const table = parts.reduce<Tree | undefined>(enter, tree)
    // a table that is no table is the file's own mistake, and is reported as such
    if (table === undefined) continue
    const present = Object.hasOwn(table, last)
    if (present && Bun.deepEquals(table[last], value)) continue
    if (present && !WINS.has(key)) throw new CosignerError("E-CFG-004", { key, file, flag })
    table[last] = value
    from.set(key, flag)
  }
  return from
}

/** The table of that name, made if the file has none. */
function enter(table: Tree | undefined, part: string): Tree | undefined {
  if (table === undefined) return undefined
  if (!Object.hasOwn(table, part)) table[part] = {}
  const next = table[part]
  return isTree(next) ? next : undefined
}
