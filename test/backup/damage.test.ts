/** A database that is not what its root vouches for gives no backup; a scratch copy that does not read back proves none. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { utf8 } from "../../src/bytes.ts"
import { CosignerError } from "../../src/errors.ts"
import { proveBackup, writeBackup } from "../../src/jobs/backupWork.ts"
import { SecretsFile } from "../../src/store/file.ts"
import { snapshotOf } from "../../src/store/store.ts"
import { Home, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

const [HEADER, ROOT, BOOTS, GROUP, SHARE, TASK] = [0, 1, 4, 7, 8, 9]

async function codeOf(action: () => unknown): Promise<unknown> {
  try {
    await action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : error
  }
}

async function backUp(home: Home): Promise<void> {
  using password = secret(PASSWORD)
  using sealing = secret(OTHER)
  using snapshot = snapshotOf(home.db, password, home.file("snapshot.db"))
  const of = { password: sealing, chosen: undefined, nowMs: 1, kdf: KDF, pause: async () => {} }
  await writeBackup(home.file("backups/b"), snapshot, of)
}

function claim(home: Home, taskId: string): void {
  using store = home.open()
  store.tasks.claim({ taskId, digest: "d", type: "KeySign", document: utf8("{}"), deadlineMs: 9, nowMs: 1, events: [] })
}

const flipped = (kind: number | undefined) => (db: Database, _: string) => {
  const row = db.query<{ id: Uint8Array; box: Uint8Array }, []>(`SELECT id, box FROM record WHERE kind = ${kind}`).get()
  if (row === null) throw new Error("no such record")
  row.box[20] = (row.box[20] ?? 0) ^ 1
  db.query("UPDATE record SET box = ? WHERE id = ?").run(row.box, row.id)
}
/** From a copy of before the last commits. */
const older = (kind: number | undefined) => (db: Database, before: string) => {
  db.run(`ATTACH '${before}' AS before`)
  db.run(`INSERT OR REPLACE INTO record SELECT * FROM before.record WHERE kind = ${kind}`)
}

for (const [what, tamper, expected] of [
  ["nothing is wrong with", () => {}, "none"],
  ["lacks a record", (db: Database) => db.run(`DELETE FROM record WHERE kind = ${TASK}`), "E-STO-010"],
  ["lacks a share", (db: Database) => db.run(`DELETE FROM record WHERE kind = ${SHARE}`), "E-STO-010"],
  ["lacks its root", (db: Database) => db.run(`DELETE FROM record WHERE kind = ${ROOT}`), "E-STO-010"],
  ["lacks its header", (db: Database) => db.run(`DELETE FROM record WHERE kind = ${HEADER}`), "E-STO-010"],
  ["has an older record", older(BOOTS), "E-STO-011"],
  ["has an older root", older(ROOT), "E-STO-011"],
  ["has a damaged group", flipped(GROUP), "E-STO-008"],
  ["has a damaged share", flipped(SHARE), "E-STO-008"],
  ["has a damaged task", flipped(TASK), "E-STO-008"],
  [
    "has a row of another form",
    (db: Database) => db.run(`UPDATE record SET seal = x'00' WHERE kind = ${TASK}`),
    "E-STO-008",
  ],
] as const) {
  test(`a database that ${what}`, async () => {
    using home = new Home()
    home.create().close()
    claim(home, "t")
    const before = home.file("before.db")
    copyFileSync(home.db, before)
    {
      using store = home.open()
      store.nextBoot()
    }
    claim(home, "u")
    {
      using db = new Database(home.db, { readwrite: true })
      tamper(db, before)
    }
    expect(await codeOf(() => backUp(home))).toBe(expected)
    expect(existsSync(home.file("backups/b"))).toBe(expected === "none")
  })
}

test("a backup whose scratch copy does not read back is not proven", async () => {
  using home = new Home()
  using sealing = secret(OTHER)
  home.create().close()
  await backUp(home)
  const path = home.file("backups/b")
  expect(await codeOf(() => proveBackup(path, sealing, 1))).toBe("none")
  const real = SecretsFile.create
  SecretsFile.create = (to, fill) => {
    real.call(SecretsFile, to, fill)
    // A disk that does not keep what it was given.
    writeFileSync(to, readFileSync(to).fill(0xff, 8192))
  }
  try {
    expect(await codeOf(() => proveBackup(path, sealing, 1))).toMatch(/^E-STO-0/)
  } finally {
    SecretsFile.create = real
  }
})
