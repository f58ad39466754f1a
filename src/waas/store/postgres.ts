/**
 * The store on Postgres, with the client of the runtime. When the database is away, reads are retried for a while, and commits until their
 * fate is known. Each commit has a number, by which the database carries out none twice, and none that arrives late. A process that was
 * declared dead (replica.ts) commits nothing more.
 */
import { SQL, type TransactionSQL } from "bun"
import { CosignerError } from "../../errors.ts"
import { sleep } from "../../sleep.ts"
import type { Organisation } from "./model.ts"
import { PostgresConnections } from "./postgresConnections.ts"
import { asStoreError, isAway, isNotLetIn, NoAnswer, problemOf } from "./postgresErrors.ts"
import { migratePostgres } from "./postgresSchema.ts"
import { clientOptions, type PostgresSettings, shownStore } from "./postgresSettings.ts"
import type { Filter, SqlDatabase, SqlStatement, SqlValue } from "./sql.ts"

/** How long an answer may take: longer than the server lets a statement run (postgresSettings.ts). */
const ANSWER_MS = 15_000
/** How long a read is retried. Its caller may retry, too. */
const READ_MS = 2_000
/** For commits: one may have been carried out although its answer was lost, so it is retried until the database says what became of it. */
const UNTIL_KNOWN = Number.POSITIVE_INFINITY
/** The pause before the first retry; doubled each time. */
const PAUSE_MS = 50
const MOST_PAUSE_MS = 1_000

const ALL_TASKS: Filter = { where: "TRUE", values: [] }

type Work<T> = (sql: SQL) => Promise<T>

interface AskOptions {
  /** How long to retry while the database is away. */
  readonly limitMs: number
  /** How long one try may take; absent: ANSWER_MS. */
  readonly answerMs?: number
  /** Absent: the connections of all work but the heartbeat. */
  readonly over?: PostgresConnections
}

export class Postgres implements SqlDatabase {
  readonly name: string
  readonly json = {
    has: (column: string, field: string) => `(${column}::json -> '${field}') IS NOT NULL`,
    text: (column: string, field: string) => `(${column}::json ->> '${field}')`,
    texts: (column: string, field: string, alias: string) =>
      `json_array_elements_text(${column}::json -> '${field}') AS ${alias} (value)`,
  }
  readonly #options: Bun.SQL.PostgresOrMySQLOptions
  readonly #closing = new AbortController()
  readonly #connections: PostgresConnections
  /** One connection for the heartbeat alone: no other work delays it, and replacing it disturbs no other work. */
  readonly #heartbeat: PostgresConnections
  /** Whether the last heartbeat got no answer. */
  #wasSilent = false
  /** The replica in whose name commits are made, and the number of its last one; undefined if this process does not serve the store. */
  #replica: { readonly id: string; numbered: number } | undefined
  #commits: Promise<unknown> = Promise.resolve()
  #away: CosignerError | undefined

  constructor(settings: PostgresSettings) {
    this.name = shownStore(settings)
    this.#options = clientOptions(settings)
    this.#connections = new PostgresConnections(this.#options, this.#closing.signal)
    this.#heartbeat = new PostgresConnections({ ...this.#options, max: 1 }, this.#closing.signal)
  }

  /** Makes commits in the name of this replica from now on: they fail with E-WAA-074 once it was declared dead. */
  commitAs(replicaId: string): void {
    this.#replica = { id: replicaId, numbered: 0 }
  }

  ownTasks(): Filter {
    return this.#replica === undefined ? ALL_TASKS : { where: "replica = ?", values: [this.#replica.id] }
  }

  /** E-WAA-070 while the database does not answer. */
  away(): CosignerError | undefined {
    return this.#away
  }

  async all<Row>(sql: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.#asked((client) => client.unsafe<Row[]>(numbered(sql), [...values]), { limitMs: READ_MS })
  }

  /** Runs the statement that shows that this process lives, on a connection of its own. Fails after `answerMs` without an answer. */
  async heartbeat<Row>(sql: string, values: readonly SqlValue[], answerMs: number): Promise<readonly Row[]> {
    const asking = { limitMs: 0, answerMs, over: this.#heartbeat }
    try {
      const rows = await this.#asked((client) => client.unsafe<Row[]>(numbered(sql), [...values]), asking)
      // The heartbeat got no answer on the connection before, and has one on a new one: the connections of other work hang as well.
      if (this.#wasSilent) this.#connections.leave()
      this.#wasSilent = false
      return rows
    } catch (error) {
      if (error instanceof CosignerError && error.cause instanceof NoAnswer) this.#wasSilent = true
      throw error
    }
  }

  /** Never retried: some of these statements must not run twice. */
  async write(statements: readonly SqlStatement[]): Promise<readonly number[]> {
    return this.#asked(
      (client) =>
        client.begin(async (tx) => (await all(tx, statements)).map(({ count }: { readonly count: number }) => count)),
      { limitMs: 0 },
    )
  }

  writeBefore(statements: readonly SqlStatement[]): Promise<readonly number[]> {
    return this.write(statements)
  }

  commit(statements: readonly SqlStatement[]): Promise<void> {
    const done = this.#commits.then(() => this.#commit(statements))
    this.#commits = done.catch(() => {})
    return done
  }

  /** Ends all waiting for a database that is away: whatever hangs fails now. */
  giveUp(): void {
    this.#closing.abort()
  }

  async close(): Promise<void> {
    this.giveUp()
    await Promise.all([this.#connections.close(), this.#heartbeat.close()])
  }

  /** Runs `work` on one connection that nothing else uses meanwhile. Never retried. */
  async reserved<T>(work: (connection: Awaited<ReturnType<SQL["reserve"]>>) => Promise<T>): Promise<T> {
    return this.#asked(
      async (client) => {
        const connection = await client.reserve()
        try {
          return await work(connection)
        } finally {
          connection.release()
        }
      },
      { limitMs: 0 },
    )
  }

  /** A client of its own for news: they wait for no other work, and a NOTIFY need not wait for the disk. */
  newsClient(): SQL {
    const { connection, ...options } = this.#options
    return new SQL({ ...options, max: 1, connection: { ...connection, synchronous_commit: "off" } })
  }

  /** Runs `work` in one transaction. Never retried. */
  async transaction<T>(work: (tx: TransactionSQL) => Promise<T>): Promise<T> {
    return this.#asked((client) => client.begin(work), { limitMs: 0 })
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  async #commit(statements: readonly SqlStatement[]): Promise<void> {
    const replica = this.#replica
    if (replica === undefined) {
      await this.write(statements)
      return
    }
    // A commit that was given up may have been carried out, so its number is never used again.
    const number = ++replica.numbered
    await this.#asked(
      (client) =>
        client.begin(async (tx) => {
          if (await isTurn(tx, replica.id, number, this.name)) await all(tx, statements)
        }),
      { limitMs: UNTIL_KNOWN },
    )
  }

  /** Runs `work`, again while the database is away. Throws E-WAA-070 (away), -071 (refused), -086; other errors of `work` as they are. */
  async #asked<T>(work: Work<T>, { limitMs, answerMs = ANSWER_MS, over = this.#connections }: AskOptions): Promise<T> {
    const startedAt = performance.now()
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MOST_PAUSE_MS)) {
      try {
        const found = await over.within(answerMs, work)
        this.#away = undefined
        return found
      } catch (error) {
        const isNoAnswer = isAway(error) || (limitMs === UNTIL_KNOWN && isNotLetIn(error))
        if (!isNoAnswer) throw asStoreError(error, this.name)
        this.#away = new CosignerError("E-WAA-070", { store: this.name, problem: problemOf(error) })
        const isOver = performance.now() - startedAt + pauseMs > limitMs || this.#closing.signal.aborted
        if (isOver) throw asStoreError(error, this.name)
        await sleep(pauseMs, this.#closing.signal)
      }
    }
  }
}

/** Whether this commit still has to be carried out; false if it was already. Throws E-WAA-074 for a replica that was declared dead. */
async function isTurn(tx: TransactionSQL, id: string, number: number, store: string): Promise<boolean> {
  const taken = await tx.unsafe(
    `UPDATE replicas SET committed = $2 WHERE id = $1 AND alive AND committed < $2
     RETURNING set_config('cosigner.replica', id::text, TRUE)`,
    [id, number],
  )
  if (taken.length > 0) return true
  const [row] = await tx.unsafe<{ readonly alive: boolean; readonly committed: string }[]>(
    "SELECT alive, committed FROM replicas WHERE id = $1",
    [id],
  )
  if (row?.alive !== true) throw new CosignerError("E-WAA-074", { store })
  if (Number(row.committed) === number) return false
  throw new CosignerError("E-CLI-001", { what: `commit ${number} of a replica came after ${row.committed}` })
}

const all = (tx: TransactionSQL, statements: readonly SqlStatement[]) =>
  Promise.all(statements.map(({ sql, values }) => tx.unsafe(numbered(sql), [...values])))

/** The statement with $1, $2 in place of each `?`, as Postgres wants it. Remembered: there are few statements, each used often. */
function numbered(sql: string): string {
  const known = NUMBERED.get(sql)
  if (known !== undefined) return known
  let number = 0
  const made = sql.replace(/\?/g, () => `$${++number}`)
  if (NUMBERED.size >= MOST_NUMBERED) NUMBERED.clear()
  NUMBERED.set(sql, made)
  return made
}
const NUMBERED = new Map<string, string>()
const MOST_NUMBERED = 1_000

/**
 * Opens the database, brings its schema to this version, and stores the organisation if it has none yet. Throws E-WAA-005, E-WAA-070,
 * E-WAA-071, E-WAA-073.
 */
export async function openPostgres(settings: PostgresSettings, organisation: () => Organisation): Promise<Postgres> {
  const db = new Postgres(settings)
  try {
    await db.reserved((connection) => migratePostgres(connection, db.name))
    const sql = "INSERT INTO organisation (only_one, body) VALUES (1, ?) ON CONFLICT DO NOTHING"
    await db.write([{ sql, values: [JSON.stringify(organisation())] }])
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}
