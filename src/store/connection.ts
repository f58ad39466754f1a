/**
 * The SQLite settings of secrets.db. They make every commit durable, and complete in the main file, before the caller continues.
 *
 * At rest the main file is in rollback-journal mode and needs no file beside it. While a node writes, there is a write-ahead log (WAL)
 * with at most one commit in it. A commit is written to the log, SQLite's checkpoint syncs the log, copies its pages into the main file
 * and syncs that: two syncs. The sync at COMMIT itself is off. It would matter only if the log held more than one commit: then a torn
 * start of the log could bring back part of an older state.
 */
import { Database } from "bun:sqlite"
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  writeSync,
} from "node:fs"
import { CosignerError } from "../errors.ts"
import { readHead } from "./faults.ts"

export const PAGE = 4096
/** How long a statement waits for another program's lock. Short, because a writer already has the process lock. */
const PATIENCE_MS = 1_000
/** The first bytes of a hot rollback journal, which SQLite must roll back. A finished journal begins with zeros. */
const JOURNAL_MAGIC = 0xd9d505f9
const LOG_HEADER = new Uint8Array(32)
const ZEROS = new Uint8Array(64 * PAGE)

interface ModeRow {
  readonly journal_mode: string
}
interface CheckpointRow {
  readonly busy: number
  readonly log: number
  readonly checkpointed: number
}

/**
 * Opens the database. "write" has every setting that durability depends on; "scratch" (a private copy) does not sync. Both first finish or
 * undo a commit that a crash cut off, and leave the file complete without a log. Throws E-STO-016 if the mode cannot be set.
 */
export function connect(path: string, use: "read" | "write" | "scratch"): Database {
  const db = new Database(path, use === "read" ? { readonly: true } : { readwrite: true, create: false })
  try {
    db.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`)
    db.run("PRAGMA trusted_schema = OFF")
    db.run("PRAGMA cell_size_check = ON")
    if (use === "read") return db
    // EXCLUSIVE: no other connection can delay the checkpoint of a commit, and the WAL needs no index in shared memory.
    db.run("PRAGMA locking_mode = EXCLUSIVE")
    // EXTRA syncs the folder too: after a power cut a deleted journal must not come back and roll back a commit.
    db.run(`PRAGMA synchronous = ${use === "scratch" ? "OFF" : "EXTRA"}`)
    db.run("PRAGMA fullfsync = ON")
    db.run("PRAGMA checkpoint_fullfsync = ON")
    db.run("PRAGMA secure_delete = ON")
    setMode(db, path, "persist")
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Returns the file to rollback-journal mode and removes the log and the journal beside it. Call between transactions. */
export function closeLog(db: Database, path: string): void {
  db.run("PRAGMA synchronous = EXTRA")
  setMode(db, path, "delete")
  // With an exclusive lock SQLite keeps the journal's name. Remove it only if there is nothing in it to roll back.
  const journal = `${realpathSync(path)}-journal`
  if (existsSync(journal) && !isHot(journal)) rmSync(journal)
}

const isHot = (journal: string): boolean => {
  const head = readHead(journal, 4)
  return head.length === 4 && head.readUInt32BE(0) === JOURNAL_MAGIC
}

/** SQLite reports no error if it cannot change the mode; it returns the mode that it has. Throws E-STO-016. */
function setMode(db: Database, path: string, mode: "persist" | "wal" | "delete"): void {
  const row = db.query<ModeRow, []>(`PRAGMA journal_mode = ${mode}`).get()
  if (row?.journal_mode !== mode) throw new CosignerError("E-STO-016", { path, action: "open" })
}

/** The write-ahead log of the one writer, from opening to closing the file. */
export class CommitLog implements Disposable {
  readonly #db: Database
  readonly #path: string
  /** A descriptor of the main file. Its owner closes it after the connection; closing it earlier would drop the connection's locks. */
  readonly #fd: number
  #logFd: number | undefined

  /** Switches the connection to the log; from then on all commits must go through it. `fd` stays the caller's. */
  constructor(db: Database, path: string, fd: number) {
    this.#db = db
    // SQLite resolves links and puts the log beside the real file
    this.#path = realpathSync(path)
    this.#fd = fd
    this.open()
  }

  open(): void {
    setMode(this.#db, this.#path, "wal")
    this.#db.run("PRAGMA wal_autocheckpoint = 0")
  }

  begin(): void {
    // SQLite ignores a change of this setting inside a transaction
    this.#db.run("PRAGMA synchronous = OFF")
    this.#db.run("BEGIN IMMEDIATE")
  }

  /** Durable, and complete in the main file, when it returns. If it throws after COMMIT, a new start tells whether the commit stands. */
  commit(): void {
    const { size } = fstatSync(this.#fd)
    try {
      reserve(this.#fd, size, pageCount(this.#db))
      this.#db.run("COMMIT")
    } catch (error) {
      giveBack(this.#fd, size)
      throw error
    }
    this.#checkpoint("PASSIVE")
    this.#invalidate()
  }

  /** Truncates the log, so that no replaced page stays in it. Call between transactions. */
  empty(): void {
    this.#checkpoint("TRUNCATE")
    fsyncSync(this.#logFile())
  }

  #checkpoint(how: "PASSIVE" | "TRUNCATE"): void {
    this.#db.run("PRAGMA synchronous = FULL")
    const row = this.#db.query<CheckpointRow, []>(`PRAGMA wal_checkpoint(${how})`).get()
    if (row === null || row.busy !== 0 || row.log < 0 || row.log !== row.checkpointed) {
      throw new CosignerError("E-STO-016", { path: this.#path, action: "write to" })
    }
  }

  /**
   * Overwrites the log's header with zeros, so that SQLite ignores the log. If the process is killed and somebody puts another copy in the
   * place of the file, SQLite must not apply the old log's pages to it. This needs no sync: as long as the log is valid it only repeats
   * what the main file has.
   */
  #invalidate(): void {
    try {
      writeSync(this.#logFile(), LOG_HEADER, 0, LOG_HEADER.length, 0)
    } catch {
      // The commit is durable all the same.
    }
  }

  #logFile(): number {
    this.#logFd ??= openSync(`${this.#path}-wal`, "r+")
    return this.#logFd
  }

  [Symbol.dispose](): void {
    if (this.#logFd !== undefined) closeSync(this.#logFd)
    this.#logFd = undefined
  }
}

export const pageCount = (db: Database): number =>
  db.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0

/**
 * Extends the main file to `pages` pages before the commit that needs them, so that a full disk is found while the commit can still be
 * undone. Once the commit is in the log and some of its pages are in the main file, it can only be finished.
 */
function reserve(fd: number, size: number, pages: number): void {
  for (let at = size; at < pages * PAGE; ) {
    const length = Math.min(pages * PAGE - at, ZEROS.length)
    at += writeSync(fd, ZEROS, 0, length, at)
  }
}

/** Removes what was reserved for a commit that failed. If this fails too, zeros stay behind the end; the next commit or start uses them. */
function giveBack(fd: number, size: number): void {
  try {
    ftruncateSync(fd, size)
  } catch {
    // For example the disk is read-only now. The caller reports the first failure.
  }
}

/** Removes what was reserved for a commit that a crash cut off. Bytes that are not zero stay, and are reported as damage (checkTable). */
export function unreserve(fd: number, pages: number): void {
  const { size } = fstatSync(fd)
  const block = new Uint8Array(ZEROS.length)
  for (let at = pages * PAGE; at < size; ) {
    const length = readSync(fd, block, 0, block.length, at)
    if (length === 0 || block.subarray(0, length).some((byte) => byte !== 0)) return
    at += length
  }
  if (size > pages * PAGE) ftruncateSync(fd, pages * PAGE)
}
