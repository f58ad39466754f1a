/**
 * One commit, step by step as the system sees it (strace): in which order things reach the disk, and what is left where the process
 * is killed, or the disk fails, at any of its steps. Each time with the file alone, as a plain copy has it, and with what lies beside it.
 */
import { expect, test } from "bun:test"
import { cpSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { openStore } from "../../src/store/store.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { codeOf, Folder, password } from "./fixtures.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const CHILD = join(import.meta.dir, "commitChild.ts")

interface Step {
  readonly call: string
  /** Which call of that name on file and log it is since the start; 1 is the first. */
  readonly nth: number
  readonly on: "file" | "log"
  /** Of a write; -1 for others. */
  readonly offset: number
}

/** The same file for every run: whoever starts from it takes the same steps. */
const prepared = (() => {
  const folder = new Folder()
  folder.create().close()
  return folder
})()
const GENERATION = openStore(prepared.db, password(), { readOnly: true }).generation + 1 // and the child's probe

interface Run {
  readonly db: string
  readonly said: readonly string[]
  /** From `go` to the next word. */
  readonly steps: readonly Step[]
  readonly sizeBefore: number
}

/** The child under strace on a file of its own; `inject` as strace takes it. */
function run(inject?: string): Run {
  const db = join(temporaryFolder("steps").path, "secrets.db")
  cpSync(prepared.db, db)
  const files = [db, `${db}-wal`, `${db}.said`].flatMap((path) => ["-P", path])
  const words = ["-f", "-y", "-o", `${db}.trace`, "-e", "trace=fsync,fdatasync,pwrite64,write", ...files]
  const fault = inject === undefined ? [] : ["-e", `inject=${inject}`]
  Bun.spawnSync(["strace", ...words, ...fault, process.execPath, CHILD, db])
  const said = readFileSync(`${db}.said`, "utf8").split("\n").filter(Boolean)
  return { db, said, steps: stepsOf(readFileSync(`${db}.trace`, "utf8")), sizeBefore: statSync(prepared.db).size }
}

function stepsOf(trace: string): readonly Step[] {
  const steps: Step[] = []
  const counts = new Map<string, number>()
  let isOn = false
  for (const line of trace.split("\n")) {
    if (line.includes(".said>")) {
      if (isOn) break
      isOn = line.includes('"go')
      continue
    }
    const [, call, beside] = /(\w+)\(\d+<[^>]*secrets\.db(-wal)?>/.exec(line) ?? []
    if (call === undefined) continue
    const nth = (counts.get(call) ?? 0) + 1
    counts.set(call, nth)
    const offset = Number(/, (\d+)\) += /.exec(line)?.[1] ?? -1)
    if (isOn) steps.push({ call, nth, on: beside === undefined ? "file" : "log", offset })
  }
  return steps
}

const canTrace = (): boolean => {
  if (Bun.which("strace") === null) return false
  return Bun.spawnSync(["strace", "-o", "/dev/null", "true"]).exitCode === 0
}
const traced = canTrace()
const whole = traced ? run() : { db: "", said: [], steps: [], sizeBefore: 0 }

/** What the writes before the log's sync are: room in the file, the log; then pages of the file; and the zero over the log's header. */
const isSync = ({ call }: Step): boolean => call !== "pwrite64"
const logSync = whole.steps.findIndex(isSync)
const fileSync = whole.steps.findLastIndex(isSync)

test.skipIf(!traced)(
  "a commit is two syncs: its pages are in the log before any is in the file, and in both before it is done",
  () => {
    const { steps, said, sizeBefore } = whole
    expect(said).toEqual(["go", `done ${GENERATION + 1}`])
    expect(steps.filter(isSync).map(({ on }) => on)).toEqual(["log", "file"])
    // until the log is synced the file gets nothing but room behind its end
    const early = steps.slice(0, logSync)
    expect(early.filter(({ on, offset }) => on === "file" && offset < sizeBefore)).toEqual([])
    expect(early.filter(({ on }) => on === "log").length).toBeGreaterThan(4)
    const pages = steps.slice(logSync + 1, fileSync)
    expect(pages.length).toBeGreaterThan(2)
    expect(pages.every(({ on }) => on === "file")).toBe(true)
    expect(pages.some(({ offset }) => offset >= sizeBefore)).toBe(true)
    expect(steps.slice(fileSync + 1)).toMatchObject([{ call: "pwrite64", on: "log", offset: 0 }])
  },
)

/** Each kind of step once, and a page in the middle; all of them in the long suite. */
const chosen = LONG
  ? whole.steps
  : [0, 1, logSync - 1, logSync, logSync + 1, logSync + 3, fileSync, fileSync + 1].flatMap(
      (at) => whole.steps[at] ?? [],
    )

const generationOf = (db: string): number | string => {
  try {
    using store = openStore(db, password(), { readOnly: true })
    store.verify()
    return store.generation
  } catch (error) {
    return String(
      codeOf(() => {
        throw error
      }),
    )
  }
}

test.skipIf(!traced)(
  `killed at any step of a commit: the file alone is whole or refused, with its log it is whole`,
  () => {
    let refused = 0
    for (const { call, nth } of chosen) {
      const { db, said } = run(`${call}:signal=KILL:when=${nth}`)
      const isDone = said.length > 1
      const expected = isDone ? [GENERATION + 1] : [GENERATION, GENERATION + 1]
      const alone = join(temporaryFolder("alone").path, "secrets.db")
      cpSync(db, alone)
      const found = generationOf(alone)
      if (typeof found === "string") refused++
      if (typeof found === "string") expect(found).toMatch(/^E-STO-0(?:07|08|09|10|11|12)$/)
      else expect(expected).toContain(found)
      const read = generationOf(db)
      expect(expected).toContain(Number(read))
      using node = openStore(db, password(), { readOnly: false })
      expect(node.generation).toBe(Number(read))
      node.probe(2)
      expect(node.verify()).toBeGreaterThan(4)
    }
    // one of them fell into the commit: so the log was needed
    expect(refused).toBeGreaterThan(0)
  },
  120_000,
)

test.skipIf(!traced)(
  "no room for the file to grow, or for the log: the commit has not begun, and is done when there is room",
  () => {
    const room = whole.steps[0]
    const log = whole.steps[logSync - 1]
    for (const { call, nth } of [room!, log!]) {
      const { db, said } = run(`${call}:error=ENOSPC:when=${nth}`)
      expect(said).toEqual(["go", "E-STO-013", "again", `done ${GENERATION + 1}`])
      expect(generationOf(db)).toBe(GENERATION + 1)
    }
    expect([room?.on, log?.on]).toEqual(["file", "log"])
  },
  30_000,
)

test.skipIf(!traced)(
  "a disk that fails while the commit goes from the log to the file: it counts as not done, nothing else is done, and the next start finishes it",
  () => {
    const faults = [
      [whole.steps[logSync], "EIO"],
      [whole.steps[logSync + 2], "ENOSPC"],
      [whole.steps[fileSync], "EIO"],
    ] as const
    for (const [step, error] of faults) {
      const { db, said } = run(`${step?.call}:error=${error}:when=${step?.nth}`)
      expect(said).toEqual(["go", "E-STO-029", "again", "E-STO-029"])
      expect(generationOf(db)).toBe(GENERATION + 1)
      using node = openStore(db, password(), { readOnly: false })
      expect(node.generation).toBe(GENERATION + 1)
      expect(node.verify()).toBeGreaterThan(4)
    }
  },
  30_000,
)
