/**
 * One process among those that serve a shared store. It is alive as long as the store hears it; its number in the store is its fencing
 * number: once another process has declared it dead, none of its commits is carried out any more, however late it learns of that.
 */
import { CosignerError, errorText, isCode } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"

/** How often the store hears a replica, and after what silence others take its work over. By the database's clock alone. */
const BEAT_MS = 1_000
export const LEASE_MS = 5_000
/** A beat without an answer, and the pauses before and after it, leave a second of the lease to the next one, on a new connection. */
const ANSWER_MS = 2_000
/**
 * After that much silence a process lets its nodes go. Not with the lease: they are linked to every process, those that take its work over
 * command them, and in an overload or an outage of the database they would all have to prove themselves again.
 */
const LET_GO_MS = 30_000
/** Beats that follow one another no later than this are without a gap. */
const STEADY_MS = 2_500

export interface Replica extends AsyncDisposable {
  readonly id: string
  /** Resolves with E-WAA-074 when others have taken over. */
  readonly lost: Promise<CosignerError>
  /** The numbers of those that live, this one among them, the lowest first; as the last look found them. */
  living(): readonly string[]
  /** Whether the store has heard this process within the lease: others may have taken over otherwise. */
  isHeard(): boolean
  /** After each look at who lives; not while the last one's work goes on. Rejections are logged. */
  onLook(work: (found: ReplicaLook) => Promise<void>): void
  /** Not alive from now on: nothing that it commits is carried out any more. Its last commits are there. */
  resign(): Promise<void>
}

interface ReplicaLook {
  /** Whom this process has declared dead just now. */
  readonly died: readonly string[]
}

export interface ReplicaOptions {
  /** For people: which process it is. */
  readonly name: string
  readonly log: Log
  /** The store has not heard this process for so long that it is of no use to nodes. */
  readonly onUnheard: () => void
  /** Monotonic, ms. */
  readonly clock?: () => number
}

/** The lowest first: it leads. */
export const LIVING = "SELECT id FROM replicas WHERE alive ORDER BY id"

/** A process that serves the store, or did. */
export interface ReplicaSeen {
  readonly id: string
  readonly name: string
  readonly isAlive: boolean
  /** By the database's clock. */
  readonly seenMs: number
}

/** The newest of them first, for people. */
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
 * Whoever was silent for the lease, but for one whose commit is on its way: its row is locked, and the next look finds it. The server
 * ends a transaction that stands still before the lease is over (postgresSettings.ts).
 */
const DECLARE_DEAD = `UPDATE replicas SET alive = FALSE WHERE id IN (
    SELECT id FROM replicas WHERE alive AND id <> ? AND seen < clock_timestamp() - make_interval(secs => ?)
    FOR UPDATE SKIP LOCKED)
  RETURNING id`

type ReplicaStore = Pick<Postgres, "name" | "heartbeat" | "all" | "commit">

/** A process that has its number in the store (entering.ts). */
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
  /** Since when the store has heard this process without a gap. */
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
    // By a timer of its own: a beat that hangs tells nothing.
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
    // After the commits before it, and by its number: it is asked until it is known. Whoever was declared dead has nothing to give up.
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
        // By itself: what it waits for must not delay the next beat.
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
   * Not before this process has been heard for a lease without a gap: after an outage of the database everybody was silent, and whoever
   * comes back first would declare all others dead.
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
