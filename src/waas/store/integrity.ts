/**
 * A sum beside each record, so that bytes which changed on the disk are noticed: SQLite sees damage of its pages, and not of the text
 * in them. No protection against whoever can write the file.
 */
import type { Database } from "bun:sqlite"
import { concat, toHex, utf8 } from "../../bytes.ts"
import { block } from "../../codec.ts"
import { sha256 } from "../../crypto/frame.ts"
import { CosignerError } from "../../errors.ts"
import type { SqlDatabase } from "./sql.ts"

/** Tables whose records have sums. A migration that changes a body empties the sums of its table. */
const TABLES = ["vaults", "holder_groups", "tss_requests", "sign_requests", "share_sign_requests", "tasks"] as const

/** Of the long histories so many of the latest are looked at, and whatever still lives. */
const MOST_OF_HISTORY = 20_000

interface SummedRow {
  readonly id: string
  readonly body: string
  readonly document?: Uint8Array
  readonly signature?: Uint8Array
}

export const hasSums = (table: string): boolean => TABLES.some((one) => one === table)

/** 32 hex digits over the record and, of a task, the document that was signed. */
export const sumOf = ({ id, body, document, signature }: SummedRow): string =>
  toHex(sha256(concat(...[utf8(id), utf8(body), document ?? NOTHING, signature ?? NOTHING].map(block))).subarray(0, 16))

const NOTHING = new Uint8Array(0)

/** Reads what a start depends on, and compares. Throws E-WAA-006 for a damaged page, E-WAA-015 for a record that changed. */
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

/** The same where pages are somebody else's matter. Throws E-WAA-015. */
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

/** Rows that are in memory at one time: a task with its payloads may have megabytes. */
const AT_ONCE = 100
const NEWEST = Number.MAX_SAFE_INTEGER

interface StoredSum extends SummedRow {
  /** A text where the database has numbers that are larger than ours. */
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

/** The latest before a place in the order of creation, at most so many. */
function sqlOf({ table, where }: Pick<SummedPart, "table" | "where">): string {
  const blobs = table === "tasks" ? ", document, signature" : ""
  return `SELECT seq, id, body, sum${blobs} FROM ${table} WHERE ${where} AND seq < ? ORDER BY seq DESC LIMIT ?`
}

function compare(table: string, row: StoredSum, file: string): void {
  // A record of an earlier release has no sum before it is written again.
  if (row.sum !== "" && row.sum !== sumOf(row)) throw new CosignerError("E-WAA-015", { file, table, id: row.id })
}
