/** Rows of waas.db: a record as JSON beside the columns that it is searched and ordered by. */
import type { Database, SQLQueryBindings } from "bun:sqlite"
import { hasSums, sumOf } from "./integrity.ts"
import type { PageQuery, Slice } from "./store.ts"

export interface Filter {
  readonly where: string
  readonly values: readonly SQLQueryBindings[]
}

interface StoredRow {
  readonly seq: number
  readonly body: string
}

// The file is this program's own, of a schema version that was checked: what was written is what is read.
export const decode = <T>(body: string): T => JSON.parse(body) as T

export function upsert(
  db: Database,
  table: string,
  id: string,
  columns: Readonly<Record<string, SQLQueryBindings>>,
  body: object,
): void {
  const text = JSON.stringify(body)
  const sum = hasSums(table) ? { sum: sumOf({ id, body: text, ...blobsOf(columns) }) } : {}
  const all = { id, ...columns, body: text, ...sum }
  const names = Object.keys(all)
  const updates = names.filter((name) => name !== "id").map((name) => `${name} = excluded.${name}`)
  const marks = names.map(() => "?").join(", ")
  db.query(
    `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks}) ON CONFLICT (id) DO UPDATE SET ${updates.join(", ")}`,
  ).run(...Object.values(all))
}

const blobsOf = (columns: Readonly<Record<string, SQLQueryBindings>>) => {
  const { document, signature } = columns
  return document instanceof Uint8Array && signature instanceof Uint8Array ? { document, signature } : {}
}

/** Conditions joined by AND, without those whose value is undefined. */
export function all(...conditions: readonly (readonly [sql: string, value: string | undefined])[]): Filter {
  const given = conditions.flatMap(([sql, value]) => (value === undefined ? [] : [{ sql, value }]))
  return { where: given.map(({ sql }) => sql).join(" AND ") || "TRUE", values: given.map(({ value }) => value) }
}

/** A page costs the same however long its list is: of a longer one it tells that it has so many (formats.md 7.3). */
export const MOST_COUNTED = 10_000

export function pageOf<T>(db: Database, table: string, filter: Filter, query: PageQuery): Slice<T> {
  const rows = (extra: string, order: "ASC" | "DESC", limit: number, ...values: number[]): readonly StoredRow[] =>
    db
      .query<StoredRow, SQLQueryBindings[]>(
        `SELECT seq, body FROM ${table} WHERE ${filter.where} ${extra} ORDER BY seq ${order} LIMIT ?`,
      )
      .all(...filter.values, ...values, limit)
  const found = rowsOfPage(rows, query)
  const first = found.at(0)?.seq
  const last = found.at(-1)?.seq
  const count = db
    .query<{ total: number }, SQLQueryBindings[]>(
      `SELECT count(*) AS total FROM (SELECT 1 FROM ${table} WHERE ${filter.where} LIMIT ${MOST_COUNTED})`,
    )
    .get(...filter.values)
  return {
    items: found.map((row) => decode<T>(row.body)),
    before: first !== undefined && rows("AND seq > ?", "ASC", 1, first).length > 0 ? first : undefined,
    after: last !== undefined && rows("AND seq < ?", "DESC", 1, last).length > 0 ? last : undefined,
    total: count?.total ?? 0,
  }
}

type Rows = (extra: string, order: "ASC" | "DESC", limit: number, ...values: number[]) => readonly StoredRow[]

function rowsOfPage(rows: Rows, { limit, after, before }: PageQuery): readonly StoredRow[] {
  if (after !== undefined) return rows("AND seq < ?", "DESC", limit, after)
  if (before === undefined) return rows("", "DESC", limit)
  const upwards = before === "infinity" ? rows("", "ASC", limit) : rows("AND seq > ?", "ASC", limit, before)
  return [...upwards].reverse()
}

/** How the parts of the store read; what SQLite throws is E-WAA-006. */
export interface RowReaders {
  readonly rowOf: <T>(sql: string, ...values: SQLQueryBindings[]) => T | undefined
  readonly rowsOf: <T>(sql: string, ...values: SQLQueryBindings[]) => readonly T[]
  readonly page: <T>(table: string, filter: Filter, query: PageQuery) => Slice<T>
  readonly guarded: <T>(work: () => T) => T
}
