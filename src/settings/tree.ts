/** A configuration file after parsing, whatever its language: nothing of it was checked yet. */

export type Tree = Record<string, unknown>

/** A table: not a list, and not an object that stands for a single value, such as a date. */
export const isTree = (value: unknown): value is Tree => Object.prototype.toString.call(value) === "[object Object]"

/** Keys and list indices from the top of a file, or of a table, down to a value. */
export type KeyPath = readonly (string | number)[]

/** The line (from 1) of a key; for a key that is not in the file, that of the nearest table or list around it. */
export type LineOf = (path: KeyPath) => number

/** A parsed file with its name and the places of its keys, for messages. */
export interface Document {
  /** As messages name it: `configs/cosigner.toml`. */
  readonly name: string
  readonly tree: Tree
  readonly lineOf: LineOf
}

/** `event.server[1].url` */
export const keyOf = (path: KeyPath): string =>
  path
    .map((part, i) =>
      typeof part === "number"
        ? `[${part}]`
        : `${i === 0 ? "" : "."}${/^[\w-]+$/.test(part) ? part : JSON.stringify(part)}`,
    )
    .join("")

/** Copies a parser's objects, which may have no prototype, into plain ones. Throws for a key that would reach the prototype. */
export function plain(table: Readonly<Tree>): Tree {
  if (Object.hasOwn(table, "__proto__")) throw Object.assign(new Error("no key may be called __proto__"), { line: 1 })
  const inner = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(inner) : isTree(value) ? plain(value) : value
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, inner(value)]))
}
