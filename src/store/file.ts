/**
 * Secrets.db as a file: one SQLite database of one table, made and opened the one way in which every commit is on the
 * disk when it returns and a plain copy of the idle file is complete (connection.ts). What the rows mean is the vault's.
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
import { COPY, clearStaleCopies, copyWhole, privateCopy, settle } from "./privateCopy.ts"
import type { Head, RecordPlace, SealedRecord } from "./seal.ts"

/** 64 MiB. */
const LARGE_PAGES = 16_384

interface Statements {
  readonly get: Statement<Omit<SealedRecord, "id">, [Uint8Array]>
  readonly put: Statement<unknown, [Uint8Array, number, number, Uint8Array, Uint8Array]>
  readonly remove: Statement<unknown, [Uint8Array]>
  readonly scan: Statement<SealedRecord, []>
  /** All but the boxes, which are nearly all of the file: those that are not asked for are not read from the disk either. */
  readonly heads: Statement<Head, []>
  readonly head: Statement<Omit<Head, "id">, [Uint8Array]>
  readonly places: Statement<RecordPlace, []>
}

/** What a writer has besides the connection. */
interface Writing {
  readonly log: CommitLog
  /** Of the file, closed last. */
  readonly fd: number
  /** Neither for a file in the making: nobody else knows its name. */
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
      // First: a log that stayed behind would be taken for the new file's.
      this.#rest()
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

  /** Opens what `create` made. A writer takes the process lock; a reader has a copy of this moment, and changes nothing. */
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

  /** Copies the file to `to`, beside a node at work on it too, and opens the copy to read it. */
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

  /** A copy of a file that nobody writes to: the caller holds its lock. Settles first what a crash cut off. */
  static copy(path: string, to: string): void {
    const db = connect(path, "write")
    try {
      db.query("SELECT count(*) FROM sqlite_schema").get()
      copyFileSync(path, to, COPY)
    } finally {
      db.close(true)
    }
  }

  /** A copy of this moment under a new name, opened to read it. Of a writer; it takes as long as a plain copy. */
  copyTo(path: string): SecretsFile {
    try {
      // Not by name: to close another descriptor of the file would drop the connection's locks (POSIX record locks).
      copyOpen(this.#writer().fd, path)
      settle(path)
      return SecretsFile.#openReader(path, path)
    } catch (error) {
      rmSync(path, { force: true })
      throw asFault(error, path, "copy the database to")
    }
  }

  /** Begins at once with the write lock, or as a reader with a stable view. */
  begin(): void {
    if (this.#writing === undefined) this.#db.run("BEGIN")
    else this.#writing.log.begin()
  }

  /** On the disk, and in the file alone, when it returns. Waits for whoever copies the file, up to the gate's limit. */
  commit(): void {
    const { gate, log } = this.#writer()
    using _alone = gate?.alone()
    log.commit()
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
   * Lets nothing beside the file keep what earlier commits had replaced: neither the log, nor a copy that a reader was killed in. Between
   * transactions. Not where the file was moved or replaced: its name, and the log's, may be another process's by now.
   */
  forgetReplaced(): void {
    if (!this.inPlace()) return
    clearStaleCopies(dirname(this.path), Date.now())
    this.#writer().log.empty()
  }

  /** The file stands alone, with no log; the same condition. */
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

  /** SQLite may have rolled back by itself; then there is nothing left to do. */
  rollback(): void {
    if (this.#db.inTransaction) this.#db.run("ROLLBACK")
  }

  /**
   * SQLite's own view of its pages, free ones included. It reads everything a second time; so a large file without free
   * pages is spared it at the start: whatever is stored there the scan opens and authenticates anyway.
   */
  checkPages(how: "start" | "thorough"): void {
    // What is to be looked at is the disk.
    if (how === "thorough") this.#db.run("PRAGMA shrink_memory")
    const free = this.#db.query<{ freelist_count: number }, []>("PRAGMA freelist_count").get()?.freelist_count ?? 0
    if (how === "start" && free === 0 && pageCount(this.#db) > LARGE_PAGES) return
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
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      if (!this.readOnly) this.#rest()
    } catch {
      // Every commit is in the file: what stays beside it repeats it at most.
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

/** What a process that was killed left of a file in the making. The caller holds the lock of `path`. */
function removeDraft(path: string): void {
  for (const beside of ["", "-journal", "-wal"]) rmSync(draftOf(path) + beside, { force: true })
}

/** All that an open file has, into a new one. */
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
