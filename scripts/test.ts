/**
 * `npm test`: builds the binary if a chosen test runs it, runs the tests with bun, and ends with one line, `N passed, N failed`.
 * When all run, those that only compute have a process of their own beside the others; what it prints comes behind theirs, whole if it failed.
 * Exit 1 if anything failed or nothing ran. `--long` runs the heavy variants too; further words choose test files, as with
 * `bun test`; without them all run.
 * COSIGNER_SEED fixes the seed of all randomised tests; without it one is drawn here and printed.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { TIMEOUT_MS } from "../test/support/timeLimit.ts"
import { isComputing, needsBinary, selectedTests } from "./testSelection.ts"
import { buildBinary, passThrough, root, writeTo } from "./toolchain.ts"

const args = process.argv.slice(2)
const isLong = args.includes("--long")
const seed = process.env["COSIGNER_SEED"] ?? (isLong ? String(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) : "1")

const words = args.filter((arg) => arg !== "--long")
const selected = selectedTests(root, words)
// words that choose nothing here may be bun's own: then every test may run
if (selected.length === 0 || needsBinary(root, selected)) await buildBinary()
const folder = await mkdtemp(join(tmpdir(), "cosigner-test-"))
process.chdir(root)
console.log(`seed ${seed} (repeat with COSIGNER_SEED=${seed})${isLong ? ", long" : ""}`)
const runs = words.length === 0 ? await both() : [await run("tests", words, passThrough)]
await rm(folder, { recursive: true, force: true })
const sum = (count: (run: Run) => number) => runs.reduce((total, one) => total + count(one), 0)
const [passed, failed, skipped] = [sum((one) => one.passed), sum((one) => one.failed), sum((one) => one.skipped)]
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`)
process.exit(runs.every(({ exit }) => exit === 0) && failed === 0 && passed > 0 ? 0 : 1)

/** All tests, in two processes. */
async function both(): Promise<readonly Run[]> {
  const here = (files: readonly string[]) => files.map((file) => `./${file}`)
  const printed = join(folder, "computing.txt")
  const computing = run("computing", here(selected.filter(isComputing)), (command, env) =>
    writeTo(printed, command, env),
  )
  const others = await run("others", here(selected.filter((file) => !isComputing(file))), passThrough)
  const ended = await computing
  const text = await readFile(printed, "utf8")
  console.log(ended.exit === 0 ? text.slice(text.lastIndexOf("(pass)")).replace(/^.*\n/, "") : text)
  return [others, ended]
}

type Runner = (command: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>

async function run(name: string, chosen: readonly string[], runner: Runner): Promise<Run> {
  const report = join(folder, `${name}.xml`)
  const reporter = ["--reporter=junit", `--reporter-outfile=${report}`]
  const exit = await runner([process.execPath, "test", `--timeout=${TIMEOUT_MS}`, ...reporter, ...chosen], {
    ...environment(),
    COSIGNER_SEED: seed,
    ...(isLong ? { COSIGNER_LONG: "1" } : {}),
  })
  return await counted(report, exit)
}

/** Ours, without what would change the runtime under test. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:BUN_(?:OPTIONS|INSPECT|BE_BUN)|COSIGNER_LONG$)/.test(name)),
  )
}

interface Run {
  readonly exit: number
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** Totals of the report's root element. A report that is not there is a run that did not happen. */
async function counted(path: string, exit: number): Promise<Run> {
  const xml = await readFile(path, "utf8").catch(() => "")
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? ""
  const count = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
  const failed = count("failures") + count("errors")
  const skipped = count("skipped")
  return { exit, passed: count("tests") - failed - skipped, failed: exit !== 0 && failed === 0 ? 1 : failed, skipped }
}
