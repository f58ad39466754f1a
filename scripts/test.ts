/**
 * `npm test`: builds the binary if a chosen test runs it, runs the tests with bun, and ends with one line, `N passed, N failed`.
 * Exit 1 if anything failed or nothing ran. `--long` runs the heavy variants too; further words choose test files, as with
 * `bun test`; without them all run.
 * COSIGNER_SEED fixes the seed of all randomised tests; without it one is drawn here and printed.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { TIMEOUT_MS } from "../test/support/timeLimit.ts"
import { needsBinary, selectedTests } from "./testSelection.ts"
import { buildBinary, passThrough, root } from "./toolchain.ts"

const args = process.argv.slice(2)
const isLong = args.includes("--long")
const seed = process.env["COSIGNER_SEED"] ?? (isLong ? String(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) : "1")

const words = args.filter((arg) => arg !== "--long")
const selected = selectedTests(root, words)
// words that choose nothing here may be bun's own: then every test may run
if (selected.length === 0 || needsBinary(root, selected)) await buildBinary()
const folder = await mkdtemp(join(tmpdir(), "cosigner-test-"))
const report = join(folder, "junit.xml")
process.chdir(root)
console.log(`seed ${seed} (repeat with COSIGNER_SEED=${seed})${isLong ? ", long" : ""}`)
const exit = await passThrough(
  [process.execPath, "test", `--timeout=${TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`, ...words],
  { ...environment(), COSIGNER_SEED: seed, ...(isLong ? { COSIGNER_LONG: "1" } : {}) },
)
const counts = await read(report)
await rm(folder, { recursive: true, force: true })
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exit(exit === 0 && counts.failed === 0 && counts.passed > 0 ? 0 : 1)

/** Ours, without what would change the runtime under test. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:BUN_(?:OPTIONS|INSPECT|BE_BUN)|COSIGNER_LONG$)/.test(name)),
  )
}

interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Totals of the report's root element. A report that is not there is a run that did not happen. */
async function read(path: string): Promise<Counts> {
  const xml = await readFile(path, "utf8").catch(() => "")
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? ""
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
  const failed = count("failures") + count("errors")
  const skipped = count("skipped")
  return { passed: count("tests") - failed - skipped, failed: exit !== 0 && failed === 0 ? 1 : failed, skipped }
}
