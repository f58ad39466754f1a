/** What secrets.db is to SQLite: its table, and the numbers of its first page, which are compared at every start. */
import type { Database } from "bun:sqlite"
import { existsSync, fstatSync, readSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { PAGE } from "./connection.ts"
import { damage, readHead } from "./faults.ts"
import { rollbackGuardPath } from "./rollbackGuard.ts"

/**
 * 2: a seal names the epoch of its subkey (seal.ts). 3: every change is also a leaf of the log for auditors (auditLog.ts). Earlier
 * formats are read, and written after `migrate`, which a start does.
 */
export const FORMAT = 3
const OLDEST_READ = 1
/** "CSGN" in the database header: tells our file from any other SQLite database. */
const APPLICATION_ID = 0x4353474e
const MAGIC = "SQLite format 3\0"
const FIRST_PAGE = "its first page is not as this program writes it"

// Kept word for word by SQLite, and compared word for word at every start.
const SCHEMA = `CREATE TABLE record (
  -- A cosigner secrets file. Do not change anything here: each change is detected and stops the node.
  id BLOB PRIMARY KEY, -- HMAC-SHA256 of the record's kind and name; 32 zero bytes for the clear header
  kind INTEGER NOT NULL,
  version INTEGER NOT NULL,
  seal BLOB NOT NULL, -- AES-256-GCM nonce and tag; before the box, so that a scan does not read the box
  box BLOB NOT NULL -- ciphertext; the header: argon2id parameters, salt and the wrapped data key
) STRICT, WITHOUT ROWID`

/** In an empty file. */
export function defineTable(db: Database): void {
  db.run(`PRAGMA page_size = ${PAGE}`)
  db.run(`PRAGMA application_id = ${APPLICATION_ID}`)
  db.run(`PRAGMA user_version = ${FORMAT}`)
  db.run(SCHEMA)
}

/** Before SQLite sees the file: is it there, and is it one of ours? */
export function checkHead(path: string, readOnly: boolean): void {
  const format = formatOf(path)
  if (format > FORMAT || format < OLDEST_READ) {
    throw new CosignerError("E-STO-006", { path, format, supported: FORMAT })
  }
  if (format < FORMAT && !readOnly) throw new CosignerError("E-STO-032", { path, format, wanted: FORMAT })
  // Now, because SQLite would act on them.
  if (!constantsAsWritten(readHead(path))) throw damage(path, FIRST_PAGE)
}

/** The format of a file of ours, whatever its version. Throws E-STO-002, -005, -007 and -033. */
export function formatOf(path: string): number {
  if (!existsSync(path)) {
    throw new CosignerError(existsSync(rollbackGuardPath(path)) ? "E-STO-033" : "E-STO-002", { path })
  }
  const head = readHead(path)
  if (head.length < 100 && MAGIC.startsWith(head.subarray(0, 16).toString("latin1"))) {
    throw new CosignerError("E-STO-007", { path, bytes: head.length })
  }
  if (head.length < 100 || head.subarray(0, 16).toString("latin1") !== MAGIC) {
    throw new CosignerError("E-STO-005", { path, found: "it is no SQLite database" })
  }
  if (head.readUInt32BE(68) !== APPLICATION_ID) {
    throw new CosignerError("E-STO-005", { path, found: "it is some other SQLite database" })
  }
  return head.readUInt32BE(60)
}

/** After SQLite has settled what a crash cut off. */
export function checkTable(path: string, fd: number, db: Database): void {
  const table = db.query<{ sql: string }, []>("SELECT sql FROM sqlite_schema").get()
  if (table?.sql !== SCHEMA) throw damage(path, "its table is not the one this program makes")
  const page = Buffer.alloc(PAGE)
  readSync(fd, page, 0, PAGE, 0)
  const isSettled = page.readUInt32BE(24) === page.readUInt32BE(92) // both: the number of the last commit
  if (!isSettled || !firstPageAsWritten(page)) throw damage(path, FIRST_PAGE)
  if (fstatSync(fd).size !== PAGE * page.readUInt32BE(28)) throw damage(path, "its length is not the one it names")
}

/** The fields of the SQLite file header that never change here; the offsets are those of its file format document. */
function constantsAsWritten(head: Buffer): boolean {
  const unused = [48, 52, 64, 72, 76, 80, 84, 88]
  return (
    head.readUInt16BE(16) === PAGE &&
    [0x01_01_00_40, 0x02_02_00_40].includes(head.readUInt32BE(18)) && // at rest or in use, no reserved space, 64
    head.readUInt16BE(22) === 0x20_20 && // 32, 32
    head.readUInt32BE(44) === 4 && // schema format
    head.readUInt32BE(56) === 1 && // UTF-8
    unused.every((at) => head.readUInt32BE(at) === 0)
  )
}

/**
 * The first page holds the schema's one row, never rewritten: between its pointer and its text there is nothing but zeros.
 * A second row (a trigger, a view) would have its pointer there.
 */
function firstPageAsWritten(page: Buffer): boolean {
  const textAt = page.readUInt16BE(105)
  return page.subarray(110, textAt).every((byte) => byte === 0)
}
