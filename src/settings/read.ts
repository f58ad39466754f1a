/**
 * The entry point for every configuration file: takes a document and its schema, and returns checked, decoded and frozen settings.
 * A file is closed: a key that the schema does not name is a problem, and one problem refuses the whole file.
 */
import type { StaticDecode, TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { CosignerError } from "../errors.ts"
import { problemsOf, type Where } from "./check.ts"
import { withDefaults } from "./defaults.ts"
import { lay, type Overrides } from "./overlay.ts"
import { type Document, isTree, type Tree } from "./tree.ts"

interface Flags {
  readonly overrides: Overrides
  /** Keys whose flag overrides the file. */
  readonly wins: ReadonlySet<string>
}

const NO_FLAGS: Flags = { overrides: {}, wins: new Set() }

interface SettingsFile<S extends TSchema> {
  /** In the form that the program uses: defaults filled in, texts decoded, frozen at every depth. */
  readonly value: DeepReadonly<StaticDecode<S>>
  /** Every key with its value as the file would have it, defaults included: for showing. */
  readonly tree: Readonly<Tree>
  /** `configs/cosigner.toml:9`, or the flag that set it: for problems that only the user of a value can find. */
  readonly where: Where
  /** The flag that set a key, by the key. */
  readonly said: ReadonlyMap<string, string>
}

export type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends Uint8Array | bigint | ((...args: never[]) => unknown)
    ? T
    : T extends object
      ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
      : T

/** Reads a document by its schema. Throws E-CFG-003 with every problem's file, line and key; E-CFG-004 for flags that contradict. */
export function readSettings<S extends TSchema>(
  schema: S,
  document: Document,
  flags: Flags = NO_FLAGS,
): SettingsFile<S> {
  const said = lay(document, flags.overrides, flags.wins)
  const where: Where = (path) => said.get(path.join(".")) ?? `${document.name}:${document.lineOf(path)}`
  const filled = withDefaults(schema, document.tree)
  const tree = isTree(filled) ? filled : {}
  const problems = problemsOf(schema, tree, where)
  if (problems.length > 0) throw new CosignerError("E-CFG-003", { problems })
  return { value: frozen(Value.Decode(schema, tree)), tree, where, said }
}

/** Freezes a value at every depth. */
export function frozen<T>(value: T): DeepReadonly<T> {
  freeze(value)
  return value as DeepReadonly<T>
}

function freeze(value: unknown): void {
  // The elements of a typed array cannot be frozen.
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const inner of Object.values(value)) freeze(inner)
}
