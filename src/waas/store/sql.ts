/**
 * What the store asks of a database: statements that SQLite and Postgres both understand, with `?` for each value, and the few
 * expressions that they spell in two ways. sqlite.ts and postgres.ts carry them out.
 */

export type SqlValue = string | number | null | Uint8Array

export interface SqlStatement {
  readonly sql: string
  readonly values: readonly SqlValue[]
}

/** A condition, and the values in it. */
export interface Filter {
  readonly where: string
  readonly values: readonly SqlValue[]
}

/** Expressions over a column that holds a record as JSON. */
interface JsonWords {
  /** True where the record has the field. */
  has(column: string, field: string): string
  /** The field's text; null where it has none. */
  text(column: string, field: string): string
  /** A table of the texts in the record's list, with the one column `value`. */
  texts(column: string, field: string, alias: string): string
}

export interface SqlDatabase {
  /** How errors call it: a file, or an address without a password. */
  readonly name: string
  readonly json: JsonWords
  /** Over `tasks`: those that are this process's to work on. */
  ownTasks(): Filter
  all<Row>(sql: string, values: readonly SqlValue[]): Promise<readonly Row[]>
  /** Records: all or nothing, and durable when it resolves; "later": at the latest with the next commit. */
  commit(statements: readonly SqlStatement[], durable: "now" | "later"): Promise<void>
  /** The same for what may be written beside whoever serves the store: how many rows each of them changed. */
  write(statements: readonly SqlStatement[]): Promise<readonly number[]>
  /** The same for what guards effects: durable before anything that is written after it, and perhaps not sooner. */
  writeBefore(statements: readonly SqlStatement[]): Promise<readonly number[]>
  close(): Promise<void>
}
