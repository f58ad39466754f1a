/**
 * secrets.db as a file: a SQLite database with one table. It is created and opened only here, with the settings of connection.ts, so
 * every commit is durable when it returns and a plain copy of the idle file is complete. vault.ts gives the rows their meaning.
 */
import type { Database, Statement } from "bun:sqlite"
import { closeSync, copyFileSync, existsSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { CosignerError } from "../errors.ts"
import { createFile, makeFolder, nameOver, syncPath } from "../files.ts"
import { CommitLog, closeLog, connect, pageCount, unreserve } from "./connection.ts"
import { asFault, damage } from "./faults.ts"
import { checkHead, checkTable, defineTable } from "./fileFormat.ts"
import { CopyGate } from "./gate.ts"
import { lockProcess } from "./lock.ts"
import { COPY_FLAGS, clearStaleCopies, copyWhole, privateCopy, settle } from "./privateCopy.ts"
import type { Head, RecordPlace, SealedRecord } from "./seal.ts"

/** 64 MiB: a larger file is not read a second time at the start (checkPages). */
const LARGE_PAGES = 16_384

interface Statements {
  readonly get: Statement<Omit<SealedRecord, "id">, [Uint8Array]>
  readonly put: Statement<unknown, [Uint8Array, number, number, Uint8Array, Uint8Array]>
  readonly remove: Statement<unknown, [Uint8Array]>
  readonly scan: Statement<SealedRecord, []>
  /** Everything but the boxes, which make up nearly all of the file. SQLite does not read a column that is not selected. */
  readonly heads: Statement<Head, []>
  readonly head: Statement<Omit<Head, "id">, [Uint8Array]>
  readonly places: Statement<RecordPlace, []>
}

/** What a writer holds besides the connection. */
interface Writing {
  readonly log: CommitLog
  /** A descriptor of the file; closed after the connection (POSIX record locks). */
  readonly fd: number
  /** Both are absent while the file is being made under a temporary name, which nobody else opens. */
  readonly lock?: Disposable
  readonly gate?: CopyGate
}

export class SecretsFile implements Disposable {
  readonly #db: Database
  readonly #writing: Writing | undefined
  readonly #inode: string
  readonly sql: Statements
  #isClosed = false

  private constructor(
    readonly path: string,
    db: Database,
    writing: Writing | undefined,
  ) {
    this.#db = db
    this.#writing = writing
    this.#inode = inodeOf(path)
    this.sql = {
      get: db.prepare("SELECT kind, version, seal, box FROM record WHERE id = ?"),
      put: db.prepare("INSERT OR REPLACE INTO record (id, kind, version, seal, box) VALUES (?, ?, ?, ?, ?)"),
      remove: db.prepare("DELETE FROM record WHERE id = ?"),
      scan: db.prepare("SELECT id, kind, version, seal, box FROM record ORDER BY id"),
      heads: db.prepare("SELECT id, kind, version, seal FROM record ORDER BY id"),
      head: db.prepare("SELECT kind, version, seal FROM record WHERE id = ?"),
      places: db.prepare("SELECT id, kind, version FROM record"),
    }
  }

  get readOnly(): boolean {
    return this.#writing === undefined
  }

  /**
   * Makes the file under a temporary name, lets `fill` write to it, and renames it to `path` only when it is complete. After a crash
   * on the way there is no file at `path`. Never overwrites an existing file: E-STO-001.
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

  /** Replaces this file, which must be open for writing, by a new one, completely or not at all. Do not use this object afterwards. */
  replaceWith(fill: (file: SecretsFile) => void): void {
    try {
      // First remove the log: SQLite would apply a log that stays to the new file.
      this.#rest()
      SecretsFile.#put(this.path, fill)
    } catch (error) {
      throw asFault(error, this.path, "replace")
    }
  }

  /** Makes a file under a temporary name and gives it the name `path`. The caller holds the lock of `path`. */
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
    // A rename, not a hard link: a second link would be a second name of the database, with a second lock.
    nameOver(draft, path)
  }

  static #makeTable(path: string): SecretsFile {
    const fd = openSync(path, "r+")
    let db: Database | undefined
    try {
      db = connect(path, "write")
      defineTable(db)
      return new SecretsFile(path, db, { log: new CommitLog(db, path, fd), fd })
    } catch (error) {
      db?.close()
      closeSync(fd)
      throw error
    }
  }

  /** Opens a file that `create` made. A writer takes the process lock. A reader opens a private copy of this moment and changes nothing. */
  static open(path: string, readOnly: boolean): SecretsFile {
    try {
      checkHead(path, readOnly)
      if (!readOnly) return SecretsFile.#openWriter(path)
      using copy = privateCopy(path)
      return SecretsFile.#openReader(path, copy.path)
    } catch (error) {
      throw asFault(error, path, "open")
    }
  }

  /** Copies the file to `to` and opens the copy to read it. A node may be writing to the original. */
  static openCopy(path: string, to: string): SecretsFile {
    try {
      checkHead(path, true)
      copyWhole(path, to)
      return SecretsFile.#openReader(to, to)
    } catch (error) {
      rmSync(to, { force: true })
      throw asFault(error, path, "copy")
    }
  }

  static #openReader(path: string, at: string): SecretsFile {
    const db = connect(at, "read")
    const fd = openSync(at, "r")
    try {
      checkTable(path, fd, db)
      return new SecretsFile(path, db, undefined)
    } catch (error) {
      db.close()
      throw error
    } finally {
      closeSync(fd)
    }
  }

  static #openWriter(path: string): SecretsFile {
    using opened = new DisposableStack()
    const lock = opened.use(lockProcess(path))
    removeDraft(path)
    clearStaleCopies(dirname(path), Date.now())
    const gate = opened.use(CopyGate.ofWriter(path))
    using _alone = gate.alone()
    const fd = openSync(path, "r+")
    opened.defer(() => closeSync(fd))
    const db = connect(path, "write")
    opened.defer(() => db.close())
    unreserve(fd, pageCount(db))
    checkTable(path, fd, db)
    syncPath(dirname(path))
    const file = new SecretsFile(path, db, { log: new CommitLog(db, path, fd), fd, lock, gate })
    opened.move()
    return file
  }

  /** Copies a file that nobody writes to: the caller holds its lock. First finishes or undoes a commit that a crash cut off. */
  static copy(path: string, to: string): void {
    const db = connect(path, "write")
    try {
      db.query("SELECT count(*) FROM sqlite_schema").get()
      copyFileSync(path, to, COPY_FLAGS)
    } finally {
      db.close(true)
    }
  }

  /** Copies this file, which must be open for writing, to a new name and opens the copy to read it. Takes as long as a plain copy. */
  copyTo(path: string): SecretsFile {
    try {
      // Uses the open descriptor: closing a second descriptor of the file would drop the connection's POSIX locks.
      copyOpen(this.#writer().fd, path)
      settle(path)
      return SecretsFile.#openReader(path, path)
    } catch (error) {
      rmSync(path, { force: true })
      throw asFault(error, path, "copy the database to")
    }
  }

  /** Begins a transaction: for a writer with the write lock, for a reader with a stable view. */
  begin(): void {
    if (this.#writing === undefined) this.#db.run("BEGIN")
    else this.#writing.log.begin()
  }

  /** Durable, and complete in the main file, when it returns. Waits for a process that copies the file, up to the gate's limit. */
  commit(): void {
    const { gate, log } = this.#writer()
    using _alone = gate?.alone()
    log.commit()
  }

  /** Begins a part of the transaction that can be undone without the rest. */
  savepoint(): void {
    this.#db.run("SAVEPOINT part")
  }

  keepPart(): void {
    this.#db.run("RELEASE part")
  }

  /** Throws if SQLite has already rolled back the whole transaction by itself, as on a full disk. */
  undoPart(): void {
    this.#db.run("ROLLBACK TO part")
    this.#db.run("RELEASE part")
  }

  /**
   * Removes replaced records from everything beside the file: empties the log and deletes stale copies of killed readers. Call between
   * transactions. Does nothing if the file was moved or replaced, because its name and the log's may belong to another process now.
   */
  forgetReplaced(): void {
    if (!this.inPlace()) return
    clearStaleCopies(dirname(this.path), Date.now())
    this.#writer().log.empty()
  }

  /** Removes the log, so that the file is complete alone. Does nothing if the file was moved or replaced, for the same reason. */
  #rest(): void {
    if (!this.inPlace()) return
    const { gate, log } = this.#writer()
    using _alone = gate?.alone()
    log[Symbol.dispose]()
    closeLog(this.#db, this.path)
    syncPath(dirname(this.path))
  }

  #writer(): Writing {
    if (this.#writing === undefined) {
      throw new CosignerError("E-STO-019", { path: this.path, why: "it was opened to read only" })
    }
    return this.#writing
  }

  /** Does nothing if SQLite has already rolled back by itself. */
  rollback(): void {
    if (this.#db.inTransaction) this.#db.run("ROLLBACK")
  }

  /**
   * SQLite's own check of its pages, free pages included. It reads the whole file a second time. A start skips it for a large file without
   * free pages, because there the scan authenticates everything that is stored. Throws E-STO-007 or -008.
   */
  checkPages(how: "start" | "thorough"): void {
    // Empties the page cache, so that the check reads the disk.
    if (how === "thorough") this.#db.run("PRAGMA shrink_memory")
    const free = this.#db.query<{ freelist_count: number }, []>("PRAGMA freelist_count").get()?.freelist_count ?? 0
    if (how === "start" && free === 0 && pageCount(this.#db) > LARGE_PAGES) return
    const rows = this.#db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").all()
    const found = rows[0]?.quick_check
    if (found !== "ok") throw damage(this.path, `its pages do not fit together (${found})`)
  }

  /** True if the path still leads to the file that was opened. */
  inPlace(): boolean {
    try {
      return inodeOf(this.path) === this.#inode
    } catch {
      return false
    }
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (!this.readOnly) this.#rest()
    } catch {
      // Every commit is in the main file; a log that stays only repeats it.
    }
    this.#writing?.log[Symbol.dispose]()
    // SQLite keeps a closed file open for as long as one of its statements lives.
    for (const statement of Object.values(this.sql)) statement.finalize()
    this.#db.close(true)
    if (this.#writing === undefined) return
    const { fd, gate, lock } = this.#writing
    closeSync(fd)
    gate?.[Symbol.dispose]()
    lock?.[Symbol.dispose]()
  }
}

const draftOf = (path: string): string => `${path}.new`

/** Removes the temporary file of a process that was killed while it made one. The caller holds the lock of `path`. */
function removeDraft(path: string): void {
  for (const beside of ["", "-journal", "-wal"]) rmSync(draftOf(path) + beside, { force: true })
}

/** Copies the whole open file into a new one. */
function copyOpen(fd: number, to: string): void {
  const copied = createFile(to)
  try {
    const block = new Uint8Array(1 << 20)
    for (let at = 0; ; ) {
      const length = readSync(fd, block, 0, block.length, at)
      if (length === 0) return
      for (let done = 0; done < length; ) done += writeSync(copied, block, done, length - done, at + done)
      at += length
    }
  } finally {
    closeSync(copied)
  }
}

const inodeOf = (path: string): string => {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}
