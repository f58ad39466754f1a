/**
 * What the store needs of a database. Statements are in the SQL that SQLite and Postgres have in common, with `?` for each value; the few
 * expressions that differ are in JsonWords. sqlite.ts and postgres.ts implement it.
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

/** SQL expressions over a column that holds a record as JSON. */
interface JsonWords {
  /** True where the record has the field. */
  has(column: string, field: string): string
  /** The field's text; null where it has none. */
  text(column: string, field: string): string
  /** A table, for FROM, of the texts in the list that is the field's value; its one column is `value`. */
  texts(column: string, field: string, alias: string): string
}

export interface SqlDatabase {
  /** The database's name in errors: a file, or an address without a password. */
  readonly name: string
  readonly json: JsonWords
  /** The condition over `tasks` that selects those that this process works on. */
  ownTasks(): Filter
  /** Reads rows. */
  all<Row>(sql: string, values: readonly SqlValue[]): Promise<readonly Row[]>
  /**
   * Runs the statements in one transaction in the name of the process that serves the store. Durable when it resolves; with "later",
   * at the latest when the next commit does.
   */
  commit(statements: readonly SqlStatement[], durable: "now" | "later"): Promise<void>
  /** One transaction in the name of no process; durable when it resolves. Resolves with how many rows each statement changed. */
  write(statements: readonly SqlStatement[]): Promise<readonly number[]>
  /** The same, but perhaps not durable before the next write after it is. */
  writeBefore(statements: readonly SqlStatement[]): Promise<readonly number[]>
  close(): Promise<void>
}
