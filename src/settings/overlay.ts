/**
 * Applies flags to the file. Flags that say where things are override the file. Every other flag supplies what the file leaves out. If it
 * differs from the file, this is refused (E-CFG-004), because either might be the mistake. The vendor's tool lets the file
 * override the flag silently; scripts that pass the same values in flags and file see no difference.
 */
import { Value } from "@sinclair/typebox/value"
import { CosignerError } from "../errors.ts"
import { type Document, isTree, type Tree } from "./tree.ts"

/** The values of flags, by the key they set: `{"callback.retry_times": {flag: "--cb-retry-times", value: 5}}`. */
export type Overrides = Readonly<Record<string, { readonly flag: string; readonly value: unknown }>>

/** Puts the flags into the tree and returns which keys came from which flag. The keys of `wins` may contradict the file. Throws E-CFG-004. */
export function lay(
  { tree, name: file }: Document,
  overrides: Overrides,
  wins: ReadonlySet<string>,
): ReadonlyMap<string, string> {
  const from = new Map<string, string>()
  for (const [key, { flag, value }] of Object.entries(overrides)) {
    const parts = key.split(".")
    const last = parts.pop() ?? key
    const table = parts.reduce<Tree | undefined>(enter, tree)
    // If it is not a table, this is the file's own mistake, and is reported as such.
    if (table === undefined) continue
    const present = Object.hasOwn(table, last)
    if (present && Value.Equal(table[last], value)) continue
    if (present && !wins.has(key)) throw new CosignerError("E-CFG-004", { key, file, flag })
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
