/** SharedStore for several processes on one Postgres: owners of tasks, errands, claims, connections of nodes, and news. */
import { CosignerError, errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { Claims } from "./claims.ts"
import type { NodeFencingToken, WaasTask } from "./model.ts"
import { NodeLinks } from "./nodeLinks.ts"
import type { Postgres } from "./postgres.ts"
import { PostgresNews, type ToldNews } from "./postgresNews.ts"
import { type TaskRow, taskOf } from "./records.ts"
import type { Replica } from "./replica.ts"
import { decode } from "./rows.ts"
import type { Errand, KeptErrand, SharedStore, StoreNews, TaskOwner } from "./shared.ts"

/** The most errands for one request: room for every approver of a large quorum, and a cancel. */
const MOST_ERRANDS = 200
/** The most errands that are read at one time. */
const MOST_READ = 500

/** The owner of an errand's request; null if none of its tasks is live. A scalar subquery, so that Postgres uses the index on requests. */
const OWNER = "(SELECT replica FROM tasks WHERE live = 1 AND tasks.request = errands.request LIMIT 1)"

/** Deletes rows that have no effect any more: errands of requests that ended, claims and connections of dead processes. */
const LEFT_BEHIND = [
  `DELETE FROM errands WHERE ${OWNER} IS NULL`,
  ...["claims", "node_links"].map(
    (table) => `DELETE FROM ${table} WHERE replica NOT IN (SELECT id FROM replicas WHERE alive)`,
  ),
]

/** Hands a request to a living process to which the node is connected. Owner -7: handed to 7, which has not taken it yet. */
const HAND_OVER = `WITH heir AS MATERIALIZED (
    SELECT replica FROM node_links JOIN replicas ON replicas.id = replica AND alive
    WHERE node_id = ? AND replica <> ? ORDER BY random() LIMIT 1)
  UPDATE tasks SET replica = -heir.replica FROM heir WHERE live = 1 AND request = ? AND tasks.replica = ?`

interface SharedParts {
  readonly db: Postgres
  readonly replica: Replica
  readonly log: Log
}

export class SharedPostgres implements SharedStore, AsyncDisposable {
  readonly replicaId: string
  readonly #db: Postgres
  readonly #replica: Replica
  readonly #log: Log
  readonly #listeners = new Set<(news: StoreNews) => void>()
  readonly #news: PostgresNews
  readonly #claims: Claims
  readonly #links: NodeLinks
  /** Whether an answer was lost that told which tasks this process owns: takeOver then returns all of them. */
  #isUnsure = false

  constructor({ db, replica, log }: SharedParts) {
    this.replicaId = replica.id
    this.#db = db
    this.#replica = replica
    this.#log = log
    this.#claims = new Claims(db, replica.id)
    this.#links = new NodeLinks(db, replica.id)
    this.#news = new PostgresNews({ db, replicaId: replica.id, hear: (news) => this.#hear(news), log })
    replica.onLook(({ died }) => this.#look(died))
  }

  isLeader(): boolean {
    return this.#replica.isHeard() && this.#replica.living()[0] === this.replicaId
  }

  living(): number {
    return Math.max(1, this.#replica.living().length)
  }

  exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#claims.exclusively(name, work)
  }

  async takeOver(most: number): Promise<readonly WaasTask[]> {
    if (this.#isUnsure) {
      const own = this.#db.ownTasks()
      const all = `SELECT body, document, signature FROM tasks WHERE live = 1 AND ${own.where} ORDER BY seq`
      const rows = await this.#db.all<TaskRow>(all, own.values)
      this.#isUnsure = false
      if (rows.length > 0) return rows.map(taskOf)
    }
    const sql = "SELECT body, document, signature FROM cosigner_take_over($1, $2) ORDER BY seq"
    // Never retried: a second try would not return the tasks that the first one took. It is one statement, so that a process that stands
    // still cannot hold its lock.
    const rows = await this.#surely(() =>
      this.#db.reserved((connection) => connection.unsafe<TaskRow[]>(sql, [this.replicaId, most])),
    )
    return rows.map(taskOf)
  }

  async ownerOf(taskId: string): Promise<TaskOwner> {
    const sql = "SELECT replica FROM tasks WHERE id = ? AND live = 1"
    const [row] = await this.#db.all<{ readonly replica: string }>(sql, [taskId])
    if (row === undefined) return "none"
    return row.replica === this.replicaId ? "own" : "other"
  }

  async leaveErrand(requestId: string, errand: Errand): Promise<boolean> {
    const isKept = await this.#db.transaction(async (tx) => {
      const open = "SELECT 1 FROM tasks WHERE live = 1 AND request = $1 LIMIT 1"
      if ((await tx.unsafe(open, [requestId])).length === 0) return false
      const [row] = await tx.unsafe<{ readonly count: number }[]>(
        "SELECT count(*)::integer AS count FROM errands WHERE request = $1",
        [requestId],
      )
      if (row !== undefined && row.count >= MOST_ERRANDS) throw new CosignerError("E-WAA-090", { requestId })
      const sql = "INSERT INTO errands (request, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
      await tx.unsafe(sql, [requestId, JSON.stringify(errand)])
      return true
    })
    if (isKept) this.tell({ kind: "errands" })
    return isKept
  }

  async errands(): Promise<readonly KeptErrand[]> {
    interface ErrandRow {
      readonly id: string
      readonly request: string
      readonly body: string
    }
    const sql = `SELECT id, request, body FROM errands WHERE ${OWNER} = ? ORDER BY id LIMIT ${MOST_READ}`
    const rows = await this.#db.all<ErrandRow>(sql, [this.replicaId])
    return rows.map(({ id, request, body }) => ({ id, requestId: request, errand: decode<Errand>(body) }))
  }

  async errandDone(id: string): Promise<void> {
    await this.#db.write([{ sql: "DELETE FROM errands WHERE id = ?", values: [id] }])
  }

  subscribe(listener: (news: StoreNews) => void): Disposable {
    this.#listeners.add(listener)
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener)
      },
    }
  }

  tell(news: ToldNews): void {
    this.#hear(news)
    this.#news.tell(news)
  }

  admit(nodeId: string, token: NodeFencingToken): Promise<"newest" | "behind" | "twin"> {
    return this.#links.admit(nodeId, token)
  }

  left(nodeId: string, bootId: string): Promise<void> {
    return this.#links.left(nodeId, bootId)
  }

  async handOver(requestId: string, nodeId: string): Promise<boolean> {
    const values = [nodeId, this.replicaId, requestId, this.replicaId]
    const [count = 0] = await this.#surely(() => this.#db.write([{ sql: HAND_OVER, values }]))
    if (count > 0) this.#news.tell({ kind: "orphans" })
    return count > 0
  }

  async resign(): Promise<void> {
    await this.#replica.resign()
    this.#news.tell({ kind: "orphans" })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#news[Symbol.asyncDispose]()
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #hear(news: StoreNews): void {
    for (const listener of this.#listeners) {
      try {
        listener(news)
      } catch (error) {
        // Thrown from a socket's callback, it would end the process.
        this.#log.error("a listener to news of the shared store threw", { code: "E-CLI-001", what: errorText(error) })
      }
    }
  }

  /** Looks in the store for work whose news may have been lost, and tidies up. */
  async #look(died: readonly string[]): Promise<void> {
    const [found] = await this.#db.all<{ readonly orphans: boolean; readonly errands: boolean }>(
      `SELECT EXISTS (SELECT 1 FROM cosigner_free_owners(?)) AS orphans, EXISTS (SELECT 1 FROM errands WHERE ${OWNER} = ?) AS errands`,
      [this.replicaId, this.replicaId],
    )
    if (died.length > 0) this.#news.tell({ kind: "orphans" })
    if (found?.orphans === true || this.#isUnsure) this.#hear({ kind: "orphans" })
    if (found?.errands === true) this.#hear({ kind: "errands" })
    await this.#links.tidy()
    await this.#claims.tidy()
    if (!this.isLeader()) return
    await this.#db.write(LEFT_BEHIND.map((sql) => ({ sql, values: [] })))
  }

  /** Runs work that changes which tasks this process owns. If it fails, that is unknown. */
  async #surely<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#isUnsure = true
      throw error
    }
  }
}
