/**
 * How SQLite is told to keep secrets.db: every commit is on the disk, and in the file itself, before anything is done on account of it.
 *
 * At rest the file has a rollback journal's header and stands alone. A writer keeps a write-ahead log beside it, of one commit at most:
 * the commit is written to the log, the log is synced, its pages are written to the file, the file is synced. Two syncs; the order
 * is SQLite's checkpoint. The log's own syncs are switched off: with more commits in the log than one, a torn beginning of the
 * log could bring back a part of what was there before, and would need them.
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
/** How long another program may take with the file before a writer gives up: it has the process lock already. */
const PATIENCE_MS = 1_000
/** A rollback journal that is to be undone begins so; one that is not, with zeros. */
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

/** With every setting that durability rests on; a scratch copy needs none. What a crash cut off is finished or undone first, and the file stands alone then. */
export function connect(path: string, use: "read" | "write" | "scratch"): Database {
  const db = new Database(path, use === "read" ? { readonly: true } : { readwrite: true, create: false })
  try {
    db.run(`PRAGMA busy_timeout = ${PATIENCE_MS}`)
    db.run("PRAGMA trusted_schema = OFF")
    db.run("PRAGMA cell_size_check = ON")
    if (use === "read") return db
    // Alone: nobody else's statement can stand between a commit and its way into the file, and the log has no index in shared memory.
    db.run("PRAGMA locking_mode = EXCLUSIVE")
    // EXTRA: a journal that is removed must not come back after a power cut, and with it the state before.
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

/** The file stands alone again, with nothing beside it. Between transactions. */
export function closeLog(db: Database, path: string): void {
  db.run("PRAGMA synchronous = EXTRA")
  setMode(db, path, "delete")
  // SQLite keeps the name where it holds the file alone. It undoes nothing, or it stays.
  const journal = `${realpathSync(path)}-journal`
  if (existsSync(journal) && !isHot(journal)) rmSync(journal)
}

const isHot = (journal: string): boolean => {
  const head = readHead(journal, 4)
  return head.length === 4 && head.readUInt32BE(0) === JOURNAL_MAGIC
}

/** SQLite says which mode it has rather than that it cannot have the one it was asked for. */
function setMode(db: Database, path: string, mode: "persist" | "wal" | "delete"): void {
  const row = db.query<ModeRow, []>(`PRAGMA journal_mode = ${mode}`).get()
  if (row?.journal_mode !== mode) throw new CosignerError("E-STO-016", { path, action: "open" })
}

/** The log of one writer, for as long as it has the file. */
export class CommitLog implements Disposable {
  readonly #db: Database
  readonly #path: string
  /** Of the file. Closed after the connection: to close it before would drop the connection's locks (POSIX record locks). */
  readonly #fd: number
  #logFd: number | undefined

  /** From here on every commit is this log's. */
  constructor(db: Database, path: string, fd: number) {
    this.#db = db
    // where SQLite puts the log
    this.#path = realpathSync(path)
    this.#fd = fd
    this.open()
  }

  open(): void {
    setMode(this.#db, this.#path, "wal")
    this.#db.run("PRAGMA wal_autocheckpoint = 0")
  }

  begin(): void {
    // inside a transaction SQLite takes no other setting
    this.#db.run("PRAGMA synchronous = OFF")
    this.#db.run("BEGIN IMMEDIATE")
  }

  /** On the disk, and in the file itself, when it returns. Should it throw after COMMIT, only a new start finds out what stands. */
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

  /** Empties the log of what commits have replaced. Between transactions. */
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
   * A zero over the log's header, as the next commit overwrites it anyway: a copy that somebody puts in the place of a file whose
   * process was killed must not be given the last pages of that file. No sync: until it is on the disk the log repeats what the file has.
   */
  #invalidate(): void {
    try {
      writeSync(this.#logFile(), LOG_HEADER, 0, LOG_HEADER.length, 0)
    } catch {
      // the commit stands
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
 * Lengthens the file to so many pages, before the commit that needs them: a full disk is to be found while the commit can still be
 * undone. Once it is in the log, and some of its pages in the file, it can only be finished.
 */
function reserve(fd: number, size: number, pages: number): void {
  for (let at = size; at < pages * PAGE; ) {
    const length = Math.min(pages * PAGE - at, ZEROS.length)
    at += writeSync(fd, ZEROS, 0, length, at)
  }
}

/** What was reserved for a commit that failed. Should it stay, it is zeros behind the end, which the next commit or start takes back. */
function giveBack(fd: number, size: number): void {
  try {
    ftruncateSync(fd, size)
  } catch {
    // a disk that is read-only now; what failed first is what counts
  }
}

/** Takes back what was reserved for a commit that a crash cut off; anything else than zeros stays, and is damage. */
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
