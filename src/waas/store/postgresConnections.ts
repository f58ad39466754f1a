/**
 * A pool of connections to one Postgres. Every use has a time limit. A connection that gives no answer in time would stay in the client's
 * pool, so the whole pool is replaced by a new one then.
 */
import { SQL } from "bun"
import { NoAnswer } from "./postgresErrors.ts"

export class PostgresConnections {
  readonly #options: Bun.SQL.PostgresOrMySQLOptions
  readonly #closing: AbortSignal
  #sql: SQL

  /** Opens no connection before the first use. `closing` ends uses that hang. */
  constructor(options: Bun.SQL.PostgresOrMySQLOptions, closing: AbortSignal) {
    this.#options = options
    this.#closing = closing
    this.#sql = new SQL(options)
  }

  /** Runs `work` with the pool. Rejects with NoAnswer after `answerMs`. */
  async within<T>(answerMs: number, work: (sql: SQL) => Promise<T>): Promise<T> {
    const client = this.#sql
    const { promise: late, reject } = Promise.withResolvers<never>()
    const limit = setTimeout(() => reject(new NoAnswer(`no answer within ${answerMs / 1000} s`)), answerMs)
    const giveUp = (): void => reject(new NoAnswer("this process stops"))
    this.#closing.addEventListener("abort", giveUp, { once: true })
    const working = work(client)
    try {
      return await Promise.race([working, late])
    } catch (error) {
      if (error instanceof NoAnswer) {
        working.catch(() => {})
        this.#replace(client)
      }
      throw error
    } finally {
      clearTimeout(limit)
      this.#closing.removeEventListener("abort", giveUp)
    }
  }

  /** Replaces the pool: whatever is under way on it fails now. */
  leave(): void {
    this.#replace(this.#sql)
  }

  async close(): Promise<void> {
    await this.#sql.close({ timeout: 0 })
  }

  #replace(client: SQL): void {
    if (this.#sql !== client || this.#closing.aborted) return
    this.#sql = new SQL(this.#options)
    client.close({ timeout: 0 }).catch(() => {})
  }
}
