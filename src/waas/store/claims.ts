/**
 * Names that one process at a time holds. In this process work of one name waits in order; between processes it looks again. A claim
 * of a process that is dead counts as free, and so does one of our own that nobody here holds: giving it up may have failed.
 */
import { CosignerError } from "../../errors.ts"
import { KeyedTurns } from "../engine/turns.ts"
import type { Postgres } from "./postgres.ts"

/** How long a caller waits for its turn, and how often it looks meanwhile. */
const MOST_WAIT_MS = 10_000
const LOOK_MS = { least: 10, most: 200 }

/** In one statement, which commits by itself: with or without waiting for the disk. */
const SYNC = "SELECT set_config('synchronous_commit', ?, TRUE)"

/** No row comes back where another one that lives has it, or this process does not live any more. Once more changes nothing. */
const CLAIM = `WITH sync AS (${SYNC}) INSERT INTO claims (name, replica)
  SELECT ?, replicas.id FROM replicas, sync WHERE id = ? AND alive
  ON CONFLICT (name) DO UPDATE SET replica = excluded.replica
  WHERE claims.replica = excluded.replica OR NOT EXISTS (SELECT 1 FROM replicas WHERE id = claims.replica AND alive)
  RETURNING name`

const GIVE_UP = `WITH sync AS (${SYNC}) DELETE FROM claims USING sync WHERE name = ? AND replica = ?`

export class Claims {
  readonly #db: Postgres
  readonly #replicaId: string
  readonly #turns = new KeyedTurns()
  /** What could not be given up. */
  readonly #kept = new Set<string>()

  constructor(db: Postgres, replicaId: string) {
    this.#db = db
    this.#replicaId = replicaId
  }

  exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const untilMs = performance.now() + MOST_WAIT_MS
    return this.#turns.take(name, async () => {
      try {
        await this.#claimed(name, untilMs)
        return await work()
      } finally {
        // It may be ours though the answer that said so was lost.
        await this.#giveUp(name)
      }
    })
  }

  /** Gives up what could not be given up before. */
  async tidy(): Promise<void> {
    for (const name of this.#kept) {
      await this.#turns.take(name, async () => {
        if (this.#kept.has(name)) await this.#giveUp(name)
      })
    }
  }

  async #claimed(name: string, untilMs: number): Promise<void> {
    for (let pauseMs = LOOK_MS.least; ; pauseMs = Math.min(pauseMs * 2, LOOK_MS.most)) {
      // A caller that waited here for all its time is gone, too.
      if (performance.now() > untilMs) throw new CosignerError("E-WAA-088", { name })
      if (await this.#claim(name)) return
      await Bun.sleep(pauseMs)
    }
  }

  async #claim(name: string): Promise<boolean> {
    return (await this.#db.all(CLAIM, [isOfRequest(name) ? "off" : "on", name, this.#replicaId])).length > 0
  }

  async #giveUp(name: string): Promise<void> {
    this.#kept.add(name)
    try {
      await this.#db.all(GIVE_UP, ["off", name, this.#replicaId])
      this.#kept.delete(name)
    } catch {
      // The database is away: tidy() tries again.
    }
  }
}

/** A request_id is unique in the store besides: a claim that a crash of the database loses costs an error at most. */
const isOfRequest = (name: string): boolean => name.startsWith("request ")
