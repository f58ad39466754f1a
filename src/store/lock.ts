/**
 * One process per file: an operating-system lock on `<file>.lock`, taken through SQLite because that is the portable way
 * to such a lock here. It dies with the process, so nothing is ever left to clean up; readers of the file need none of it.
 */
import { Database } from "bun:sqlite"
import { chmodSync, existsSync, readFileSync, realpathSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { CosignerError } from "../errors.ts"
import { asFault, isBusy } from "./faults.ts"

/** Takes the lock or throws E-STO-003 with the holder's name; held until disposed. */
export function lockProcess(path: string): Disposable {
  const lockPath = lockPathOf(path)
  let db: Database | undefined
  try {
    db = new Database(lockPath, { create: true, readwrite: true })
    // chmod, not open: closing another descriptor of this file would drop the lock (POSIX record locks).
    chmodSync(lockPath, 0o600)
    db.run("PRAGMA busy_timeout = 0")
    db.run("BEGIN EXCLUSIVE")
    requireOneName(path)
  } catch (error) {
    db?.close()
    if (isBusy(error)) {
      throw new CosignerError("E-STO-003", { path, holder: holderOf(lockPath) }, { cause: error })
    }
    throw asFault(error, path, "lock")
  }
  const held = db
  return { [Symbol.dispose]: () => held.close() }
}

/** Beside the file itself, whatever links lead to it: two names of one file must not be two locks. */
function lockPathOf(path: string): string {
  try {
    const file = existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
    return `${file}.lock`
  } catch (error) {
    throw asFault(error, path, "lock")
  }
}

/**
 * The lock is beside a name, and a file may have several. Whoever comes second sees both names, whichever it came by; so the
 * second one is refused, and a node is on its own as long as the file has one name only.
 */
function requireOneName(path: string): void {
  if (!existsSync(path)) return
  const { nlink } = statSync(path)
  if (nlink > 1) throw new CosignerError("E-STO-031", { path, names: nlink })
}

/** Linux names the holder itself; elsewhere the person at the keyboard has to ask. */
function holderOf(lockPath: string): string {
  try {
    const { ino } = statSync(lockPath)
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      // 1: POSIX  ADVISORY  WRITE 11255 fe:00:9980022 1073741824 1073742335
      const [, , , , pid, device] = line.trim().split(/\s+/)
      if (pid !== undefined && Number(pid) > 0 && device?.endsWith(`:${ino}`)) return describeProcess(Number(pid))
    }
  } catch {
    // No such table on this system.
  }
  return `another process (find it with: lsof ${lockPath})`
}

function describeProcess(pid: number): string {
  if (pid === process.pid) return "this very process"
  try {
    return `process ${pid} (${readFileSync(`/proc/${pid}/comm`, "utf8").trim()})`
  } catch {
    return `process ${pid}`
  }
}
