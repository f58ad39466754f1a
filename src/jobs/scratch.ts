/**
 * Scratch folders hold copies of a database for the seconds in which a backup is written or proven. Each has an
 * operating-system lock as long as its process lives, so the next run knows which folders a killed process left behind, and removes them.
 */
import { lstatSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { writing } from "../backup/faults.ts"
import { PARTIAL } from "../backup/file.ts"
import { CosignerError, isCode } from "../errors.ts"
import { errnoOf, makeFolder } from "../files.ts"
import { lockProcess } from "../store/lock.ts"
import { COPY_FOLDER, clearStaleCopies } from "../store/privateCopy.ts"

const SCRATCH = ".cosigner-scratch-"
const LOCK = "in-use"
const UNPROVEN = ".unproven"

interface ScratchFolder extends Disposable {
  readonly path: string
}

/** The name of a backup that waits for its proof: every file with a backup's name was proven. */
export const unprovenOf = (path: string): string => join(dirname(path), `.${basename(path)}${UNPROVEN}`)

/** A folder beside the backups for the snapshot, on the disk that has room for them. Dispose it. Throws E-BAK-008 to -010. */
export function scratchBeside(path: string, nowMs: number): ScratchFolder {
  const folder = dirname(path)
  return writing(path, () => {
    makeFolder(folder)
    if (!clearScratch(folder, nowMs)) clearDrafts(folder)
    return scratchIn(folder)
  })
}

/** A folder to prove that backup in: in the system's folder for temporary files (TMPDIR), or beside it. Throws E-BAK-024. */
export function scratchToProve(path: string, nowMs: number): ScratchFolder {
  const tried: string[] = []
  for (const folder of [tmpdir(), dirname(path)]) {
    try {
      clearScratch(folder, nowMs)
      return scratchIn(folder)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      tried.push(`${folder} (${errno})`)
    }
  }
  throw new CosignerError("E-BAK-024", { path, tried })
}

function scratchIn(folder: string): ScratchFolder {
  const made = mkdtempSync(join(folder, COPY_FOLDER))
  let lock: Disposable | undefined
  try {
    lock = lockProcess(join(made, LOCK))
    const path = join(folder, basename(made).replace(COPY_FOLDER, SCRATCH))
    renameSync(made, path)
    const held = lock
    return {
      path,
      [Symbol.dispose]() {
        rmSync(path, { recursive: true, force: true })
        held[Symbol.dispose]()
      },
    }
  } catch (error) {
    lock?.[Symbol.dispose]()
    rmSync(made, { recursive: true, force: true })
    throw error
  }
}

/** Removes what killed processes of this user left behind. Returns whether a living process has a scratch folder there. */
function clearScratch(folder: string, nowMs: number): boolean {
  const uid = process.getuid?.()
  // A process takes its lock within a moment; until then its folder has the name of a copy in the making.
  let isAnyAlive = clearStaleCopies(folder, nowMs)
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    const stat = name.startsWith(SCRATCH) ? lstatSync(path, { throwIfNoEntry: false }) : undefined
    if (stat === undefined || !stat.isDirectory() || (uid !== undefined && stat.uid !== uid)) continue
    if (isLocked(join(path, LOCK))) isAnyAlive = true
    else rmSync(path, { recursive: true, force: true })
  }
  return isAnyAlive
}

function isLocked(path: string): boolean {
  try {
    lockProcess(path)[Symbol.dispose]()
    return false
  } catch (error) {
    if (isCode(error, "E-STO-003")) return true
    throw error
  }
}

/** Removes files that were begun and never proven. Only called while nobody writes or proves one. */
function clearDrafts(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (name.startsWith(".") && (name.endsWith(UNPROVEN) || name.endsWith(PARTIAL))) {
      rmSync(join(folder, name), { recursive: true, force: true })
    }
  }
}
