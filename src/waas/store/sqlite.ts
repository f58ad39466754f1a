/**
 * The store on bun:sqlite: one file in WAL mode. A commit is on the disk before it resolves, unless it says "later". Other processes (the
 * `waas key` commands) may write to the file meanwhile, but only one may serve it, which files.ts ensures.
 */
import { Database, type SQLQueryBindings } from "bun:sqlite"
import { chmodSync } from "node:fs"
import { CosignerError } from "../../errors.ts"
import { checkIntegrity } from "./integrity.ts"
import type { Organisation } from "./model.ts"
import { storeOver } from "./records.ts"
import { migrate } from "./schema.ts"
import type { SqlDatabase, SqlStatement } from "./sql.ts"
import type { WaasStore } from "./store.ts"

/** How long a statement waits for another process's write. */
const BUSY_MS = 5_000

/** Opens the file, or creates it (mode 600). An existing file keeps its own organisation. Throws E-WAA-005, E-WAA-006. */
export function createSqliteStore(file: string, organisation: Organisation): WaasStore {
  return guarded(file, () => {
    const db = connect(file, true)
    chmodSync(file, 0o600)
    db.run("INSERT OR IGNORE INTO organisation (only, body) VALUES (1, ?)", [JSON.stringify(organisation)])
    return storeOver(sqliteDatabase(db, file))
  })
}

/** Opens an existing file and migrates it to this version. Throws E-WAA-005, E-WAA-006. */
export const openSqliteStore = (file: string): WaasStore =>
  guarded(file, () => storeOver(sqliteDatabase(connect(file, false), file)))

/** The same for the process that is going to serve the file: checks its records, too (integrity.ts). Also throws E-WAA-015. */
export function openCheckedStore(file: string): WaasStore {
  return guarded(file, () => {
    const db = connect(file, false)
    try {
      checkIntegrity(db, file)
      return storeOver(sqliteDatabase(db, file))
    } catch (error) {
      db.close()
      throw error
    }
  })
}

function connect(file: string, create: boolean): Database {
  const db = new Database(file, { create, readwrite: true, strict: true })
  try {
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`)
    db.run("PRAGMA journal_mode = WAL")
    db.run("PRAGMA synchronous = FULL")
    db.run("PRAGMA foreign_keys = ON")
    migrate(db, file)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function sqliteDatabase(db: Database, file: string): SqlDatabase {
  const write = (statements: readonly SqlStatement[]) => {
    const work = () =>
      statements.map(({ sql, values }) => db.query<unknown, SQLQueryBindings[]>(sql).run(...values).changes)
    return guarded(file, () => db.transaction(work).immediate())
  }
  /** Writes to the WAL without syncing it. The WAL is a sequence, so this is on the disk at the latest with the next synced write. */
  const writeUnsynced = (statements: readonly SqlStatement[]) => {
    db.run("PRAGMA synchronous = NORMAL")
    try {
      return write(statements)
    } finally {
      db.run("PRAGMA synchronous = FULL")
    }
  }
  return {
    name: file,
    json: {
      has: (column, field) => `json_extract(${column}, '$.${field}') IS NOT NULL`,
      text: (column, field) => `json_extract(${column}, '$.${field}')`,
      texts: (column, field, alias) => `json_each(${column}, '$.${field}') AS ${alias}`,
    },
    ownTasks: () => ({ where: "TRUE", values: [] }),
    all: async <Row>(sql: string, values: readonly SQLQueryBindings[]) =>
      guarded(file, () => db.query<Row, SQLQueryBindings[]>(sql).all(...values)),
    async commit(statements, durable) {
      if (durable === "later") writeUnsynced(statements)
      else write(statements)
    },
    write: async (statements) => write(statements),
    writeBefore: async (statements) => writeUnsynced(statements),
    async close() {
      db.close()
    },
  }
}

/** Runs `work`. An error of SQLite becomes E-WAA-006; any other error stays as it is. */
export function guarded<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof CosignerError) throw error
    if (error instanceof Error && error.name === "SQLiteError") {
      throw new CosignerError("E-WAA-006", { file, problem: error.message }, { cause: error })
    }
    throw error
  }
}
