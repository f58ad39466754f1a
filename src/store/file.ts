/**
 * Secrets.db as a file: one SQLite database of one table, made and opened the one way in which every commit is on the
 * disk when it returns and a plain copy of the idle file is complete. What the rows mean is the vault's.
 */

import { Database, type Statement } from "bun:sqlite"
import { closeSync, constants, copyFileSync, existsSync, rmSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { CosignerError } from "../errors.ts"
import { createFile, makeFolder, nameOver, syncPath } from "../files.ts"
import { asFault, damage, readHead, sqliteCode } from "./faults.ts"
import { lockProcess } from "./lock.ts"
import { rollbackGuardPath } from "./rollbackGuard.ts"
import type { Head, RecordPlace, SealedRecord } from "./seal.ts"

/**
 * 2: a seal names the epoch of its subkey (seal.ts). 3: every change is also a leaf of the log for auditors (auditLog.ts). Earlier
 * formats are read, and written after `migrate`, which a start does.
 */
export const FORMAT = 3
const OLDEST_READ = 1
/** "CSGN" in the database header: tells our file from any other SQLite database. */
const APPLICATION_ID = 0x4353474e
const MAGIC = "SQLite format 3\0"
const PAGE = 4096
/** 64 MiB. */
const LARGE_PAGES = 16_384
const FIRST_PAGE = "its first page is not as this program writes it"

// Kept word for word by SQLite, and compared word for word at every start.
const SCHEMA = `CREATE TABLE record (
  -- A cosigner secrets file. Do not change anything here: each change is detected and stops the node.
  id BLOB PRIMARY KEY, -- HMAC-SHA256 of the record's kind and name; 32 zero bytes for the clear header
  kind INTEGER NOT NULL,
  version INTEGER NOT NULL,
  seal BLOB NOT NULL, -- AES-256-GCM nonce and tag; before the box, so that a scan does not read the box
  box BLOB NOT NULL -- ciphertext; the header: argon2id parameters, salt and the wrapped data key
) STRICT, WITHOUT ROWID`

/** Never overwrites; shares the blocks where the file system can. */
const COPY = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

/** How long a commit waits for a reader (a copy by SQLite, \`cosigner info\`) before it gives up. */
const BUSY_MS = 5_000

interface Statements {
  readonly get: Statement<Omit<SealedRecord, "id">, [Uint8Array]>
  readonly put: Statement<unknown, [Uint8Array, number, number, Uint8Array, Uint8Array]>
  readonly remove: Statement<unknown, [Uint8Array]>
  readonly scan: Statement<SealedRecord, []>
  /** All but the boxes, which are nearly all of the file: those that are not asked for are not read from the disk either. */
  readonly heads: Statement<Head, []>
  readonly head: Statement<Omit<Head, "id">, [Uint8Array]>
  readonly places: Statement<RecordPlace, []>
  readonly dataVersion: Statement<{ readonly data_version: number }, []>
}

export class SecretsFile implements Disposable {
  readonly #db: Database
  readonly #lock: Disposable | undefined
  readonly #inode: string
  readonly sql: Statements

  private constructor(
    readonly path: string,
    readonly readOnly: boolean,
    db: Database,
    lock: Disposable | undefined,
  ) {
    this.#db = db
    this.#lock = lock
    this.#inode = inodeOf(path)
    this.sql = {
      get: db.prepare("SELECT kind, version, seal, box FROM record WHERE id = ?"),
      put: db.prepare("INSERT OR REPLACE INTO record (id, kind, version, seal, box) VALUES (?, ?, ?, ?, ?)"),
      remove: db.prepare("DELETE FROM record WHERE id = ?"),
      scan: db.prepare("SELECT id, kind, version, seal, box FROM record ORDER BY id"),
      heads: db.prepare("SELECT id, kind, version, seal FROM record ORDER BY id"),
      head: db.prepare("SELECT kind, version, seal FROM record WHERE id = ?"),
      places: db.prepare("SELECT id, kind, version FROM record"),
      dataVersion: db.prepare("PRAGMA data_version"),
    }
  }

  /**
   * Makes the file whole under a temporary name, lets `fill` write to it, and only then gives it its name. A crash on the
   * way leaves nothing under that name; an existing file stays as it is (E-STO-001).
   */
  static create(path: string, fill: (file: SecretsFile) => void): void {
    try {
      makeFolder(dirname(path))
      using _lock = lockProcess(path)
      if (existsSync(path)) throw new CosignerError("E-STO-001", { path })
      SecretsFile.#put(path, fill)
    } catch (error) {
      throw asFault(error, path, "create")
    }
  }

  /** Puts another file in the place of this one, whole or not at all. This one is open for writing, and of no use afterwards. */
  replaceWith(fill: (file: SecretsFile) => void): void {
    try {
      SecretsFile.#put(this.path, fill)
    } catch (error) {
      throw asFault(error, this.path, "replace")
    }
  }

  /** The caller holds the lock of that name. */
  static #put(path: string, fill: (file: SecretsFile) => void): void {
    const draft = draftOf(path)
    try {
      removeDraft(path)
      closeSync(createFile(draft))
      using file = SecretsFile.#makeTable(draft)
      fill(file)
    } catch (error) {
      removeDraft(path)
      throw error
    }
    syncPath(draft)
    // the process lock keeps others from this name; a second hard link would be a second name of the database
    nameOver(draft, path)
  }

  static #makeTable(path: string): SecretsFile {
    const db = connect(path, false)
    db.run(`PRAGMA page_size = ${PAGE}`)
    db.run(`PRAGMA application_id = ${APPLICATION_ID}`)
    db.run(`PRAGMA user_version = ${FORMAT}`)
    db.run(SCHEMA)
    return new SecretsFile(path, false, db, undefined)
  }

  /** Opens what `create` made. A writer takes the process lock; a reader works beside it and changes nothing. */
  static open(path: string, readOnly: boolean): SecretsFile {
    let lock: Disposable | undefined
    let db: Database | undefined
    try {
      checkHead(path, readOnly)
      if (!readOnly) {
        lock = lockProcess(path)
        removeDraft(path)
      }
      db = readOnly ? connectReader(path) : connect(path, false)
      checkTable(path, db)
      const file = new SecretsFile(path, readOnly, db, lock)
      if (!readOnly) file.dropJournal()
      return file
    } catch (error) {
      db?.close()
      lock?.[Symbol.dispose]()
      throw asFault(error, path, "open")
    }
  }

  /** A copy of a file that nobody writes to: the caller holds its lock. Undoes first what a crash cut off. */
  static copy(path: string, to: string): void {
    const db = connect(path, false)
    try {
      db.query("SELECT count(*) FROM sqlite_schema").get()
      copyFileSync(path, to, COPY)
    } finally {
      db.close(true)
    }
  }

  /** A copy of this moment under a new name; no commit can fall into it. For a file in use it takes as long as a plain copy. */
  copyTo(path: string): void {
    try {
      if (!this.readOnly) return copyFileSync(this.path, path, COPY)
      this.begin()
      // BEGIN alone takes no lock: reading does, and keeps it until the end of the copy.
      this.sql.places.iterate().next()
      copyFileSync(this.path, path, COPY)
    } catch (error) {
      throw asFault(error, path, "copy the database to")
    } finally {
      this.rollback()
    }
  }

  /** Begins at once with the write lock, or as a reader with a stable view. */
  begin(): void {
    this.#db.run(this.readOnly ? "BEGIN" : "BEGIN IMMEDIATE")
  }

  commit(): void {
    this.#db.run("COMMIT")
  }

  /** Begins a part of the transaction that can be undone by itself. */
  savepoint(): void {
    this.#db.run("SAVEPOINT part")
  }

  keepPart(): void {
    this.#db.run("RELEASE part")
  }

  /** Throws where SQLite has undone the whole transaction by itself. */
  undoPart(): void {
    this.#db.run("ROLLBACK TO part")
    this.#db.run("RELEASE part")
  }

  /**
   * Removes the undo journal, and with it what earlier commits had replaced. Between transactions. Not where the file was moved or
   * replaced: its name, and the journal's, may be another process's by now.
   */
  dropJournal(): void {
    if (!this.inPlace()) return
    this.#db.run("PRAGMA journal_mode = DELETE")
    this.#db.run("PRAGMA journal_mode = PERSIST")
    syncPath(dirname(this.path))
  }

  /** SQLite may have rolled back by itself; then there is nothing left to do. */
  rollback(): void {
    if (this.#db.inTransaction) this.#db.run("ROLLBACK")
  }

  /**
   * SQLite's own view of its pages, free ones included. It reads everything a second time; so a large file without free
   * pages is spared it at the start: whatever is stored there the scan opens and authenticates anyway.
   */
  checkPages(how: "start" | "thorough"): void {
    // Asked of SQLite: to open and close the file here would drop the locks of this transaction (POSIX record locks).
    const pages = this.#db.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0
    const free = this.#db.query<{ freelist_count: number }, []>("PRAGMA freelist_count").get()?.freelist_count ?? 0
    if (how === "start" && free === 0 && pages > LARGE_PAGES) return
    const rows = this.#db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").all()
    const found = rows[0]?.quick_check
    if (found !== "ok") throw damage(this.path, `its pages do not fit together (${found})`)
  }

  /** Whether the name still leads to the file that was opened. */
  inPlace(): boolean {
    try {
      return inodeOf(this.path) === this.#inode
    } catch {
      return false
    }
  }

  [Symbol.dispose](): void {
    try {
      if (!this.readOnly) this.dropJournal()
    } catch {
      // Its header is zero: whoever opens the file next ignores it.
    }
    // SQLite keeps a closed file open for as long as one of its statements lives.
    for (const statement of Object.values(this.sql)) statement.finalize()
    this.#db.close(true)
    this.#lock?.[Symbol.dispose]()
  }
}

const draftOf = (path: string): string => `${path}.new`

/** What a process that was killed left of a file in the making. The caller holds the lock of `path`. */
function removeDraft(path: string): void {
  for (const leftover of [draftOf(path), `${draftOf(path)}-journal`]) rmSync(leftover, { force: true })
}

/** With every setting that durability rests on. */
export function connect(path: string, readOnly: boolean): Database {
  const db = new Database(path, readOnly ? { readonly: true } : { readwrite: true, create: false })
  db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
  db.run("PRAGMA trusted_schema = OFF")
  db.run("PRAGMA cell_size_check = ON")
  if (readOnly) return db
  // No write-ahead log: between two commits the file alone is the whole truth, and a plain copy of it is worth as much as it.
  // The undo journal stays and is made invalid by a synced zero over its header: to make and remove a file for each commit
  // costs several times as much. What it still holds of the state before is removed where that must go (dropJournal).
  db.run("PRAGMA journal_mode = PERSIST")
  // EXTRA: a journal that is removed all the same must not come back after a power cut, and with it the state before.
  db.run("PRAGMA synchronous = EXTRA")
  db.run("PRAGMA fullfsync = ON")
  db.run("PRAGMA secure_delete = ON")
  return db
}

/** A reader cannot undo a commit that a crash cut off; a writer does it on the reader's behalf. */
function connectReader(path: string): Database {
  const db = connect(path, true)
  try {
    db.query("SELECT count(*) FROM sqlite_schema").get()
    return db
  } catch (error) {
    db.close()
    if (!existsSync(`${path}-journal`) || !/^SQLITE_(?:READONLY|CANTOPEN)/.test(sqliteCode(error) ?? "")) throw error
  }
  try {
    using _lock = lockProcess(path)
    const writer = connect(path, false)
    writer.query("SELECT count(*) FROM sqlite_schema").get()
    writer.close()
  } catch (error) {
    throw new CosignerError("E-STO-018", { path }, { cause: error })
  }
  return connect(path, true)
}

/** Before SQLite sees the file: is it there, and is it one of ours? */
function checkHead(path: string, readOnly: boolean): void {
  const format = formatOf(path)
  if (format > FORMAT || format < OLDEST_READ) {
    throw new CosignerError("E-STO-006", { path, format, supported: FORMAT })
  }
  if (format < FORMAT && !readOnly) throw new CosignerError("E-STO-032", { path, format, wanted: FORMAT })
  // Now, because SQLite would action on them: asked for a rollback journal it would quietly convert a file with another one.
  if (!constantsAsWritten(readHead(path))) throw damage(path, FIRST_PAGE)
}

/** The format of a file of ours, whatever its version. Throws E-STO-002, -005, -007 and -033. */
export function formatOf(path: string): number {
  if (!existsSync(path)) {
    throw new CosignerError(existsSync(rollbackGuardPath(path)) ? "E-STO-033" : "E-STO-002", { path })
  }
  const head = readHead(path)
  if (head.length < 100 && MAGIC.startsWith(head.subarray(0, 16).toString("latin1"))) {
    throw new CosignerError("E-STO-007", { path, bytes: head.length })
  }
  if (head.length < 100 || head.subarray(0, 16).toString("latin1") !== MAGIC) {
    throw new CosignerError("E-STO-005", { path, found: "it is no SQLite database" })
  }
  if (head.readUInt32BE(68) !== APPLICATION_ID) {
    throw new CosignerError("E-STO-005", { path, found: "it is some other SQLite database" })
  }
  return head.readUInt32BE(60)
}

/** After SQLite has undone what a crash cut off. */
function checkTable(path: string, db: Database): void {
  const table = db.query<{ sql: string }, []>("SELECT sql FROM sqlite_schema").get()
  if (table?.sql !== SCHEMA) throw damage(path, "its table is not the one this program makes")
  const page = readHead(path, PAGE)
  const isSettled = page.readUInt32BE(24) === page.readUInt32BE(92) // both: the number of the last commit
  if (!isSettled || !firstPageAsWritten(page)) throw damage(path, FIRST_PAGE)
  if (statSync(path).size !== PAGE * page.readUInt32BE(28)) throw damage(path, "its length is not the one it names")
}

/** The fields of the SQLite file header that never change here; the offsets are those of its file format document. */
function constantsAsWritten(head: Buffer): boolean {
  const unused = [48, 52, 64, 72, 76, 80, 84, 88]
  return (
    head.readUInt16BE(16) === PAGE &&
    head.readUInt32BE(18) === 0x01_01_00_40 && // rollback journal for writers and readers, no reserved space, 64
    head.readUInt16BE(22) === 0x20_20 && // 32, 32
    head.readUInt32BE(44) === 4 && // schema format
    head.readUInt32BE(56) === 1 && // UTF-8
    unused.every((at) => head.readUInt32BE(at) === 0)
  )
}

/**
 * The first page holds the schema's one row, never rewritten: between its pointer and its text there is nothing but zeros.
 * A second row (a trigger, a view) would have its pointer there.
 */
function firstPageAsWritten(page: Buffer): boolean {
  const textAt = page.readUInt16BE(105)
  return page.subarray(110, textAt).every((byte) => byte === 0)
}

const inodeOf = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}
