/** Rows of the store: each holds a record as JSON, and columns by which records are searched and ordered. */
import { hasSums, sumOf } from "./integrity.ts"
import type { Filter, SqlDatabase, SqlStatement, SqlValue } from "./sql.ts"
import type { PageQuery, Slice } from "./store.ts"

interface StoredRow {
  /** Text from Postgres, whose BIGINT exceeds a number's range. */
  readonly seq: number | string
  readonly body: string
}

/** The JSON as a `T`, unchecked: the database is this program's own, and its schema version was checked. */
export const decode = <T>(body: string): T => JSON.parse(body) as T

export async function rowOf<T>(db: SqlDatabase, sql: string, ...values: SqlValue[]): Promise<T | undefined> {
  return (await rowsOf<T>(db, sql, ...values))[0]
}

export async function rowsOf<T>(db: SqlDatabase, sql: string, ...values: SqlValue[]): Promise<readonly T[]> {
  const rows = await db.all<{ readonly body: string }>(sql, values)
  return rows.map((row) => decode<T>(row.body))
}

/** Inserts the record's row, or replaces the row with its id. */
export function upsert(
  table: string,
  id: string,
  columns: Readonly<Record<string, SqlValue>>,
  body: object,
): SqlStatement {
  const text = JSON.stringify(body)
  const sum = hasSums(table) ? { sum: sumOf({ id, body: text, ...blobsOf(columns) }) } : {}
  const all = { id, ...columns, body: text, ...sum }
  const names = Object.keys(all)
  const updates = names.filter((name) => name !== "id").map((name) => `${name} = excluded.${name}`)
  const marks = names.map(() => "?").join(", ")
  return {
    sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks}) ON CONFLICT (id) DO UPDATE SET ${updates.join(", ")}`,
    values: Object.values(all),
  }
}

const blobsOf = (columns: Readonly<Record<string, SqlValue>>) => {
  const { document, signature } = columns
  return document instanceof Uint8Array && signature instanceof Uint8Array ? { document, signature } : {}
}

/** The conditions joined by AND, without those whose value is undefined. */
export function all(...conditions: readonly (readonly [sql: string, value: string | undefined])[]): Filter {
  const given = conditions.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value }]))
  return { where: given.map(({ sql }) => sql).join(" AND ") || "TRUE", values: given.map(({ value }) => value) }
}

/** `total` counts no further than this, so that a page of a long list costs no more than one of a short list (formats.md 7.3). */
export const MOST_COUNTED = 10_000

type Rows = (extra: string, order: "ASC" | "DESC", limit: number, ...values: number[]) => Promise<readonly StoredRow[]>

/** One page of the rows that `filter` selects, newest first, and whether there are pages before and after it. */
export async function pageOf<T>(db: SqlDatabase, table: string, filter: Filter, query: PageQuery): Promise<Slice<T>> {
  const rows: Rows = (extra, order, limit, ...values) =>
    db.all<StoredRow>(`SELECT seq, body FROM ${table} WHERE ${filter.where} ${extra} ORDER BY seq ${order} LIMIT ?`, [
      ...filter.values,
      ...values,
      limit,
    ])
  const found = await rowsOfPage(rows, query)
  const first = found.at(0)?.seq
  const last = found.at(-1)?.seq
  const [newer, older, count] = await Promise.all([
    first === undefined ? [] : rows("AND seq > ?", "ASC", 1, Number(first)),
    last === undefined ? [] : rows("AND seq < ?", "DESC", 1, Number(last)),
    db.all<{ readonly total: number | string }>(
      `SELECT count(*) AS total FROM (SELECT 1 FROM ${table} WHERE ${filter.where} LIMIT ${MOST_COUNTED}) AS counted`,
      filter.values,
    ),
  ])
  return {
    items: found.map((row) => decode<T>(row.body)),
    before: newer.length > 0 ? Number(first) : undefined,
    after: older.length > 0 ? Number(last) : undefined,
    total: Number(count[0]?.total ?? 0),
  }
}

async function rowsOfPage(rows: Rows, { limit, after, before }: PageQuery): Promise<readonly StoredRow[]> {
  if (after !== undefined) return rows("AND seq < ?", "DESC", limit, after)
  if (before === undefined) return rows("", "DESC", limit)
  const upwards = await (before === "infinity" ? rows("", "ASC", limit) : rows("AND seq > ?", "ASC", limit, before))
  return [...upwards].reverse()
}
