/**
 * Copies of waas.db: makes a consistent copy while a WaaS serves the database, and turns a copy into a database again, after checking it.
 */
import { Database } from "bun:sqlite"
import { CosignerError } from "../../errors.ts"
import { checkIntegrity } from "./integrity.ts"
import { migrate } from "./schema.ts"
import { guarded } from "./sqlite.ts"

/** How much a copy holds, for people and to compare two copies. */
interface CopyCounts {
  readonly vaults: number
  readonly groups: number
  readonly requests: number
  readonly tasks: number
}

/** Which WaaS the copy is of, and how far it had come. */
interface CopyToken {
  readonly incarnation: number
  readonly mark: number
}

interface DatabaseCopy {
  readonly counts: CopyCounts
  readonly token: CopyToken
}

/** Copies the database as it is at one moment. A WaaS may write to it meanwhile, and need not wait. Throws E-WAA-006. */
export function copyDatabase(from: string, to: string): void {
  guarded(from, () => {
    const db = new Database(from, { readwrite: true, create: false, strict: true })
    try {
      db.run("PRAGMA busy_timeout = 30000")
      db.run("VACUUM INTO ?", [to])
    } finally {
      db.close()
    }
  })
}

/**
 * Brings a copy to this version's schema and checks everything that a start depends on. `newest` makes it the newest of all copies, above
 * any that a node has followed (formats.md 14.1). Leaves no other file beside it. Throws E-WAA-005, E-WAA-006 and E-WAA-015.
 */
export function openCopy(file: string, newest?: { readonly nowMs: number }): DatabaseCopy {
  return guarded(file, () => {
    const db = new Database(file, { readwrite: true, create: false, strict: true })
    try {
      // Without a write-ahead log beside it, the file is complete by itself and can be renamed.
      db.run("PRAGMA journal_mode = DELETE")
      db.run("PRAGMA synchronous = FULL")
      migrate(db, file)
      checkIntegrity(db, file)
      if (newest !== undefined) {
        const sql = `UPDATE waas_token SET incarnation = max(incarnation + 1, ?), mark = mark + 1, mark_id = randomblob(16)`
        db.run(sql, [newest.nowMs])
      }
      const token = db.query<CopyToken, []>("SELECT incarnation, mark FROM waas_token").get()
      if (token === null) throw new CosignerError("E-WAA-006", { file, problem: "its token is missing" })
      return { counts: countsOf(db), token: { incarnation: token.incarnation, mark: token.mark } }
    } finally {
      db.close()
    }
  })
}

function countsOf(db: Database): CopyCounts {
  const count = (table: string): number =>
    db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0
  return {
    vaults: count("vaults"),
    groups: count("holder_groups"),
    requests: count("sign_requests") + count("tss_requests") + count("share_sign_requests"),
    tasks: count("tasks"),
  }
}
