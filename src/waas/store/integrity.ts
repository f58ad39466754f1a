/**
 * A checksum beside each record, so that bytes that changed on the disk are noticed: SQLite notices damage to the structure of its pages,
 * not to the text in them. It does not protect against anybody who can write the file.
 */
import type { Database } from "bun:sqlite"
import { concat, toHex, utf8 } from "../../bytes.ts"
import { block } from "../../codec.ts"
import { sha256 } from "../../crypto/frame.ts"
import { CosignerError } from "../../errors.ts"
import type { SqlDatabase } from "./sql.ts"

/** Tables whose records have sums. A migration that changes bodies must empty the sums of their table. */
const TABLES = ["vaults", "holder_groups", "tss_requests", "sign_requests", "share_sign_requests", "tasks"] as const

/** How many of the latest rows of a table are checked; live tasks are checked however old they are. */
const MOST_OF_HISTORY = 20_000

interface SummedRow {
  readonly id: string
  readonly body: string
  readonly document?: Uint8Array
  readonly signature?: Uint8Array
}

export const hasSums = (table: string): boolean => TABLES.some((one) => one === table)

/** The first 16 bytes of SHA-256 in hex, over id and body and, of a task, its document and signature. */
export const sumOf = ({ id, body, document, signature }: SummedRow): string =>
  toHex(sha256(concat(...[utf8(id), utf8(body), document ?? NOTHING, signature ?? NOTHING].map(block))).subarray(0, 16))

const NOTHING = new Uint8Array(0)

/** Checks pages and sums of what a start depends on. Throws E-WAA-006 for a damaged page, E-WAA-015 for a record that changed. */
export function checkIntegrity(db: Database, file: string): void {
  const found = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get()
  if (found?.quick_check !== "ok") {
    throw new CosignerError("E-WAA-006", { file, problem: `it is damaged: ${found?.quick_check ?? "no answer"}` })
  }
  for (const part of SUMMED) {
    for (const row of db.query<StoredSum, number[]>(sqlOf(part)).iterate(NEWEST, part.most))
      compare(part.table, row, file)
  }
}

/** Checks the sums alone, for a database that checks its pages itself. Throws E-WAA-015. */
export async function checkSums(db: SqlDatabase): Promise<void> {
  for (const { most, ...part } of SUMMED) {
    let before: StoredSum["seq"] | undefined = NEWEST
    for (let left = most; before !== undefined && left > 0; left -= AT_ONCE) {
      const rows: readonly StoredSum[] = await db.all<StoredSum>(sqlOf(part), [before, Math.min(left, AT_ONCE)])
      for (const row of rows) compare(part.table, row, db.name)
      before = rows.at(-1)?.seq
    }
  }
}

/** How many rows are read at a time: a task with its payloads may have megabytes. */
const AT_ONCE = 100
const NEWEST = Number.MAX_SAFE_INTEGER

interface StoredSum extends SummedRow {
  /** Text from Postgres, whose BIGINT exceeds a number's range. */
  readonly seq: number | string
  readonly sum: string
}

interface SummedPart {
  readonly table: string
  readonly where: string
  readonly most: number
}

const SUMMED: readonly SummedPart[] = [
  ...TABLES.map((table) => ({ table, where: "TRUE", most: MOST_OF_HISTORY })),
  { table: "tasks", where: "live = 1", most: NEWEST },
]

/** Selects the newest rows with a `seq` below the first value; at most as many as the second. */
function sqlOf({ table, where }: Pick<SummedPart, "table" | "where">): string {
  const blobs = table === "tasks" ? ", document, signature" : ""
  return `SELECT seq, id, body, sum${blobs} FROM ${table} WHERE ${where} AND seq < ? ORDER BY seq DESC LIMIT ?`
}

function compare(table: string, row: StoredSum, file: string): void {
  // A record of an earlier release has no sum until it is written again.
  if (row.sum !== "" && row.sum !== sumOf(row)) throw new CosignerError("E-WAA-015", { file, table, id: row.id })
}
