/** Secrets.db is really damaged here, in each way that it must notice; never is any of it used then. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { Secret } from "../../src/secret.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import {
  approved,
  bytesOf,
  claimOf,
  codeOf,
  epochNo,
  Folder,
  groupNo,
  groupSecret,
  KDF,
  password,
  reveal,
} from "./fixtures.ts"

interface Row {
  readonly id: Uint8Array
  readonly kind: number
  readonly version: number
  readonly seal: Uint8Array
  readonly box: Uint8Array
}
const LONG = process.env["COSIGNER_LONG"] === "1"
const TASK_KIND = 9
const ROOT_KIND = 1
const HEADER_KIND = 0

const rowsOf = (path: string): Row[] => {
  using db = new Database(path, { readwrite: true, create: false })
  return db.query<Row, []>("SELECT * FROM record ORDER BY id").all()
}

/** What somebody with the file, SQLite and no password can do. */
function tamper(path: string, action: (db: Database) => void): void {
  using db = new Database(path, { readwrite: true })
  action(db)
}

const put = (db: Database, row: Row): void => {
  db.query("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)").run(row.id, row.kind, row.version, row.seal, row.box)
}

/** A store with something of everything, closed. */
function filled(): Folder {
  const folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  store.groups.prepare(groupNo("g", 0), groupSecret(0, 3000))
  store.groups.activate("g", epochNo(0), [bytesOf(1)])
  approved(store, "t1")
  store.tasks.claim({
    ...claimOf("t2"),
    events: [{ eventId: "1", eventType: "e", createdMs: 1, body: "{}" }],
  })
  store.bans.add({
    groupId: "g",
    epochId: epochNo(0),
    peer: groupNo("g", 0).members[1]!.party,
    reason: "r",
    sid: bytesOf(3),
    bannedMs: 4,
  })
  return folder
}

const opening = (folder: Folder, password_ = password()): unknown => {
  const codes = [true, false].map((readOnly) =>
    codeOf(() => {
      using _store = openStore(folder.db, password_, { readOnly })
    }),
  )
  // A reader and a writer see the same.
  expect(codes[0]).toBe(codes[1])
  return codes[0]
}

test("a wrong password, and nothing else, is E-STO-004", () => {
  using folder = filled()
  expect(opening(folder, Secret.from(Buffer.from("correct horse batterz")))).toBe("E-STO-004")
  expect(opening(folder)).toBe("none")
})

test("a file that is not there, or not ours, or of a later format", () => {
  using folder = filled()
  expect(codeOf(() => openStore(`${folder.db}2`, password(), { readOnly: true }))).toBe("E-STO-002")
  tamper(folder.db, (db) => db.run("PRAGMA user_version = 4"))
  expect(opening(folder)).toBe("E-STO-006")
  tamper(folder.db, (db) => db.run("PRAGMA application_id = 1"))
  expect(opening(folder)).toBe("E-STO-005")
  writeFileSync(folder.db, "no database at all".repeat(100))
  expect(opening(folder)).toBe("E-STO-005")
})

test("a file cut short anywhere is E-STO-007", () => {
  using folder = filled()
  const whole = readFileSync(folder.db)
  for (const length of [0, 1, 15, 16, 99, 100, 101, 4095, 4096, 8192, whole.length - 4096, whole.length - 1]) {
    writeFileSync(folder.db, whole)
    truncateSync(folder.db, length)
    expect([length, opening(folder)]).toEqual([length, "E-STO-007"])
  }
})

test("a file with something behind its end is damaged; zeros were room for a commit that did not come", () => {
  using folder = filled()
  const whole = readFileSync(folder.db)
  for (const behind of [Buffer.alloc(4096, 1), Buffer.alloc(1, 1), Buffer.concat([Buffer.alloc(8191), Buffer.of(1)])]) {
    writeFileSync(folder.db, Buffer.concat([whole, behind]))
    expect(opening(folder)).toBe("E-STO-008")
  }
  writeFileSync(folder.db, Buffer.concat([whole, Buffer.alloc(5000)]))
  expect(opening(folder)).toBe("none")
  expect(readFileSync(folder.db)).toHaveLength(whole.length)
})

const snapshot = (store: Store): unknown => ({
  generation: store.generation,
  groups: store.groups.list(),
  secret: reveal(store.groups.open("g", epochNo(0))),
  tasks: store.tasks.list({ limit: 10 }),
  bans: store.bans.list(),
  next: store.outbox.next("s"),
  keys: [store.identity(), store.entropy(), store.callbackKey()].map((key) => toHex(key.expose())),
  records: store.verify(),
})

test(
  "a flipped bit anywhere is noticed, unless it lies where nothing is stored and nothing follows from it",
  () => {
    using folder = filled()
    const whole = readFileSync(folder.db)
    const before = JSON.stringify(use(folder, snapshot), replacer)
    const step = LONG ? 1 : 211
    let noticed = 0
    for (let bit = 0; bit < whole.length * 8; bit += step) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      writeFileSync(folder.db, damaged)
      const code = codeOf(() => use(folder, () => undefined))
      if (code !== "none") {
        expect([bit, code]).toEqual([bit, expect.stringMatching(/^E-STO-0(?:05|06|07|08|10)$/)])
        noticed++
        continue
      }
      // Unused bytes of a page: all that is stored is there, and commits go on.
      expect(JSON.stringify(use(folder, snapshot), replacer)).toBe(before)
      if (bit % 5 > 0 && !LONG) continue
      using store = folder.open()
      approved(store, "t3")
      expect(store.verify()).toBe(13)
    }
    expect(noticed).toBeGreaterThan(100)
  },
  LONG ? 7_200_000 : 120_000,
)

const replacer = (_: string, value: unknown): unknown => (typeof value === "bigint" ? String(value) : value)

function use<T>(folder: Folder, action: (store: Store) => T): T {
  using store = folder.open(true)
  return action(store)
}

test("every byte of every column of every record is watched", () => {
  using folder = filled()
  copyFileSync(folder.db, `${folder.db}.good`)
  for (const row of rowsOf(folder.db)) {
    for (const column of ["id", "seal", "box"] as const) {
      for (const at of [0, row[column].length >> 1, row[column].length - 1]) {
        copyFileSync(`${folder.db}.good`, folder.db)
        const changed = Buffer.from(row[column])
        changed[at]! ^= 1
        tamper(folder.db, (db) => db.query(`UPDATE record SET ${column} = ? WHERE id = ?`).run(changed, row.id))
        expect([row.kind, column, at, opening(folder)]).toEqual([
          row.kind,
          column,
          at,
          // The id of header or root leads to nothing; an id of another record no longer opens its box.
          column === "id" && row.kind <= ROOT_KIND ? "E-STO-010" : "E-STO-008",
        ])
      }
    }
    for (const column of ["kind", "version"] as const) {
      copyFileSync(`${folder.db}.good`, folder.db)
      tamper(folder.db, (db) => db.query(`UPDATE record SET ${column} = ${column} + 1 WHERE id = ?`).run(row.id))
      expect([row.kind, column, opening(folder)]).toEqual([row.kind, column, "E-STO-008"])
    }
  }
})

test("swapped records are E-STO-009", () => {
  using folder = filled()
  const [a, b] = rowsOf(folder.db).filter((row) => row.kind === TASK_KIND)
  tamper(folder.db, (db) => {
    put(db, { ...a!, seal: b!.seal, box: b!.box })
    put(db, { ...b!, seal: a!.seal, box: a!.box })
  })
  expect(opening(folder)).toBe("E-STO-009")
})

test("records of different kinds swapped, and the root in a record's place, are E-STO-009", () => {
  using folder = filled()
  copyFileSync(folder.db, `${folder.db}.good`)
  const rows = rowsOf(folder.db)
  const root = rows.find((row) => row.kind === ROOT_KIND)!
  for (const row of rows.filter(({ kind }) => kind > ROOT_KIND)) {
    copyFileSync(`${folder.db}.good`, folder.db)
    tamper(folder.db, (db) => put(db, { ...row, seal: root.seal, box: root.box }))
    expect([row.kind, opening(folder)]).toEqual([row.kind, "E-STO-009"])
    copyFileSync(`${folder.db}.good`, folder.db)
    tamper(folder.db, (db) => put(db, { ...root, seal: row.seal, box: row.box }))
    expect([row.kind, opening(folder)]).toEqual([row.kind, "E-STO-009"])
  }
})

test("a deleted record, whichever, is E-STO-010", () => {
  using folder = filled()
  copyFileSync(folder.db, `${folder.db}.good`)
  for (const row of rowsOf(folder.db)) {
    copyFileSync(`${folder.db}.good`, folder.db)
    tamper(folder.db, (db) => db.query("DELETE FROM record WHERE id = ?").run(row.id))
    expect([row.kind, opening(folder)]).toEqual([row.kind, "E-STO-010"])
  }
})

test("an older copy of one record, whichever, is E-STO-011", () => {
  using folder = filled()
  const before = rowsOf(folder.db)
  {
    using store = folder.open()
    approved(store, "t2")
    store.nextBoot()
  }
  copyFileSync(folder.db, `${folder.db}.good`)
  const now = new Map(rowsOf(folder.db).map((row) => [toHex(row.id), toHex(row.seal)]))
  const changed = before.filter((row) => now.get(toHex(row.id)) !== toHex(row.seal))
  expect(changed.map((row) => row.kind).sort()).toEqual([1, 4, 9])
  for (const row of changed) {
    copyFileSync(`${folder.db}.good`, folder.db)
    tamper(folder.db, (db) => put(db, row))
    expect([row.kind, opening(folder)]).toEqual([row.kind, "E-STO-011"])
  }
})

test("an older root is E-STO-011 also where it counts fewer or more records than there are", () => {
  using folder = filled()
  const root = (): Row => rowsOf(folder.db).find((row) => row.kind === ROOT_KIND)!
  const old = root()
  {
    using store = folder.open()
    store.tasks.claim(claimOf("t4"))
    store.groups.prepare(groupNo("h", 0), groupSecret(0))
  }
  const middle = root()
  tamper(folder.db, (db) => put(db, old))
  expect(opening(folder)).toBe("E-STO-011")
  tamper(folder.db, (db) => put(db, middle))
  {
    using store = folder.open()
    store.groups.dropUncertifiedKeygen("h")
    store.nextBoot()
  }
  tamper(folder.db, (db) => put(db, middle))
  expect(opening(folder)).toBe("E-STO-011")
})

test("the header from before a change of password is E-STO-011: the old password stays out", () => {
  using folder = filled()
  const old = rowsOf(folder.db).find((row) => row.kind === HEADER_KIND)!
  const next = Secret.from(Buffer.from("another long password"))
  {
    using store = folder.open()
    store.changePassword(next, KDF)
  }
  expect(opening(folder, next)).toBe("none")
  expect(opening(folder)).toBe("E-STO-004")
  tamper(folder.db, (db) => put(db, old))
  expect(opening(folder)).toBe("E-STO-011")
})

test("a record that was erased and put back, or made up, is E-STO-012", () => {
  using folder = filled()
  {
    using store = folder.open()
    store.groups.prepare(groupNo("h", 0), groupSecret(0))
  }
  const before = rowsOf(folder.db)
  {
    using store = folder.open()
    store.groups.dropUncertifiedKeygen("h")
  }
  const now = new Set(rowsOf(folder.db).map((row) => toHex(row.id)))
  const [erased] = before.filter((row) => !now.has(toHex(row.id)))
  copyFileSync(folder.db, `${folder.db}.good`)
  tamper(folder.db, (db) => put(db, erased!))
  expect(opening(folder)).toBe("E-STO-012")
  copyFileSync(`${folder.db}.good`, folder.db)
  tamper(folder.db, (db) => put(db, { ...erased!, box: new Uint8Array(500) }))
  expect(opening(folder)).toBe("E-STO-012")
})

test("a record of one file is of no use in another with the same password", () => {
  using one = filled()
  using other = filled()
  const [row] = rowsOf(other.db).filter(({ kind }) => kind === TASK_KIND)
  tamper(one.db, (db) => put(db, row!))
  expect(opening(one)).toBe("E-STO-012")
})

test("another table, trigger or view beside ours is refused", () => {
  using folder = filled()
  tamper(folder.db, (db) => db.run("CREATE VIEW v AS SELECT 1"))
  expect(opening(folder)).toBe("E-STO-008")
})

test("a row that is not of our form is refused before anybody computes with it", () => {
  using folder = filled()
  const [row] = rowsOf(folder.db).filter(({ kind }) => kind === TASK_KIND)
  tamper(folder.db, (db) => put(db, { ...row!, kind: 300 }))
  expect(opening(folder)).toBe("E-STO-008")
  tamper(folder.db, (db) => put(db, { ...row!, seal: new Uint8Array(5) }))
  expect(opening(folder)).toBe("E-STO-008")
})

test("the number of the last commit, and the unused part of the first page, are watched", () => {
  using folder = filled()
  const good = readFileSync(folder.db)
  for (const at of [24, 27, 92, 95, 110, 2000]) {
    const damaged = Buffer.from(good)
    damaged[at]! ^= 4
    writeFileSync(folder.db, damaged)
    expect([at, opening(folder)]).toEqual([at, "E-STO-008"])
  }
})

test("a false list of free pages is noticed before the next commit could overwrite a record", () => {
  using folder = filled()
  {
    using store = folder.open()
    store.groups.prepare(groupNo("h", 0), groupSecret(0, 9000))
    store.groups.dropUncertifiedKeygen("h")
  }
  const good = readFileSync(folder.db)
  expect(good.readUInt32BE(36)).toBeGreaterThan(2)
  const trunk = 4096 * (good.readUInt32BE(32) - 1)
  for (const at of [35, 39, trunk + 7, trunk + 11]) {
    const damaged = Buffer.from(good)
    damaged[at]! ^= 2
    writeFileSync(folder.db, damaged)
    expect([at, opening(folder)]).toEqual([at, "E-STO-008"])
  }
})

test("rows out of order are noticed: a record would be there and yet not be found", () => {
  using folder = filled()
  const good = readFileSync(folder.db)
  let tried = 0
  for (let page = 4096; page < good.length; page += 4096) {
    // Leaf pages of the table (type 10): two neighbours among the cell pointers change places.
    const cells = good[page] === 10 ? good.readUInt16BE(page + 3) : 0
    for (let at = page + 8; at < page + 8 + 2 * (cells - 1); at += 2) {
      const file = Buffer.from(good)
      good.copy(file, at, at + 2, at + 4)
      good.copy(file, at + 2, at, at + 2)
      writeFileSync(folder.db, file)
      // Where the search for header or root now ends elsewhere, they are missing or another record is in their place.
      expect(opening(folder)).toMatch(/^E-STO-0(?:08|09|10)$/)
      tried++
    }
  }
  expect(tried).toBeGreaterThan(5)
})

test("what lies beside the file is not believed: the pages of another file's log are noticed", () => {
  using folder = filled()
  using other = filled()
  {
    using store = other.open()
    store.nextBoot()
    // the log of a node that was killed in a commit, by hand: its header is zero between commits
    const db = new Database(other.copyTo("killed.db"), { readwrite: true, create: false })
    db.run("PRAGMA journal_mode = WAL")
    db.run("UPDATE record SET version = version + 1 WHERE kind = 9")
    copyFileSync(join(other.path, "killed.db-wal"), `${folder.db}-wal`)
    db.close()
  }
  expect(opening(folder)).toMatch(/^E-STO-0(?:08|09|10|11|12)$/)
})

// ---- while it is open --------------------------------------------------------------------------------------------

test("another program gets nothing of an open store: neither to read nor to write", () => {
  using folder = filled()
  using store = folder.open()
  expect(() => rowsOf(folder.db)).toThrow("locked")
  expect(() => tamper(folder.db, (db) => db.run("DELETE FROM record"))).toThrow("locked")
  expect(store.nextBoot()).toBeGreaterThan(0)
})

/** Changes the file of an open store behind its back, byte by byte, as no lock prevents; `verify` then looks at the disk. */
function rewrite(folder: Folder, store: Store, action: (db: Database) => void): string {
  const copy = folder.copyTo("rewritten.db")
  {
    using db = new Database(copy, { readwrite: true, create: false })
    db.run("PRAGMA journal_mode = DELETE")
    action(db)
  }
  writeFileSync(folder.db, readFileSync(copy))
  rmSync(copy)
  return String(codeOf(() => store.verify()))
}

test("an older copy, a deleted and a damaged record are seen when they are read", () => {
  using folder = filled()
  const old = rowsOf(folder.db)
  using store = folder.open()
  approved(store, "t2")
  const now = new Map(rowsOf(folder.copyTo("now.db")).map((row) => [toHex(row.id), toHex(row.seal)]))
  const task = old.find((row) => row.kind === TASK_KIND && now.get(toHex(row.id)) !== toHex(row.seal))!
  expect(rewrite(folder, store, (db) => put(db, task))).toBe("E-STO-011")
  expect(codeOf(() => store.tasks.get("t2"))).toBe("E-STO-011")
  expect(rewrite(folder, store, (db) => db.query("DELETE FROM record WHERE id = ?").run(task.id))).toBe("E-STO-010")
  expect(codeOf(() => store.tasks.get("t2"))).toBe("E-STO-010")
  const zeroed = "UPDATE record SET box = zeroblob(length(box)) WHERE id = (SELECT id FROM record WHERE kind = 8)"
  expect(rewrite(folder, store, (db) => db.run(zeroed))).toMatch(/^E-STO-0(?:08|10|11)$/)
  expect(codeOf(() => store.groups.open("g", epochNo(0)))).toBe("E-STO-008")
})

test("a file moved away or replaced under an open store stops it", () => {
  using folder = filled()
  {
    using store = folder.open()
    renameSync(folder.db, `${folder.db}.old`)
    expect(codeOf(() => store.nextBoot())).toBe("E-STO-017")
    renameSync(`${folder.db}.old`, folder.db)
  }
  using again = folder.open()
  copyFileSync(folder.db, `${folder.db}.copy`)
  renameSync(`${folder.db}.copy`, folder.db)
  expect(codeOf(() => again.nextBoot())).toBe("E-STO-017")
})

/** What the file says when it is opened: the code of a refusal, or its whole content in words. */
function contentOf(folder: Folder): string {
  let content = ""
  const code = codeOf(() => {
    using store = openStore(folder.db, password(), { readOnly: true })
    const tasks = store.tasks.list({ limit: 100 }).map(({ taskId, state }) => `${taskId} ${state}`)
    content = [store.generation, store.verify(), ...tasks].join(", ")
  })
  return code === "none" ? content : String(code)
}

test("a copy that mixes the pages of two commits is refused, or is one of the two in full", () => {
  using folder = filled()
  const opened = () => openStore(folder.db, password(), { readOnly: false })
  {
    using store = opened()
    for (let n = 0; n < 12; n++) store.tasks.claim(claimOf(`more${n}`))
  }
  const states = [readFileSync(folder.db)]
  const whole = [contentOf(folder)]
  {
    using store = opened()
    approved(store, "more3")
  }
  states.push(readFileSync(folder.db))
  whole.push(contentOf(folder))
  const pageOf = (state: number, at: number): Buffer =>
    states[state]?.subarray(4096 * at, 4096 * (at + 1)) ?? Buffer.alloc(0)
  const pages = Array.from({ length: Math.max(...states.map(({ length }) => length)) / 4096 }, (_, at) => at)
  const changed = pages.filter((at) => !pageOf(0, at).equals(pageOf(1, at)))
  // A copy that reads forwards while a commit writes has some first pages of one state and the others of the other; and each page alone.
  const mixes = changed.flatMap((at) => [(page: number) => page < at, (page: number) => page === at])
  const found = [0, 1].flatMap((from) =>
    mixes.map((isOther) => {
      writeFileSync(folder.db, Buffer.concat(pages.map((at) => pageOf(isOther(at) ? 1 - from : from, at))))
      return contentOf(folder)
    }),
  )
  const refused = found.filter((content) => /^E-STO-0(?:07|08|09|1[0-2])$/.test(content))
  // How many are refused depends on where the random ids of records put them.
  expect(found.filter((content) => !refused.includes(content) && !whole.includes(content))).toEqual([])
})
