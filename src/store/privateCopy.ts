/**
 * Readers work on a private copy of the file, taken between two commits of a node that may be running. So a reader has a stable view for
 * as long as it needs, and delays a commit only for the duration of the copy.
 */
import { Database } from "bun:sqlite"
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { connect, pageCount, unreserve } from "./connection.ts"
import { isBusy, readHead } from "./faults.ts"
import { BUSY_MS, CopyGate } from "./gate.ts"

/** Name prefix of a folder with a copy in the making. A process needs such a folder for seconds, so one that is an hour old is stale. */
export const COPY_FOLDER = ".cosigner-making-"

/** Flags for copyFile: never overwrite; share blocks (reflink) if the file system can. */
export const COPY_FLAGS: number = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

const STALE_MS = 60 * 60 * 1000

/** The files that SQLite may keep beside the database: the write-ahead log, and the rollback journal of earlier releases. */
const BESIDE = ["-wal", "-journal"]

const MOST_TRIES = 3

/** Value of byte 18 of SQLite's header (write version) in rollback-journal mode, which a file at rest has. */
const AT_REST = 1

/** Errors after which another folder may work: no space, or no permission to write. */
const ELSEWHERE = /^(?:ENOSPC|EDQUOT|EROFS|EACCES|EPERM)$/

interface PrivateCopy extends Disposable {
  readonly path: string
}

/**
 * Makes a copy beside the file, or in TMPDIR if that is impossible. Disposing it removes the copy; a database that was opened from it stays
 * readable. Throws E-STO-034.
 */
export function privateCopy(path: string): PrivateCopy {
  try {
    return copyIn(dirname(path), path)
  } catch (error) {
    if (!ELSEWHERE.test(errnoOf(error) ?? "")) throw error
    return copyIn(tmpdir(), path)
  }
}

/**
 * Removes the stale copies that killed readers of this user left in the folder. A copy takes seconds, so an old one is stale. A copy that
 * cannot be removed stays, and the others go all the same. Returns true if a younger copy exists, which a process may still be using.
 */
export function clearStaleCopies(folder: string, nowMs: number): boolean {
  let isAnyInWork = false
  for (const name of copiesIn(folder)) {
    if (isInWork(join(folder, name), nowMs)) isAnyInWork = true
  }
  return isAnyInWork
}

/** The names of the copies in a folder; none if it cannot be listed or is gone. */
function copiesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.startsWith(COPY_FOLDER))
  } catch {
    return []
  }
}

/** True if a process may still be using the copy. Removes the copy if it is stale. */
function isInWork(made: string, nowMs: number): boolean {
  const uid = process.getuid?.()
  try {
    const stat = lstatSync(made)
    if (!stat.isDirectory() || (uid !== undefined && stat.uid !== uid)) return false
    if (nowMs - stat.mtimeMs <= STALE_MS) return true
    rmSync(made, { recursive: true, force: true })
  } catch {
    // It does not exist any more, or may not be removed.
  }
  return false
}

function copyIn(folder: string, path: string): PrivateCopy {
  clearStaleCopies(folder, Date.now())
  const made = mkdtempSync(join(folder, COPY_FOLDER))
  try {
    const copy = join(made, basename(path))
    copyWhole(path, copy)
    return { path: copy, [Symbol.dispose]: () => rmSync(made, { recursive: true, force: true }) }
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    throw error
  }
}

/**
 * Copies the file and what a crash may have left beside it, and finishes or undoes the interrupted commit in the copy. Does not change the
 * original. Throws E-STO-034 if the file was written to during each of MOST_TRIES copies.
 */
export function copyWhole(path: string, to: string): void {
  const file = realpathSync(path)
  using gate = CopyGate.ofReader(file)
  for (let tries = 1; !copyOnce(file, to, gate); tries++) {
    for (const beside of ["", ...BESIDE]) rmSync(to + beside, { force: true })
    if (tries === MOST_TRIES) throw new CosignerError("E-STO-034", { path, tries })
  }
  settle(to)
}

/** False if the file was written to during the copy: a node commits anyway after it has waited long enough (gate.ts). */
function copyOnce(file: string, to: string, gate: CopyGate | undefined): boolean {
  using _shared = gate?.shared()
  using _held = againstEarlierRelease(file)
  const before = lastWriteOf(file)
  copyFileSync(file, to, COPY_FLAGS)
  for (const beside of BESIDE) {
    if (existsSync(file + beside)) copyFileSync(file + beside, to + beside, COPY_FLAGS)
  }
  return lastWriteOf(file) === before
}

const lastWriteOf = (file: string): string => {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true })
  return `${ino} ${size} ${mtimeNs}`
}

/**
 * Holds SQLite's read lock against a node of an earlier release, which does not know the gate and commits in rollback-journal mode. A
 * file in WAL mode belongs to a node that knows the gate, so nothing is locked then.
 */
function againstEarlierRelease(path: string): Disposable {
  const db = new Database(path, { readonly: true })
  const held = { [Symbol.dispose]: () => db.close() }
  if (readHead(path).at(18) !== AT_REST) return held
  db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
  try {
    db.run("BEGIN")
    db.query("SELECT count(*) FROM sqlite_schema").get()
  } catch (error) {
    // A crash cut off a commit, and a reader may not undo it. Then no node is running that could commit.
    if (isBusy(error)) throw error
  }
  return held
}

/** Finishes or undoes an interrupted commit in a copy, so that the copy is complete without the files beside it. */
export function settle(path: string): void {
  const fd = openSync(path, "r+")
  try {
    const db = connect(path, "scratch")
    try {
      unreserve(fd, pageCount(db))
    } finally {
      db.close(true)
    }
  } finally {
    closeSync(fd)
    for (const beside of BESIDE) rmSync(path + beside, { force: true })
  }
}
