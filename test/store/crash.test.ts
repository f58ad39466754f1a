/** The node is killed at random moments: nothing that was acknowledged is lost, and every file that is left opens. */
import { expect, test } from "bun:test"
import { copyFileSync, existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { openStore, type Store } from "../../src/store/store.ts"
import { STEPS } from "./crashChild.ts"
import { codeOf, epochNo, Folder, partyNo, password } from "./fixtures.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const KILLS = LONG ? 5_000 : 104
const LANES = 2
const CHILD = join(import.meta.dir, "crashChild.ts")

interface Acknowledged {
  /** Steps acknowledged so far; the next is this one. */
  readonly steps: number
  /** The generation of the last acknowledged commit. */
  readonly generation: number
}

/** Runs a child until it has acknowledged `acks` steps, lets it go on for `delayMs`, kills it; what it said until then. */
async function runAndKill(path: string, before: Acknowledged, acks: number, delayMs: number): Promise<Acknowledged> {
  const child = Bun.spawn([process.execPath, CHILD, path, String(before.steps), "3000"], { stdout: "pipe" })
  let text = ""
  let isDoomed = false
  for await (const chunk of child.stdout) {
    text += Buffer.from(chunk).toString()
    if (isDoomed || text.split("\n").length - 1 < acks + 1) continue
    isDoomed = true
    setTimeout(() => child.kill("SIGKILL"), delayMs)
  }
  await child.exited
  let said = before
  // The last line may be cut; what counts is what was said in full.
  for (const line of text.split("\n").slice(0, -1)) {
    const [what, generation] = line.split(" ")
    if (what === "error") throw new Error(line)
    said = { steps: what === "open" ? said.steps : Number(what) + 1, generation: Number(generation) }
  }
  return said
}

/** Whether a commit was cut off: a log, or a release's before it an undo journal, whose header is not zero. */
const isCutOff = (db: string): boolean =>
  ["-wal", "-journal"].some((beside) => existsSync(db + beside) && (readFileSync(db + beside)[0] ?? 0) !== 0)

/** Every step before `steps` has left its mark, and none after it. */
function checkContent(store: Store, steps: number): void {
  const last = Math.floor((steps - 1) / STEPS)
  for (let n = Math.max(0, last - 3); n <= last; n++) {
    const done = steps - n * STEPS
    const record = store.tasks.get(`t${n}`)
    const states = ["claimed", "approved", "running", "emitted", "emitted", "emitted", "failed"]
    expect(record?.state).toBe(states[Math.min(done, STEPS) - 1] as never)
    const group = codeOf(() => store.groups.open(`t${n}`, epochNo(0)))
    expect(group).toBe(done >= 6 ? "none" : "E-STO-020")
  }
  expect(store.tasks.get(`t${last + 1}`)).toBeUndefined()
  const approvals = Math.floor((steps + STEPS - 2) / STEPS)
  expect(store.tasks.usage.count("all", 0)).toBe(approvals)
  expect(store.outbox.backlog()).toEqual(approvals > 0 ? [{ server: "s", pending: approvals, failed: 0 }] : [])
}

async function lane(kills: number, random: () => number): Promise<{ readonly steps: number; readonly cutOff: number }> {
  using folder = new Folder()
  folder.create().close()
  let said: Acknowledged = { steps: 0, generation: 1 }
  let cutOff = 0
  for (let i = 0; i < kills; i++) {
    const now = await runAndKill(folder.db, said, Math.floor(random() * 3), random() * 4)
    if (isCutOff(folder.db)) cutOff++
    using store = openStore(folder.db, password(), { readOnly: true })
    // One commit may have reached the disk whose acknowledgement did not reach us; none may be missing.
    const more = store.generation - now.generation
    expect(more === 0 || more === 1).toBe(true)
    // It was a step: a start may commit too, to close a session that was cut off, and says so before it goes on.
    const steps = now.steps + more
    checkContent(store, steps)
    said = { steps, generation: store.generation }
  }
  return { steps: said.steps, cutOff }
}

test(
  `${KILLS} times kill -9: nothing acknowledged is lost, and the file always opens`,
  async () => {
    // Not seeded: what varies here is the machine, not the numbers.
    const lanes = await Promise.all(Array.from({ length: LANES }, () => lane(KILLS / LANES, Math.random)))
    // It was really in the middle of work: steps were made, and some commits were cut off.
    for (const { steps } of lanes) expect(steps).toBeGreaterThan(KILLS / LANES)
    expect(lanes.reduce((sum, lane) => sum + lane.cutOff, 0)).toBeGreaterThan(0)
  },
  LONG ? 7_200_000 : 180_000,
)

test("a copy of the one file, taken while the node idles, restores to the last acknowledged commit", () => {
  using folder = new Folder()
  using store = folder.create()
  for (let i = 0; i < 3; i++) store.nextBoot()
  const copy = folder.copyTo("copy.db")
  store.nextBoot()
  using restored = openStore(copy, password(), { readOnly: false })
  expect(restored.generation).toBe(store.generation - 1)
  expect(restored.nextBoot()).toBe(4)
})

test("a commit that an earlier release left cut off is undone; a reader undoes it in its own copy, and never shows half of it", () => {
  using folder = new Folder()
  const store = folder.create()
  store.nextBoot()
  // A hot journal made by hand: the state in the middle of a transaction, as a crash leaves it.
  const code = `
    import { Database } from "bun:sqlite"
    const db = new Database(${JSON.stringify(folder.db)}, { readwrite: true })
    db.run("PRAGMA cache_size = 1"); db.run("PRAGMA cache_spill = 1"); db.run("BEGIN IMMEDIATE")
    for (let i = 1; i < 200; i++) db.run("INSERT INTO record VALUES (?, 9, 1, zeroblob(28), zeroblob(4000))", [new Uint8Array(32).fill(i)])
    process.kill(process.pid, "SIGKILL")`
  store.close()
  Bun.spawnSync([process.execPath, "-e", code])
  expect(isCutOff(folder.db)).toBe(true)
  copyFileSync(folder.db, join(folder.path, "x.db"))
  // Without its journal the copied half of a commit is refused: so the journal was hot.
  expect(codeOf(() => openStore(join(folder.path, "x.db"), password(), { readOnly: true }))).not.toBe("none")
  {
    using reader = folder.open(true)
    expect(reader.generation).toBe(2)
    expect(isCutOff(folder.db)).toBe(true)
  }
  using node = folder.open()
  expect(node.generation).toBe(2)
  expect(isCutOff(folder.db)).toBe(false)
})

test("sessions that were running when the process died are closed; all together they count one unproven check per peer", () => {
  using folder = new Folder()
  folder.create().close()
  const dying = `
    import { openStore } from ${JSON.stringify(join(import.meta.dir, "../../src/store/store.ts"))}
    import { approved, password, sessionOf, still } from ${JSON.stringify(join(import.meta.dir, "fixtures.ts"))}
    const store = openStore(${JSON.stringify(folder.db)}, password(), { readOnly: false })
    for (const task of ["ecdsa", "ecdsa2", "ecdsa3", "frost", "ended"]) {
      approved(store, task)
      store.tasks.startSession(sessionOf(task, 1, { ecdsa: task !== "frost" }), 1, still)
    }
    approved(store, "other")
    store.tasks.startSession(sessionOf("other", 1, { groupId: "h", peers: [sessionOf("", 1).peers[0]] }), 1, still)
    store.tasks.endSession(sessionOf("ended", 1).sid, "deadline", 2, [])
    process.kill(process.pid, "SIGKILL")`
  Bun.spawnSync([process.execPath, "-e", dying])
  {
    // A reader only looks: the node that comes next settles it.
    using reader = folder.open(true)
    expect(reader.recovery).toEqual({ sessions: [], checks: [] })
  }
  {
    using store = folder.open()
    expect(store.recovery.sessions.map((row) => row.taskId).sort()).toEqual([
      "ecdsa",
      "ecdsa2",
      "ecdsa3",
      "frost",
      "other",
    ])
    const counts = store.recovery.checks.map(({ groupId, peer, count }) => `${groupId} ${peer} ${count}`)
    expect(counts.sort()).toEqual([`g ${partyNo(1)} 1`, `g ${partyNo(2)} 1`, `h ${partyNo(1)} 1`].sort())
    expect(store.bans.unproven()).toHaveLength(3)
  }
  using again = folder.open()
  expect(again.recovery).toEqual({ sessions: [], checks: [] })
  expect(again.bans.unproven()).toHaveLength(3)
})
