/**
 * Connections to one Postgres, by the runtime's client. Whoever asks has an answer within a time of its choice; a connection on which
 * nothing comes would stay in the client's pool, so that the whole pool is left behind then and a new one opened.
 */
import { SQL } from "bun"
import { NoAnswer } from "./postgresErrors.ts"

export class PostgresConnections {
  readonly #options: Bun.SQL.PostgresOrMySQLOptions
  readonly #closing: AbortSignal
  #sql: SQL

  /** None is opened before something is asked. `closing` ends what hangs. */
  constructor(options: Bun.SQL.PostgresOrMySQLOptions, closing: AbortSignal) {
    this.#options = options
    this.#closing = closing
    this.#sql = new SQL(options)
  }

  /** Rejects with NoAnswer after `answerMs`. */
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

  /** What is under way on them fails now. */
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
