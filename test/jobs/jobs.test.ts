/** Schedules, backups that are proven and pruned, check-ups that find what is wrong, and the guard's memory. */

import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { readKeyFile } from "../../src/config/keyFile.ts"
import { systemRng } from "../../src/crypto/random.ts"
import { CosignerError } from "../../src/errors.ts"
import { errorIn } from "../../src/jobs/apart.ts"
import { NODE_BACKUPS } from "../../src/jobs/backupNames.ts"
import { type BackupJob, backUp, proveApart } from "../../src/jobs/backups.ts"
import { checkUp } from "../../src/jobs/checkups.ts"
import { keepRollbackGuard } from "../../src/jobs/rollbackGuard.ts"
import { repeat } from "../../src/jobs/schedule.ts"
import type { Log } from "../../src/log.ts"
import {
  checkRollbackGuard,
  type DatabaseAge,
  readRollbackGuard,
  rollbackGuardPath,
  writeRollbackGuard,
} from "../../src/store/rollbackGuard.ts"
import { isNewest } from "../../src/waas/engine/fencing.ts"
import { TestClock } from "../support/clock.ts"
import { Home, ID, partyNo } from "../support/nodeHome.ts"

setDefaultTimeout(30_000)

function listening(): Log & { readonly said: string[] } {
  const said: string[] = []
  const add = (level: string) => (message: string, fields?: unknown) => {
    said.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
  }
  const trace = () => {}
  return { said, error: add("error"), warn: add("warn"), info: add("info"), debug: add("debug"), trace }
}
const codeOf = (action: () => unknown): unknown => {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : error
  }
}

test("a schedule waits for its interval over restarts, and tries a failure again", async () => {
  const stop = new AbortController()
  const begunMs = Date.now()
  const acts: number[] = []
  // it was done 10 ms before the start
  let lastMs: number | undefined = begunMs - 10
  await repeat(
    {
      everyMs: 30,
      lastMs: () => lastMs,
      now: Date.now,
      failed: unexpected,
      action: async () => {
        acts.push(Date.now())
        if (acts.length === 3) stop.abort()
        const isDone = acts.length !== 1
        if (isDone) lastMs = Date.now()
        return isDone
      },
    },
    stop.signal,
  )
  const [first = 0, second = 0, third = 0] = acts
  expect(acts).toHaveLength(3)
  expect(first - begunMs).toBeGreaterThanOrEqual(20)
  expect(second - first).toBeGreaterThanOrEqual(30)
  expect(third - second).toBeGreaterThanOrEqual(30)
})

test("what a scheduled job throws is told, and it is tried again", async () => {
  const stop = new AbortController()
  const told: unknown[] = []
  const failed = (error: unknown) => void told.push(error)
  let looks = 0
  const lastMs = () => {
    if (++looks === 1) throw new Error("the database does not read")
    return undefined
  }
  const action = async () => {
    if (told.length === 1) throw new Error("the disk is full")
    stop.abort()
    return true
  }
  await repeat({ everyMs: 1, lastMs, action, failed, now: Date.now }, stop.signal)
  expect(told.map(String)).toEqual(["Error: the database does not read", "Error: the disk is full"])
})

test("a schedule that is stopped while it waits ends at once, and does nothing more", async () => {
  const stop = new AbortController()
  let acts = 0
  const over = repeat(
    {
      everyMs: 3_600_000,
      lastMs: Date.now,
      now: Date.now,
      failed: unexpected,
      action: async () => {
        acts++
        return true
      },
    },
    stop.signal,
  )
  stop.abort()
  await over
  expect(acts).toBe(0)
})

function unexpected(error: unknown): never {
  throw error
}

const jobOf = (
  home: Home,
  store: BackupJob["store"],
  over: Partial<BackupJob> = {},
): BackupJob & { log: ReturnType<typeof listening> } => {
  const log = listening()
  return {
    store,
    directory: home.file("backups"),
    keep: 2,
    passwordFile: home.backupKey,
    readPassword: (file) => readKeyFile(file),
    prove: async () => {},
    now: Date.now,
    ...over,
    log,
  }
}

test("a scheduled backup is written beside a store at work, proven by another process, and the oldest go", async () => {
  using home = new Home()
  using store = home.create(3)
  const start = Date.UTC(2026, 10, 22, 12)
  const clock = new TestClock(start)
  const job = jobOf(home, store, { now: clock.now, prove: proveApart })
  expect(NODE_BACKUPS.newestMs(job.directory)).toBeUndefined()
  const [made] = await Promise.all([backUp(job), Promise.resolve().then(() => store.nextBoot())])
  expect([made, job.log.said]).toEqual([true, [expect.stringContaining("made and proven")]])
  expect(NODE_BACKUPS.newestMs(job.directory)).toBe(start)
  const quick = jobOf(home, store, { now: clock.now })
  for (let i = 1; i < 4; i++) {
    clock.advance(60_000)
    expect(await backUp(quick)).toBe(true)
  }
  expect(NODE_BACKUPS.in(job.directory).map((path) => path.split("/").at(-1))).toEqual([
    NODE_BACKUPS.at(start + 120_000),
    NODE_BACKUPS.at(start + 180_000),
  ])
  expect(readdirSync(job.directory)).toHaveLength(2)
})

test("a backup that is not proven gets no name, is removed, and takes no older one with it", async () => {
  using home = new Home()
  using store = home.create()
  const clock = new TestClock()
  const job = jobOf(home, store, { now: clock.now, keep: 1 })
  expect(await backUp(job)).toBe(true)
  clock.advance(60_000)
  const failing = jobOf(home, store, { now: clock.now, keep: 1, prove: () => Promise.reject(new Error("no")) })
  expect(await backUp(failing)).toBe(false)
  expect(failing.log.said[0]).toContain("error a scheduled backup failed")
  expect(readdirSync(job.directory)).toEqual([NODE_BACKUPS.at(clock.nowMs - 60_000)])
  expect(NODE_BACKUPS.newestMs(job.directory)).toBe(clock.nowMs - 60_000)
  const spoiling = jobOf(home, store, {
    now: clock.now,
    prove: async (path, file) => {
      const bytes = readFileSync(path)
      bytes[200] = (bytes[200] ?? 0) ^ 1
      writeFileSync(path, bytes)
      await proveApart(path, file)
    },
  })
  expect(await backUp(spoiling)).toBe(false)
  expect(spoiling.log.said[0]).toContain("E-BAK-007")
})

test("of a command that failed its error is kept from its code on, whatever it said before and however long the advice is", () => {
  const error = "cosigner: E-BAK-008 no space left for /b/waas.cosigner\n  next: "
  expect(errorIn(`copying the database\nsealed 256 MiB\n${error}${"free some ".repeat(90)}\n`)).toStartWith(error)
  expect(errorIn("killed\n")).toBe("killed")
  expect(errorIn("")).toBe("")
})

test("a check-up proves every active share and keeps the result; a wrong share is found", async () => {
  using home = new Home()
  using store = home.create()
  const log = listening()
  const signer = { self: partyNo(0), groups: store.groups, rng: systemRng }
  let provenMs = 0
  const job = {
    store,
    signer,
    log,
    now: () => 77,
    proven: (ms: number) => {
      provenMs = ms
    },
  }
  const signal = new AbortController().signal
  expect(await checkUp(job, signal)).toBe(true)
  expect(provenMs).toBe(77)
  const epochId = store.groups.active(ID(0))?.epochId ?? new Uint8Array(32)
  expect(store.checkup(ID(0), epochId)).toMatchObject({ atMs: 77, problem: "" })
  // the share of another node in the place of ours
  provenMs = 0
  expect(await checkUp({ ...job, signer: { ...signer, self: partyNo(1) } }, signal)).toBe(false)
  expect(provenMs).toBe(0)
  expect(store.checkup(ID(0), epochId)?.problem).toContain("E-KEY-008")
  expect(log.said.filter((line) => line.startsWith("error")).length).toBe(2)
})

test("the guard sees every way of being behind, and nothing else", () => {
  using home = new Home()
  const known: DatabaseAge = { incarnation: 5, boot: 3, generation: 100 }
  writeRollbackGuard(home.file("x.db"), known)
  expect(readRollbackGuard(home.file("x.db"))).toEqual(known)
  const of = (change: Partial<DatabaseAge>): unknown =>
    codeOf(() => checkRollbackGuard(home.file("x.db"), { ...known, ...change }))
  for (const fine of [{}, { boot: 4 }, { generation: 101 }, { incarnation: 6, boot: 0, generation: 0 }])
    expect(of(fine)).toBe("none")
  for (const behind of [
    { boot: 2 },
    { generation: 99 },
    { incarnation: 4, boot: 9, generation: 999 },
    { boot: 9, generation: 99 },
  ]) {
    expect([behind, of(behind)]).toEqual([behind, "E-BAK-015"])
  }
  for (const text of [
    "",
    "cosigner-guard 1 5 3 100\n",
    readFileSync(rollbackGuardPath(home.file("x.db")), "utf8").replace("100", "90"),
  ]) {
    writeFileSync(rollbackGuardPath(home.file("x.db")), text)
    expect(of({})).toBe("E-BAK-016")
  }
  expect(codeOf(() => checkRollbackGuard(home.file("none.db"), known))).toBe("none")
})

test("the guard follows the commits, and is exact after a stop", () => {
  using home = new Home()
  using store = home.create()
  store.nextBoot()
  const guard = keepRollbackGuard(store, listening())
  expect(readRollbackGuard(home.db)).toEqual(store.fencingToken)
  store.probe(1)
  expect(readRollbackGuard(home.db)).not.toEqual(store.fencingToken)
  guard.stop()
  expect(readRollbackGuard(home.db)).toEqual(store.fencingToken)
  expect(existsSync(`${rollbackGuardPath(home.db)}.new`)).toBe(false)
})

test("WaaS lets in what is not behind: restarts, reconnections, later decisions; no copy, no clone", () => {
  const seen = { incarnation: 0, boot: 3, bootId: "aa", generation: 100 }
  const ok = (change: object): boolean => isNewest({ ...seen, ...change }, seen)
  expect(isNewest(seen, undefined)).toBe(true)
  expect(ok({})).toBe(true)
  expect(ok({ generation: 150 })).toBe(true)
  expect(ok({ boot: 4, bootId: "bb", generation: 101 })).toBe(true)
  expect(ok({ incarnation: 9, boot: 1, bootId: "bb", generation: 2 })).toBe(true)
  expect(ok({ bootId: "bb", generation: 150 })).toBe(false)
  expect(ok({ generation: 99 })).toBe(false)
  expect(ok({ boot: 2, bootId: "bb", generation: 150 })).toBe(false)
  expect(ok({ boot: 4, bootId: "bb", generation: 99 })).toBe(false)
  expect(isNewest({ ...seen, boot: 9, generation: 999 }, { ...seen, incarnation: 1 })).toBe(false)
})

test("a copy on the disk that another program changes is noticed by the snapshot that reads it", () => {
  using home = new Home()
  using store = home.create()
  const copy = home.file("snapshot.db")
  using snapshot = store.snapshot(copy)
  const db = new Database(copy, { readwrite: true })
  db.run("DELETE FROM record WHERE kind = 7")
  db.close()
  expect(codeOf(() => [...snapshot.records(undefined)])).toMatch(/^E-STO-0(?:10|11)$/)
})
