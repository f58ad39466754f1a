/** Records that make no node, or not the one they say, become no database. */
import { expect, test } from "bun:test"
import { existsSync, rmSync } from "node:fs"
import { BackupWriter } from "../../src/backup/file.ts"
import type { Manifest } from "../../src/backup/manifest.ts"
import { CosignerError } from "../../src/errors.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { restoreBackup } from "../../src/upkeep/backupWork.ts"
import { Home, KDF, OTHER, PASSWORD, secret } from "./node.ts"

// what the snapshot lends is wiped with the next record: a copy is taken while it is there
const keep = ({ kind, version, body }: StoredRecord): StoredRecord => ({ kind, version, body: body.slice() })

function* kept(home: Home): Generator<StoredRecord> {
  using store = home.create()
  using snapshot = store.snapshot(home.file("snapshot.db"))
  for (const record of snapshot.records(undefined)) if (record !== undefined) yield keep(record)
}

function outcome(home: Home, records: Iterable<StoredRecord>): unknown {
  using password = secret(PASSWORD)
  const path = home.file("new/secrets.db")
  try {
    importStore(path, password, records, { kdf: KDF, nowMs: 1 })
    return existsSync(path)
  } catch (error) {
    expect(existsSync(path)).toBe(false)
    return error instanceof CosignerError ? error.code : error
  }
}

const IDENTITY = 2
const BOOTS = 4
const GROUP = 7
const SHARE = 128

for (const [what, change, expected] of [
  ["all of them", (all: readonly StoredRecord[]) => all, true],
  [
    "none without the identity",
    (all: readonly StoredRecord[]) => all.filter(({ kind }) => kind !== IDENTITY),
    "E-BAK-011",
  ],
  [
    "none without the count of starts",
    (all: readonly StoredRecord[]) => all.filter(({ kind }) => kind !== BOOTS),
    "E-BAK-013",
  ],
  ["none without a share", (all: readonly StoredRecord[]) => all.filter(({ kind }) => kind !== SHARE), "E-BAK-011"],
  ["none without the groups", (all: readonly StoredRecord[]) => all.filter(({ kind }) => kind !== GROUP), "E-BAK-011"],
  ["none of nothing", () => [], "E-BAK-013"],
  ["none of a later version", (all: readonly StoredRecord[]) => all.map((of) => ({ ...of, version: 9 })), "E-STO-027"],
  [
    "none with a kind that is not known",
    (all: readonly StoredRecord[]) => [...all, { kind: 99, version: 1, body: new Uint8Array(1) }],
    "E-STO-027",
  ],
  [
    "none with a group whose share ids do not fit its key",
    (all: readonly StoredRecord[]) =>
      all.map((of) => {
        if (of.kind !== GROUP) return of
        // length 4, version, id 1 + 20, epoch 32, curve, mode, status, threshold, count; then party 32 and share id 32
        const body = of.body.slice()
        body[4 + 1 + 21 + 32 + 5 + 32 + 31] = (body[4 + 1 + 21 + 32 + 5 + 32 + 31] ?? 0) ^ 1
        return { ...of, body }
      }),
    "E-KEY-007",
  ],
  [
    "none with a share that is another number",
    (all: readonly StoredRecord[]) =>
      all.map((of) => {
        if (of.kind !== SHARE) return of
        const body = of.body.slice()
        body[body.length - 1] = (body.at(-1) ?? 0) ^ 1
        return { ...of, body }
      }),
    "E-BAK-011",
  ],
] as const) {
  test(`a database is made of the records: ${what}`, () => {
    using home = new Home()
    expect(outcome(home, change([...kept(home)]))).toBe(expected)
  })
}

test("a backup whose manifest names more records than it has is refused, and becomes no database", async () => {
  using home = new Home()
  using sealing = secret(OTHER)
  using password = secret(PASSWORD)
  const path = home.file("backups/b")
  const records = [...kept(home)]
  for (const [named, expected] of [
    [records.length, "none"],
    [records.length + 1, "E-BAK-013"],
  ] as const) {
    rmSync(path, { force: true })
    const groups: Manifest["groups"] = []
    const of = {
      program: "t",
      created_ms: 1,
      node_id: "n",
      generation: 1,
      lineage: 0,
      boot: 0,
      chosen_groups: false,
      groups,
    }
    using writer = new BackupWriter(path, sealing, KDF)
    for (const record of records) writer.add(record)
    writer.finish({ ...of, records: named })
    const db = home.file(`restored-${named}/secrets.db`)
    let code: unknown = "none"
    try {
      restoreBackup(path, sealing, { db, password, nowMs: 1, kdf: KDF })
    } catch (error) {
      code = error instanceof CosignerError ? error.code : error
    }
    expect([code, existsSync(db)]).toEqual([expected, expected === "none"])
  }
})
