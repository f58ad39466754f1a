/**
 * What a backup holds in memory does not grow with the number of groups. Objects that live are counted while the records
 * pass, behind a full collection each time: not how much memory there is decides, nor how fast anything is.
 */
import { heapStats } from "bun:jsc"
import { Database } from "bun:sqlite"
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { rmSync } from "node:fs"
import { growthWith } from "../../scripts/bench/backup.ts"
import { collecting, restoreBackup, writeBackup } from "../../src/jobs/backupWork.ts"
import { checkStore } from "../../src/store/check.ts"
import { RecordSealer } from "../../src/store/seal.ts"
import { openStore, snapshotOf } from "../../src/store/store.ts"
import { addGroup, Home, ID, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
setDefaultTimeout(LONG ? 600_000 : 60_000)

const GROUPS = 300
/** Kinds of objects that records are made of; compiled code comes and goes as it likes. */
const DATA = ["string", "Object", "Array", "Uint8Array", "ArrayBuffer", "BigInt", "Map", "Set"]

let home: Home
beforeAll(() => {
  home = new Home()
  using store = home.create(0)
  for (let n = 0; n < GROUPS; n++) addGroup(store, 0, ID(n), { active: false })
})
afterAll(() => home[Symbol.dispose]())

function living(): number {
  Bun.gc(true)
  const { objectTypeCounts } = heapStats()
  return DATA.reduce((sum, kind) => sum + (objectTypeCounts[kind] ?? 0), 0)
}

/** Calls of `method` while `action` runs; at each of `samples` it is counted what lives. */
async function counted(
  fields: object,
  method: "open" | "run",
  isCall: (args: readonly unknown[]) => boolean,
  samples: readonly number[],
  action: () => unknown,
): Promise<{ readonly calls: number; readonly living: readonly number[] }> {
  const found: number[] = []
  let calls = 0
  const real = Reflect.get(fields, method)
  Reflect.set(fields, method, function (this: unknown, ...args: unknown[]) {
    const result: unknown = Reflect.apply(real, this, args)
    if (isCall(args) && samples.includes(++calls)) found.push(living())
    return result
  })
  try {
    await action()
  } finally {
    Reflect.set(fields, method, real)
  }
  expect(found).toHaveLength(samples.length)
  return { calls, living: found }
}

/** By how many objects it grew from the first sample to the last; the one between is for a look when a test fails. */
const growthOf = (living: readonly number[]): number => (living.at(-1) ?? 0) - (living[0] ?? 0)

const any = (): boolean => true
const file = (): string => home.file("backups/b")

async function write(): Promise<void> {
  using password = secret(PASSWORD)
  using sealing = secret(OTHER)
  rmSync(file(), { force: true })
  using snapshot = snapshotOf(home.db, password, home.file("snapshot.db"))
  await writeBackup(file(), snapshot, { password: sealing, chosen: undefined, nowMs: 1, kdf: KDF, pause: collecting() })
}

function restore(name: string): string {
  using password = secret(PASSWORD)
  using sealing = secret(OTHER)
  const db = home.file(`${name}/secrets.db`)
  restoreBackup(file(), sealing, { db, password, nowMs: 1, kdf: KDF })
  return db
}

test("what is counted is seen: a store in use does hold its groups", async () => {
  using password = secret(PASSWORD)
  const open = (): void => openStore(home.db, password, { readOnly: true }).close()
  const { living } = await counted(RecordSealer.prototype, "open", any, [100, 500], open)
  expect(growthOf(living)).toBeGreaterThan(200)
})

test("writing holds nothing of the groups that have passed", async () => {
  // two of a group: its record and its share
  const { calls, living } = await counted(RecordSealer.prototype, "open", any, [101, 301, 501], write)
  expect(calls).toBeGreaterThan(2 * GROUPS)
  expect([living, growthOf(living) < 50]).toEqual([living, true])
})

test("restoring holds one batch of records, and a batch is no more than a few hundred", async () => {
  await write()
  const isCommit = ([sql]: readonly unknown[]): boolean => sql === "COMMIT"
  const { calls, living } = await counted(Database.prototype, "run", isCommit, [1, 2], () => restore("a"))
  expect(calls).toBeGreaterThanOrEqual(Math.ceil((2 * GROUPS) / 256))
  expect([living, growthOf(living) < 50]).toEqual([living, true])
})

test("the check of what was restored holds nothing of what it has seen", async () => {
  await write()
  const db = restore("b")
  using password = secret(PASSWORD)
  // three of a group: its record, its share, and the mark that ECDSA waits
  const { living } = await counted(RecordSealer.prototype, "open", any, [200, 500, 800], () => checkStore(db, password))
  expect([living, growthOf(living) < 50]).toEqual([living, true])
})

test.skipIf(!LONG)("resident memory with many groups is that with few", async () => {
  const [few, many] = [await growthWith(1000), await growthWith(8000)]
  for (const phase of ["write", "prove", "restore"] as const) {
    expect([few, many, phase, many[phase] - few[phase] <= 10]).toEqual([few, many, phase, true])
  }
})
