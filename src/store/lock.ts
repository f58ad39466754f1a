/**
 * At most one writing process per file: an operating-system lock on `<file>.lock`. It is taken through SQLite because the runtime has no
 * portable call for such a lock. The lock ends with the process, so a crash leaves no stale lock. Readers do not need it.
 */
import { Database } from "bun:sqlite"
import { chmodSync, existsSync, readFileSync, realpathSync, statSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { CosignerError } from "../errors.ts"
import { asFault, isBusy } from "./faults.ts"

/** Takes the lock and holds it until disposed. Throws E-STO-003 with the holder's name if another process has it, and E-STO-031. */
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

/** Beside the real file: symbolic links to one file must not lead to two locks. */
function lockPathOf(path: string): string {
  try {
    const file = existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
    return `${file}.lock`
  } catch (error) {
    throw asFault(error, path, "lock")
  }
}

/**
 * Throws E-STO-031 for a file with more than one hard link. Each link would have a lock of its own, so two processes could write to one
 * file. The link count is the same under every name, so the check works from each of them.
 */
function requireOneName(path: string): void {
  if (!existsSync(path)) return
  const { nlink } = statSync(path)
  if (nlink > 1) throw new CosignerError("E-STO-031", { path, names: nlink })
}

/** The process that holds the lock. Linux lists it in /proc/locks; elsewhere the answer is a command that finds it. */
function holderOf(lockPath: string): string {
  try {
    const { ino } = statSync(lockPath)
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      // 1: POSIX  ADVISORY  WRITE 11255 fe:00:9980022 1073741824 1073742335
      const [, , , , pid, device] = line.trim().split(/\s+/)
      if (pid !== undefined && Number(pid) > 0 && device?.endsWith(`:${ino}`)) return describeProcess(Number(pid))
    }
  } catch {
    // There is no /proc/locks on this system.
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
