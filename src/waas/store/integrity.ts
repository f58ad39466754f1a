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
  for (const { table, sql } of SUMMED) {
    for (const row of db.query<StoredSum, []>(sql).iterate()) compare(table, row, file)
  }
}

/** The same where pages are somebody else's matter. Throws E-WAA-015. */
export async function checkSums(db: SqlDatabase): Promise<void> {
  for (const { table, sql } of SUMMED) for (const row of await db.all<StoredSum>(sql, [])) compare(table, row, db.name)
}

type StoredSum = SummedRow & { readonly sum: string }

const SUMMED: readonly { readonly table: string; readonly sql: string }[] = TABLES.flatMap((table) => {
  const blobs = table === "tasks" ? ", document, signature" : ""
  const latest = `SELECT id, body, sum${blobs} FROM ${table} ORDER BY seq DESC LIMIT ${MOST_OF_HISTORY}`
  const live = `SELECT id, body, sum${blobs} FROM tasks WHERE live = 1`
  return (table === "tasks" ? [latest, live] : [latest]).map((sql) => ({ table, sql }))
})

function compare(table: string, row: StoredSum, file: string): void {
  // A record of an earlier release has no sum before it is written again.
  if (row.sum !== "" && row.sum !== sumOf(row)) throw new CosignerError("E-WAA-015", { file, table, id: row.id })
}
