/**
 * What a reader reads: a copy of its own, taken between two commits of a node that may be at work on the file. So it sees one moment
 * for as long as it likes, and holds up a commit for no longer than the copy takes.
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

/** Begins the name of a folder that no living process has needed for an hour, if it is that old. */
export const MAKING = ".cosigner-making-"

/** Never overwrites; shares the blocks where the file system can. */
export const COPY: number = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE

const STALE_MS = 60 * 60 * 1000

/** What SQLite may have beside a file: the log, and a release's before it a rollback journal. */
const BESIDE = ["-wal", "-journal"]

const MOST_TRIES = 3

/** The byte of the header that says so. */
const AT_REST = 1

/** No room, or not ours to write: another folder may do. */
const ELSEWHERE = /^(?:ENOSPC|EDQUOT|EROFS|EACCES|EPERM)$/

interface PrivateCopy extends Disposable {
  readonly path: string
}

/** Beside the file, or where that cannot be in the system's folder for temporary files (TMPDIR). Dispose it; a database that is open stays readable. */
export function privateCopy(path: string): PrivateCopy {
  try {
    return copyIn(dirname(path), path)
  } catch (error) {
    if (!ELSEWHERE.test(errnoOf(error) ?? "")) throw error
    return copyIn(tmpdir(), path)
  }
}

/**
 * Removes copies that readers of this user were killed in. A reader has its copy within seconds, so an old one is left over. What
 * cannot be removed stays: nobody's work depends on it. Returns whether there is one that may be in work.
 */
export function clearStaleCopies(folder: string, nowMs: number): boolean {
  const uid = process.getuid?.()
  let isAnyInWork = false
  try {
    for (const name of readdirSync(folder)) {
      const made = join(folder, name)
      const stat = name.startsWith(MAKING) ? lstatSync(made, { throwIfNoEntry: false }) : undefined
      if (stat === undefined || !stat.isDirectory() || (uid !== undefined && stat.uid !== uid)) continue
      if (nowMs - stat.mtimeMs > STALE_MS) rmSync(made, { recursive: true, force: true })
      else isAnyInWork = true
    }
  } catch {
    // A folder that may not be listed, or is gone by now.
  }
  return isAnyInWork
}

function copyIn(folder: string, path: string): PrivateCopy {
  clearStaleCopies(folder, Date.now())
  const made = mkdtempSync(join(folder, MAKING))
  try {
    const copy = join(made, basename(path))
    copyWhole(path, copy)
    return { path: copy, [Symbol.dispose]: () => rmSync(made, { recursive: true, force: true }) }
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    throw error
  }
}

/** The file with what a crash may have left beside it, which is settled in the copy: the original is not touched. Throws E-STO-034. */
export function copyWhole(path: string, to: string): void {
  const file = realpathSync(path)
  using gate = CopyGate.ofReader(file)
  for (let tries = 1; !copyOnce(file, to, gate); tries++) {
    for (const beside of ["", ...BESIDE]) rmSync(to + beside, { force: true })
    if (tries === MOST_TRIES) throw new CosignerError("E-STO-034", { path, tries })
  }
  settle(to)
}

/** False: somebody wrote to the file meanwhile, as a node does that has waited long enough. */
function copyOnce(file: string, to: string, gate: CopyGate | undefined): boolean {
  using _shared = gate?.shared()
  using _held = againstEarlierRelease(file)
  const before = lastWriteOf(file)
  copyFileSync(file, to, COPY)
  for (const beside of BESIDE) {
    if (existsSync(file + beside)) copyFileSync(file + beside, to + beside, COPY)
  }
  return lastWriteOf(file) === before
}

const lastWriteOf = (file: string): string => {
  const { ino, size, mtimeNs } = statSync(file, { bigint: true })
  return `${ino} ${size} ${mtimeNs}`
}

/** A node of an earlier release knows no gate: it waits for SQLite's own readers. Nothing where nobody commits in that way. */
function againstEarlierRelease(path: string): Disposable {
  const db = new Database(path, { readonly: true })
  const held = { [Symbol.dispose]: () => db.close() }
  if (readHead(path).at(18) !== AT_REST) return held
  db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
  try {
    db.run("BEGIN")
    db.query("SELECT count(*) FROM sqlite_schema").get()
  } catch (error) {
    // A commit that a crash cut off, which nobody may undo here: nobody commits either.
    if (isBusy(error)) throw error
  }
  return held
}

/** Makes a copy stand alone, as a file at rest does. */
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
