/**
 * A configuration whose policy comes from a bundle (policy/bundle.ts): the host's own keys come from its file, those of the policy from
 * the bundle's document. No key may be in both.
 */

import { isUnfit } from "../approvals/statement.ts"
import { CosignerError, errorText, isCode } from "../errors.ts"
import { type BundleDocument, POLICY_KEYS, type PolicyBundle, readBundle } from "../policy/bundle.ts"
import { readSource } from "../settings/file.ts"
import { type Document, isTree, type Tree } from "../settings/tree.ts"

/** Contents of the files that a policy names, by their paths in it. */
export type PolicyFiles = ReadonlyMap<string, string>

/** Throws E-POL-001 for a file that is not a bundle. */
export function readBundleFile(file: string): PolicyBundle {
  const bad = (problem: string, cause?: unknown) => new CosignerError("E-POL-001", { file, problem }, { cause })
  let bundle: ReturnType<typeof readBundle>
  try {
    bundle = readBundle(readSource(file, true))
  } catch (error) {
    if (error instanceof CosignerError) throw bad(isCode(error, "E-CFG-001") ? error.data.why : errorText(error), error)
    throw error
  }
  if (isUnfit(bundle)) throw bad(bundle.problem)
  return bundle
}

/** The bundle that a host's file names; undefined if it names none. Throws E-POL-001. */
export function bundleOf(host: Document): PolicyBundle | undefined {
  const table = host.tree["policy"]
  const file: unknown = isTree(table) ? table["bundle"] : undefined
  return typeof file === "string" ? readBundleFile(file) : undefined
}

/** Throws E-POL-002 for keys of a policy that the host's file has beside the bundle, or that a flag sets. */
export function withPolicy(host: Document, { tree }: BundleDocument, flags: readonly string[]): Document {
  const beside = POLICY_KEYS.filter(
    (path) => valueAt(host.tree, path) !== undefined || flags.includes(path.join(".")),
  ).map((path) => path.join("."))
  if (beside.length > 0) throw new CosignerError("E-POL-002", { file: host.name, keys: beside })
  const merged: Tree = { ...host.tree }
  for (const [key, inner = ""] of POLICY_KEYS) {
    const value = key === undefined ? undefined : tree[key]
    if (key === undefined || value === undefined) continue
    if (inner === "") merged[key] = value
    else if (isTree(value) && value[inner] !== undefined) {
      const own = merged[key]
      merged[key] = { ...(isTree(own) ? own : {}), [inner]: value[inner] }
    }
  }
  return { ...host, tree: merged }
}

function valueAt(tree: Readonly<Tree>, [key = "", inner]: readonly string[]): unknown {
  const value = tree[key]
  return inner === undefined ? value : isTree(value) ? value[inner] : undefined
}

export function filesIn({ tree }: BundleDocument): PolicyFiles {
  const files = tree["files"]
  return new Map(Object.entries(isTree(files) ? files : {}).map(([path, content]) => [path, String(content)]))
}
