/** What the commands of the log for auditors share: what they read, the format of keys and times, and errors of files. */
import { join } from "node:path"
import { ExportProblem, type VerifiedExport, verifyExport } from "../audit/exported.ts"
import { type NoteKey, parseNoteKey } from "../audit/note.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { exportReader } from "../jobs/auditExport.ts"
import { openStore, type Store } from "../store/store.ts"
import { type CommandBase, refuse } from "./command.ts"

export const time = (ms: number): string => new Date(ms).toISOString()

/** Reads the database beside a node, or without one: anybody who has its password needs no node for it. */
export async function withStore<T>(base: CommandBase, use: (store: Store) => T): Promise<T> {
  const { db } = await base.config()
  using password = await base.passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: true })
  return use(store)
}

/** A day or a moment, as ISO 8601; a day means its beginning, in UTC. */
export function moment(text: string): number {
  const atMs = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(atMs) ? refuse("a time", "2026-01-31 or 2026-01-31T12:00:00Z", text) : atMs
}

export function keyOf(text: string, role: NoteKey["role"]): NoteKey {
  const found = parseNoteKey(text)
  if (found?.role !== role) throw new CosignerError("E-AUD-004", { text: text.slice(0, 200), role })
  return found
}

export function verifiedExport(path: string, options: Parameters<typeof verifyExport>[1]): VerifiedExport {
  try {
    return onFiles(path, () => verifyExport(exportReader(path), options))
  } catch (error) {
    if (!(error instanceof ExportProblem)) throw error
    const isOfExport = options.earlier?.every((one) => one.path !== error.path) ?? true
    throw new CosignerError("E-AUD-005", {
      path: isOfExport ? join(path, error.path) : error.path,
      problem: error.message,
    })
  }
}

/** Adds the path to an error of reading or writing a file. */
export function onFiles<T>(path: string, use: () => T): T {
  try {
    return use()
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    throw new CosignerError("E-AUD-007", { path, why: errorText(error) }, { cause: error })
  }
}
