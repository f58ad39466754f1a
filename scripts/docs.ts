/**
 * `npm run docs`: writes docs/reference/ from the tables of the code itself. `--check` writes nothing and fails where a
 * page is not what the code says.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pages } from "./docs/pages.ts"
import { root } from "./toolchain.ts"

const folder = join(root, "docs", "reference")
const isCheck = process.argv.includes("--check")

await mkdir(folder, { recursive: true })
const stale: string[] = []
for (const [name, text] of await pages()) {
  const path = join(folder, name)
  if ((await readFile(path, "utf8").catch(() => "")) === text) continue
  stale.push(name)
  if (!isCheck) await writeFile(path, text)
}
if (isCheck && stale.length > 0) {
  console.error(`docs/reference is not what the code says: ${stale.join(", ")}; run: npm run docs`)
  process.exit(1)
}
console.error(stale.length === 0 ? "docs/reference is current" : `wrote ${stale.join(", ")}`)
