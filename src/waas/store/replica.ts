/**
 * A replica: one of the processes that serve a shared store. It lives as long as its heartbeats reach the store. Its id is its fencing
 * number: once another replica has declared it dead, none of its commits is carried out any more, however late it learns of that.
 */
import { CosignerError, errorText, isCode } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"

/** How often a replica sends a heartbeat. */
const BEAT_MS = 1_000
/** After this long without a heartbeat, by the database's clock, others declare a replica dead and take over its work. */
export const LEASE_MS = 5_000
/** How long a heartbeat waits for its answer. If none comes, a second of the lease is left for the next one, on a new connection. */
const ANSWER_MS = 2_000
/**
 * After this long unheard a replica disconnects its nodes. Not as soon as its lease is over: nodes are linked to every replica, so others
 * reach them anyway, and in an outage or overload of the database all nodes would have to connect and authenticate again.
 */
const LET_GO_MS = 30_000
/** Heartbeats no further apart than this are without a gap. */
const STEADY_MS = 2_500

export interface Replica extends AsyncDisposable {
  readonly id: string
  /** Resolves with E-WAA-074 when this replica finds that it was declared dead. */
  readonly lost: Promise<CosignerError>
  /** The ids of all living replicas, as they were last read; the lowest first. */
  living(): readonly string[]
  /** Whether a heartbeat succeeded within the lease. If not, others may have taken over. */
  isHeard(): boolean
  /** Runs `work` each time that the living replicas were read, and never twice at once. Rejections are logged. */
  onLook(work: (found: ReplicaLook) => Promise<void>): void
  /** Ends the replica once its commits so far are known: it is dead then, and none of its later commits is carried out. */
  resign(): Promise<void>
}

interface ReplicaLook {
  /** The replicas that this one has just declared dead. */
  readonly died: readonly string[]
}

export interface ReplicaOptions {
  /** Tells people which process it is. */
  readonly name: string
  readonly log: Log
  /** Called when no heartbeat has succeeded for LET_GO_MS: this process should disconnect its nodes. */
  readonly onUnheard: () => void
  /** A monotonic clock, ms; absent: performance.now. */
  readonly clock?: () => number
}

/** The lowest id comes first: that replica is the leader. */
export const LIVING = "SELECT id FROM replicas WHERE alive ORDER BY id"

/** A process that serves the store, or has served it. */
export interface ReplicaSeen {
  readonly id: string
  readonly name: string
  readonly isAlive: boolean
  /** Its last heartbeat, by the database's clock. */
  readonly seenMs: number
}

/** The replicas that the store knows, the newest first; for people. */
export async function replicasSeen(db: Pick<Postgres, "all">, most: number): Promise<readonly ReplicaSeen[]> {
  const sql = `SELECT id, name, alive, floor(extract(epoch FROM seen) * 1000)::text AS seen_ms
    FROM replicas ORDER BY id DESC LIMIT ?`
  interface ReplicaRow {
    readonly id: string
    readonly name: string
    readonly alive: boolean
    readonly seen_ms: string
  }
  const rows = await db.all<ReplicaRow>(sql, [most])
  return rows.map(({ id, name, alive, seen_ms }) => ({ id, name, isAlive: alive, seenMs: Number(seen_ms) }))
}

/**
 * Declares replicas dead that were silent for the lease. Skips one whose commit is under way, which locks its row: the next look finds it.
 * The server ends a transaction that stands still before the lease is over (postgresSettings.ts).
 */
const DECLARE_DEAD = `UPDATE replicas SET alive = FALSE WHERE id IN (
    SELECT id FROM replicas WHERE alive AND id <> ? AND seen < clock_timestamp() - make_interval(secs => ?)
    FOR UPDATE SKIP LOCKED)
  RETURNING id`

type ReplicaStore = Pick<Postgres, "name" | "heartbeat" | "all" | "commit">

/** The replica that this process is, once it has its id (entering.ts). */
export class LivingReplica implements Replica {
  readonly id: string
  readonly lost: Promise<CosignerError>
  readonly #db: ReplicaStore
  readonly #options: ReplicaOptions
  readonly #lose: (error: CosignerError) => void
  readonly #stopping = new AbortController()
  readonly #watching: ReturnType<typeof setInterval>
  readonly #beats: Promise<void>
  readonly #looks: ((found: ReplicaLook) => Promise<void>)[] = []
  #looking: Promise<void> | undefined
  #living: readonly string[]
  readonly #clock: () => number
  #heardAt: number
  /** Since when heartbeats have come without a gap. */
  #steadySince: number
  #isUnheard = false

  constructor(
    db: ReplicaStore,
    { id, living }: { readonly id: string; readonly living: readonly string[] },
    options: ReplicaOptions,
  ) {
    this.id = id
    this.#db = db
    this.#options = options
    this.#living = living
    this.#clock = options.clock ?? (() => performance.now())
    this.#heardAt = this.#clock()
    this.#steadySince = this.#heardAt
    const { promise, resolve } = Promise.withResolvers<CosignerError>()
    this.lost = promise
    this.#lose = resolve
    // A timer of its own: a heartbeat that hangs cannot notice that it does.
    this.#watching = setInterval(() => this.#watch(), BEAT_MS)
    this.#beats = this.#beat()
  }

  living(): readonly string[] {
    return this.#living
  }

  isHeard(): boolean {
    return !this.#stopping.signal.aborted && this.#clock() <= this.#heardAt + LEASE_MS
  }

  onLook(work: (found: ReplicaLook) => Promise<void>): void {
    this.#looks.push(work)
  }

  async resign(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    clearInterval(this.#watching)
    await Promise.all([this.#beats, this.#looking])
    // As a commit it comes after all commits before it, and is retried until its fate is known. E-WAA-074 means that it is dead already.
    const sql = "UPDATE replicas SET alive = FALSE WHERE id = ?"
    await this.#db.commit([{ sql, values: [this.id] }]).catch((error: unknown) => {
      if (!isCode(error, "E-WAA-074"))
        this.#options.log.warn("Others take over once the lease is over", { error: errorText(error) })
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.resign()
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #watch(): void {
    const isUnheard = this.#clock() > this.#heardAt + LET_GO_MS
    if (isUnheard && !this.#isUnheard) this.#options.onUnheard()
    this.#isUnheard = isUnheard
  }

  async #beat(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await sleep(BEAT_MS, signal)
      if (signal.aborted) return
      try {
        const sql = "UPDATE replicas SET seen = clock_timestamp() WHERE id = ? AND alive RETURNING id"
        const askedAt = this.#clock()
        if ((await this.#db.heartbeat(sql, [this.id], ANSWER_MS)).length === 0) {
          this.#lose(new CosignerError("E-WAA-074", { store: this.#db.name }))
          return
        }
        if (askedAt > this.#heardAt + STEADY_MS) this.#steadySince = askedAt
        this.#heardAt = askedAt
        // Not awaited: its queries must not delay the next heartbeat.
        this.#looking ??= this.#look().finally(() => {
          this.#looking = undefined
        })
      } catch (error) {
        this.#unheard("The shared store did not hear this WaaS", error)
      }
    }
  }

  async #look(): Promise<void> {
    try {
      const died = await this.#declareDead()
      const rows = await this.#db.all<{ readonly id: string }>(LIVING, [])
      this.#living = rows.map(({ id }) => id)
      for (const work of this.#looks) await work({ died })
    } catch (error) {
      this.#unheard("This WaaS could not look after the others of its store", error)
    }
  }

  /**
   * Declares silent replicas dead, but only after heartbeats of this one without a gap for a whole lease: after an outage of the database
   * all replicas were silent, and the first one to return would declare all others dead.
   */
  async #declareDead(): Promise<readonly string[]> {
    if (this.#clock() < this.#steadySince + LEASE_MS) return []
    const rows = await this.#db.all<{ readonly id: string }>(DECLARE_DEAD, [this.id, LEASE_MS / 1000])
    for (const { id } of rows) this.#options.log.warn("A WaaS of this store is not heard any more", { replica: id })
    return rows.map(({ id }) => id)
  }

  #unheard(what: string, error: unknown): void {
    const next = isCode(error, "E-WAA-070") ? { next: error.next } : {}
    this.#options.log.warn(what, { error: errorText(error), ...next })
  }
}
