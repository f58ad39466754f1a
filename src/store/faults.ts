/** Translates the errors of SQLite and of the file system into our error codes. */
import { closeSync, openSync, readSync, statSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"

/** Offset in SQLite's file header of the database size in pages. */
const PAGE_COUNT_AT = 28

/** SQLite's code, for example `SQLITE_IOERR_WRITE`; undefined if the error is not SQLite's. */
export function sqliteCode(error: unknown): string | undefined {
  const code = errnoOf(error)
  return code?.startsWith("SQLITE_") ? code : undefined
}

/** True if another process or connection holds the lock. */
export const isBusy = (error: unknown): boolean => sqliteCode(error)?.startsWith("SQLITE_BUSY") === true

/** Our error for a failure to `action` ("open", "write to") the file. Other errors, and ours, are returned unchanged. */
export function asFault(error: unknown, path: string, action: string): unknown {
  const cause = errnoOf(error)
  if (error instanceof CosignerError || cause === undefined) return error
  const options = { cause: error }
  switch (family(cause)) {
    case "full":
      return new CosignerError("E-STO-013", { path, action }, options)
    case "denied":
      return new CosignerError("E-STO-014", { path, action, cause }, options)
    case "busy":
      return new CosignerError("E-STO-016", { path, action }, options)
    case "damaged":
      return damage(path, `its pages do not fit together (${cause})`, options)
    case "io":
      return new CosignerError("E-STO-015", { path, action, cause }, options)
    case undefined:
      return error
  }
}

function family(cause: string): "full" | "denied" | "busy" | "damaged" | "io" | undefined {
  if (/^(?:SQLITE_FULL|ENOSPC|EDQUOT|EFBIG)/.test(cause)) return "full"
  if (/^(?:SQLITE_READONLY|SQLITE_PERM|SQLITE_AUTH|SQLITE_CANTOPEN|EACCES|EPERM|EROFS)/.test(cause)) return "denied"
  if (/^SQLITE_(?:BUSY|LOCKED)/.test(cause)) return "busy"
  if (/^SQLITE_(?:CORRUPT|NOTADB|SCHEMA|ERROR|MISMATCH)/.test(cause)) return "damaged"
  if (/^(?:SQLITE_|E[A-Z]+$)/.test(cause)) return "io"
  return undefined
}

/** E-STO-007 if the file is shorter than its header says, otherwise E-STO-008. */
export function damage(path: string, where: string, options?: { readonly cause: unknown }): CosignerError {
  const bytes = missingEnd(path)
  if (bytes !== undefined) return new CosignerError("E-STO-007", { path, bytes }, options)
  return new CosignerError("E-STO-008", { path, where }, options)
}

/** The size of a file that is shorter than its header says; otherwise undefined. */
function missingEnd(path: string): number | undefined {
  try {
    const { size } = statSync(path)
    const head = readHead(path)
    const pageSize = head.readUInt16BE(16)
    return size < pageSize * head.readUInt32BE(PAGE_COUNT_AT) ? size : undefined
  } catch {
    return undefined
  }
}

/** The first `length` bytes, or fewer if the file is shorter. SQLite's header has 100. */
export function readHead(path: string, length = 100): Buffer {
  const file = openSync(path, "r")
  try {
    const head = Buffer.alloc(length)
    return head.subarray(0, readSync(file, head, 0, length, 0))
  } finally {
    closeSync(file)
  }
}
