/** The SQLite side of secrets.db: its table, and the constants of its first page, which every start compares. */
import type { Database } from "bun:sqlite"
import { existsSync, fstatSync, readSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { PAGE } from "./connection.ts"
import { damage, readHead } from "./faults.ts"
import { rollbackGuardPath } from "./rollbackGuard.ts"

/**
 * The format that this version writes. 2: a seal names the epoch of its subkey (seal.ts). 3: decisions are also leaves of the log for
 * auditors (auditLog.ts). Earlier formats can be read; to be written they are migrated first (migrate.ts), which a start does.
 */
export const FORMAT = 3
const OLDEST_READ = 1
/** "CSGN" in the database header: tells our file from any other SQLite database. */
const APPLICATION_ID = 0x4353474e
const MAGIC = "SQLite format 3\0"
const FIRST_PAGE = "its first page is not as this program writes it"

// SQLite keeps this text as it is, comments included, and every start compares it.
const SCHEMA = `CREATE TABLE record (
  -- A cosigner secrets file. Do not change anything here: each change is detected and stops the node.
  id BLOB PRIMARY KEY, -- HMAC-SHA256 of the record's kind and name; 32 zero bytes for the clear header
  kind INTEGER NOT NULL,
  version INTEGER NOT NULL,
  seal BLOB NOT NULL, -- AES-256-GCM nonce and tag; before the box, so that a scan does not read the box
  box BLOB NOT NULL -- ciphertext; the header: argon2id parameters, salt and the wrapped data key
) STRICT, WITHOUT ROWID`

/** Defines table and format in an empty database. */
export function defineTable(db: Database): void {
  db.run(`PRAGMA page_size = ${PAGE}`)
  db.run(`PRAGMA application_id = ${APPLICATION_ID}`)
  db.run(`PRAGMA user_version = ${FORMAT}`)
  db.run(SCHEMA)
}

/** Checks the header before SQLite opens the file. Throws E-STO-006 or -032 for another format, and what formatOf throws. */
export function checkHead(path: string, readOnly: boolean): void {
  const format = formatOf(path)
  if (format > FORMAT || format < OLDEST_READ) {
    throw new CosignerError("E-STO-006", { path, format, supported: FORMAT })
  }
  if (format < FORMAT && !readOnly) throw new CosignerError("E-STO-032", { path, format, wanted: FORMAT })
  // Before SQLite opens the file, because it would act on these fields.
  if (!constantsAsWritten(readHead(path))) throw damage(path, FIRST_PAGE)
}

/** The format of a secrets file of any version. Throws E-STO-002 or -033 if there is none, E-STO-005 if it is another file, E-STO-007. */
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

/** Checks table and first page, after SQLite has finished or undone what a crash cut off. Throws E-STO-007 and -008. */
export function checkTable(path: string, fd: number, db: Database): void {
  const table = db.query<{ sql: string }, []>("SELECT sql FROM sqlite_schema").get()
  if (table?.sql !== SCHEMA) throw damage(path, "its table is not the one this program makes")
  const page = Buffer.alloc(PAGE)
  readSync(fd, page, 0, PAGE, 0)
  const isSettled = page.readUInt32BE(24) === page.readUInt32BE(92) // both: the number of the last commit
  if (!isSettled || !firstPageAsWritten(page)) throw damage(path, FIRST_PAGE)
  if (fstatSync(fd).size !== PAGE * page.readUInt32BE(28)) throw damage(path, "its length is not the one it names")
}

/** True if the constant fields of the SQLite file header have our values. Offsets: sqlite.org/fileformat2.html, 1.3. */
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
 * True if the first page holds one schema row only. That row is never rewritten, so only zeros are between the cell pointer array and the
 * row. A second row (a trigger, a view) would have its pointer there.
 */
function firstPageAsWritten(page: Buffer): boolean {
  const textAt = page.readUInt16BE(105)
  return page.subarray(110, textAt).every((byte) => byte === 0)
}
