/**
 * `npm run docs`: writes docs/reference/ from the tables of the code itself, the list of policy rules from their folder, and the
 * pictures of docs/concepts from their text. `--check` writes nothing and fails where a page is not what the code says.
 * `--screenshots` also takes those of docs/images anew, in a headless Chromium; fonts make them differ between machines, so that
 * nothing compares them.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { svgOf } from "./docs/diagrams.ts"
import { RULE_LIST, ruleListSource } from "./docs/ruleList.ts"
import { root } from "./toolchain.ts"

const folder = join(root, "docs", "reference")
const isCheck = process.argv.includes("--check")
const withScreenshots = process.argv.includes("--screenshots")

await mkdir(folder, { recursive: true })
const stale: string[] = []
await put(join(root, RULE_LIST), ruleListSource())
// Only now: the pages are made from the code, and so from the list.
const { pages } = await import("./docs/pages.ts")
for (const [name, text] of await pages()) await put(join(folder, name), text)
for (const source of new Bun.Glob("docs/concepts/*.diagram").scanSync({ cwd: root })) {
  await put(join(root, source.replace(/diagram$/, "svg")), svgOf(await readFile(join(root, source), "utf8")))
}

if (withScreenshots) {
  const { screenshots } = await import("./docs/screenshots.ts")
  for (const [name, png] of await screenshots()) {
    await mkdir(join(root, "docs", "images"), { recursive: true })
    await writeFile(join(root, "docs", "images", name), png)
    console.error(`${name} ${Math.round(png.length / 1000)} kB`)
  }
}

async function put(path: string, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === text) return
  stale.push(basename(path))
  if (!isCheck) await writeFile(path, text)
}

if (isCheck && stale.length > 0) {
  console.error(`generated files are not what the code says: ${stale.join(", ")}; run: npm run docs`)
  process.exit(1)
}
console.error(stale.length === 0 ? "generated files are current" : `wrote ${stale.join(", ")}`)
