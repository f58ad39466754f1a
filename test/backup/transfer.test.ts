/** Records that make no node, or not the one they say, become no database. */
import { expect, test } from "bun:test"
import { existsSync, rmSync } from "node:fs"
import { BackupWriter } from "../../src/backup/file.ts"
import { GroupList, type ManifestGroup } from "../../src/backup/manifest.ts"
import { toHex, utf8 } from "../../src/bytes.ts"
import { CosignerError } from "../../src/errors.ts"
import { restoreBackup } from "../../src/jobs/backupWork.ts"
import { snapshotOf } from "../../src/store/store.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { Home, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

// what the snapshot lends is wiped with the next record: a copy is taken while it is there
const keep = ({ kind, version, body }: StoredRecord): StoredRecord => ({ kind, version, body: body.slice() })

function* kept(home: Home): Generator<StoredRecord> {
  using store = home.create()
  store.tasks.claim({
    taskId: "t",
    digest: "d",
    type: "KeySign",
    document: utf8("{}"),
    deadlineMs: 9,
    nowMs: 1,
    events: [],
  })
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
const TASK = 9
const MARK = 21
const SHARE = 128

/** In the body of a group: length 4, version, id 1 + 20, epoch 32, curve, mode, and then it. */
const STATUS_AT = 4 + 1 + 21 + 32 + 2
const ERASED = 3

type Records = readonly StoredRecord[]
const of = (all: Records, ...kinds: readonly number[]): Records => all.filter(({ kind }) => kinds.includes(kind))
const isShare = ({ kind }: StoredRecord): boolean => kind === SHARE
const zeroFrom = (at: number) => (byte: number, i: number) => (i < at ? byte : 0)
const without = (all: Records, ...kinds: readonly number[]): Records => all.filter(({ kind }) => !kinds.includes(kind))

for (const [what, change, expected] of [
  ["all of them", (all: Records) => all, true],
  ["none without the identity", (all: Records) => without(all, IDENTITY), "E-BAK-011"],
  ["none without the count of starts", (all: Records) => without(all, BOOTS), "E-BAK-013"],
  ["none without a share", (all: Records) => without(all, SHARE), "E-BAK-011"],
  ["none without one of the shares", (all: Records) => all.slice(0, all.findLastIndex(isShare)), "E-BAK-011"],
  ["none without the groups", (all: Records) => without(all, GROUP), "E-BAK-011"],
  [
    "none with a share before its group",
    (all: Records) => [...without(all, GROUP, SHARE), ...of(all, SHARE), ...of(all, GROUP)],
    "E-BAK-011",
  ],
  [
    "with all shares behind everything else, where older versions put them",
    (all: Records) => [...without(all, SHARE), ...of(all, SHARE)],
    true,
  ],
  ["none with a key of its own twice", (all: Records) => [...all, ...of(all, IDENTITY)], "E-BAK-013"],
  ["none with a group twice", (all: Records) => [...all, ...of(all, GROUP)], "E-BAK-013"],
  ["none with a share twice", (all: Records) => [...all, ...of(all, SHARE)], "E-BAK-013"],
  ["none with a task twice", (all: Records) => [...all, ...of(all, TASK)], "E-BAK-013"],
  [
    "none with a share that is zero",
    (all: Records) =>
      all.map((one) =>
        isShare(one) ? { ...one, body: Uint8Array.from(one.body, zeroFrom(one.body.length - 32)) } : one,
      ),
    "E-BAK-011",
  ],
  [
    "none with the share of a group that was erased",
    (all: Records) => all.map((one) => (one.kind === GROUP ? { ...one, body: one.body.with(STATUS_AT, ERASED) } : one)),
    "E-BAK-011",
  ],
  ["none of nothing", () => [], "E-BAK-013"],
  [
    "none of a later version",
    (all: Records) => all.map((storedRecord) => ({ ...storedRecord, version: 9 })),
    "E-STO-027",
  ],
  [
    "none with a kind that is not known",
    (all: Records) => [...all, { kind: 99, version: 1, body: new Uint8Array(1) }],
    "E-STO-027",
  ],
  [
    "none with a group whose share ids do not fit its key",
    (all: Records) =>
      all.map((storedRecord) => {
        if (storedRecord.kind !== GROUP) return storedRecord
        // length 4, version, id 1 + 20, epoch 32, curve, mode, status, threshold, count; then party 32 and share id 32
        const body = storedRecord.body.slice()
        body[4 + 1 + 21 + 32 + 5 + 32 + 31] = (body[4 + 1 + 21 + 32 + 5 + 32 + 31] ?? 0) ^ 1
        return { ...storedRecord, body }
      }),
    "E-KEY-007",
  ],
  [
    "none with a share that is another number",
    (all: Records) =>
      all.map((storedRecord) => {
        if (storedRecord.kind !== SHARE) return storedRecord
        const body = storedRecord.body.slice()
        body[body.length - 1] = (body.at(-1) ?? 0) ^ 1
        return { ...storedRecord, body }
      }),
    "E-BAK-011",
  ],
] as const) {
  test(`a database is made of the records: ${what}`, () => {
    using home = new Home()
    expect(outcome(home, change([...kept(home)]))).toBe(expected)
  })
}

test("a mark of before, that ECDSA waits, gives way to that of the restore, whichever comes first", () => {
  using home = new Home()
  using password = secret(PASSWORD)
  const read = (path: string): Records => {
    using snapshot = snapshotOf(path, password, home.file("snapshot.db"))
    const found: StoredRecord[] = []
    for (const record of snapshot.records(undefined)) if (record !== undefined) found.push(keep(record))
    return found
  }
  const restored = (name: string, records: Records, nowMs: number): Records => {
    const path = home.file(`${name}/secrets.db`)
    importStore(path, password, records, { kdf: KDF, nowMs })
    return read(path)
  }
  // the last field of the mark
  const times = (all: Records) =>
    of(all, MARK).map(({ body }) => Number(Buffer.from(body).readBigUInt64BE(body.length - 8)))
  const first = restored("first", [...kept(home)], 7)
  expect(times(first)).toEqual([7])
  expect(
    times(restored("before", [...without(first, GROUP, SHARE), ...of(first, GROUP), ...of(first, SHARE)], 8)),
  ).toEqual([8])
  expect(times(restored("behind", [...without(first, MARK), ...of(first, MARK)], 9))).toEqual([9])
})

test("a backup whose manifest names other records or groups than it has is refused, and becomes no database", async () => {
  using home = new Home()
  using sealing = secret(OTHER)
  using password = secret(PASSWORD)
  const path = home.file("backups/b")
  const records = [...kept(home)]
  const groups: ManifestGroup[] = []
  importStore(home.file("for/the/list"), password, records, {
    kdf: KDF,
    nowMs: 1,
    onGroup: ({ groupId, epochId, ...rest }) => groups.push({ ...rest, group_id: groupId, epoch_id: toHex(epochId) }),
  })
  const [one, other] = groups
  if (one === undefined || other === undefined) throw new Error("there are two groups")
  for (const [n, [named, listed, expected]] of (
    [
      [records.length, groups, "none"],
      [records.length + 1, groups, "E-BAK-013"],
      [records.length, [], "E-BAK-013"],
      [records.length, [one], "E-BAK-013"],
      [records.length, [other, one], "E-BAK-013"],
      [records.length, [one, { ...other, status: "SUPERSEDED" }], "E-BAK-013"],
      [records.length, [...groups, one], "E-BAK-013"],
    ] as const
  ).entries()) {
    rmSync(path, { force: true })
    const list = new GroupList()
    for (const group of listed) list.add(group)
    using writer = new BackupWriter(path, sealing, KDF)
    for (const record of records) writer.add(record)
    writer.finish({
      program: "t",
      created_ms: 1,
      node_id: "n",
      generation: 1,
      lineage: 0,
      boot: 0,
      chosen_groups: false,
      records: named,
      groups: list,
    })
    const db = home.file(`restored-${n}/secrets.db`)
    let code: unknown = "none"
    try {
      restoreBackup(path, sealing, { db, password, nowMs: 1, kdf: KDF })
    } catch (error) {
      code = error instanceof CosignerError ? error.code : error
    }
    expect([n, code, existsSync(db)]).toEqual([n, expected, expected === "none"])
  }
})
