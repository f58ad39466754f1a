/**
 * Which tests a command line of `npm test` selects, and whether any of them runs the compiled binary. A test declares that by what
 * it imports, itself or through its fixtures: test/support/binary.ts, or the scripts that build.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const USES_BINARY = ["test/support/binary.ts", "scripts/toolchain.ts"]
/** Folders whose tests compute, and neither start processes nor wait: a second run takes them, beside the one of the others. */
const COMPUTING = [
  "adversary",
  "approvals",
  "audit",
  "crypto",
  "intent",
  "keys",
  "mpc",
  "policy",
  "reshare",
  "settings",
  "tasks",
  "vectors",
  "waas/engine",
  "wire",
]
const RELATIVE_IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]+\.ts)"/g

/** Files below test/ that the words choose, as bun chooses them: a path contains one of them. No words choose all. */
export function selectedTests(root: string, words: readonly string[]): readonly string[] {
  const wanted = words.filter((word) => !word.startsWith("-")).map((word) => word.replace(/^\.\//, ""))
  return [...new Bun.Glob("test/**/*.test.ts").scanSync({ cwd: root })]
    .filter((path) => wanted.length === 0 || wanted.some((word) => path.includes(word)))
    .sort()
}

/** Whether the file, as `selectedTests` names it, is of those that only compute. */
export const isComputing = (path: string): boolean => COMPUTING.some((folder) => path.startsWith(`test/${folder}/`))

/** Whether one of these files, given from `root`, or a file that it imports, uses the binary. */
export function needsBinary(root: string, files: readonly string[]): boolean {
  const seen = new Set<string>()
  const waiting = [...files]
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (USES_BINARY.includes(path)) return true
    if (seen.has(path) || !existsSync(join(root, path))) continue
    seen.add(path)
    // the sources of the binary themselves lead to no test and to no script
    if (path.startsWith("src/")) continue
    for (const [, specifier = ""] of readFileSync(join(root, path), "utf8").matchAll(RELATIVE_IMPORT)) {
      waiting.push(relative(root, join(root, dirname(path), specifier)))
    }
  }
  return false
}
