/** Whether the script of a page passes the strict type check, with the types of a browser. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "./temporaryFolder.ts"

const tsc = join(import.meta.dir, "..", "..", "node_modules", ".bin", "tsc")
const FLAGS = ["--ignoreConfig", "--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "esnext", "--types", ""]

/** What the compiler says; empty for a script that passes. */
export async function typeErrors(text: string): Promise<string> {
  using at = temporaryFolder("script")
  writeFileSync(at.at("script.js"), text)
  const child = Bun.spawn([tsc, ...FLAGS, "--lib", "esnext,dom,dom.iterable", at.at("script.js")], {
    stdout: "pipe",
    cwd: at.path,
  })
  const said = await child.stdout.text()
  return (await child.exited) === 0 ? "" : said || "the compiler failed"
}
