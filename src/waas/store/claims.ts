/**
 * Claims: names that one process at a time holds. Work with the same name waits in order within a process; between processes the waiting
 * one polls. A claim of a dead process counts as free, and so does one of this process that no work here holds: giving it up may have
 * failed.
 */
import { CosignerError } from "../../errors.ts"
import { KeyedTurns } from "../engine/turns.ts"
import type { Postgres } from "./postgres.ts"

/** How long a caller waits for a claim, and the pauses between its tries. */
const MOST_WAIT_MS = 10_000
const LOOK_MS = { least: 10, most: 200 }

/** Sets within the one statement, which is a transaction of its own, whether its commit waits for the disk. */
const SYNC = "SELECT set_config('synchronous_commit', ?, TRUE)"

/** Returns no row if another living process has the claim, or if this process was declared dead. May be repeated. */
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
  /** Names whose claims could not be given up, or are being given up. */
  readonly #kept = new Set<string>()

  constructor(db: Postgres, replicaId: string) {
    this.#db = db
    this.#replicaId = replicaId
  }

  /** Runs `work` while this process holds the claim. Throws E-WAA-088 if it was not free in time; `work` has not begun then. */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
    const untilMs = performance.now() + MOST_WAIT_MS
    return this.#turns.take(name, async () => {
      try {
        await this.#claimed(name, untilMs)
        return await work()
      } finally {
        // Also if #claimed failed: the claim may have been made, and only its answer lost.
        await this.#giveUp(name)
      }
    })
  }

  /** Gives up claims that could not be given up before. */
  async tidy(): Promise<void> {
    for (const name of this.#kept) {
      await this.#turns.take(name, async () => {
        if (this.#kept.has(name)) await this.#giveUp(name)
      })
    }
  }

  async #claimed(name: string, untilMs: number): Promise<void> {
    for (let pauseMs = LOOK_MS.least; ; pauseMs = Math.min(pauseMs * 2, LOOK_MS.most)) {
      // Checked before the first try too: a caller that spent its time waiting in this process has given up.
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

/** Claims of a request_id need not be durable: the request_id is unique in the store, so a claim lost in a crash costs an error at most. */
const isOfRequest = (name: string): boolean => name.startsWith("request ")
