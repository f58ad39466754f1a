/**
 * News between the processes of one Postgres, by LISTEN and NOTIFY: ids only, and best effort. Each process notifies itself every second,
 * to find out when its connection is dead. After each new connection its own listeners get "rescan", since they may have missed news.
 */
import type { SQL } from "bun"
import { errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"
import type { StoreNews } from "./shared.ts"

const CHANNEL = "cosigner"
/** Postgres limits a notification to less than 8 000 bytes. */
const MOST_BYTES = 7_500
/** How many news may wait to be sent. Beyond that they are replaced by one "rescan". */
const MOST_WAITING = 10_000
/** How often a process notifies itself. */
const SELF_MS = 1_000
/** When it has heard nothing for this long, not even itself, it opens a new connection. */
const DEAF_MS = 3_000

export type ToldNews = Exclude<StoreNews, { readonly kind: "rescan" }>

interface NewsParts {
  readonly db: Pick<Postgres, "newsClient">
  /** This process's id: it ignores notifications with it. */
  readonly replicaId: string
  readonly hear: (news: StoreNews) => void
  readonly log: Log
}

export class PostgresNews implements AsyncDisposable {
  readonly #parts: NewsParts
  readonly #waiting = new Set<string>()
  readonly #closing = new AbortController()
  readonly #listening: Promise<void>
  #client: SQL | undefined
  #isTelling = false
  #heardAt = 0

  constructor(parts: NewsParts) {
    this.#parts = parts
    this.#listening = this.#listen()
  }

  /** Queues news for the other processes. */
  tell(news: ToldNews): void {
    if (this.#waiting.size >= MOST_WAITING) {
      this.#waiting.clear()
      this.#waiting.add("rescan")
    }
    this.#waiting.add("requestId" in news ? `${news.kind} ${news.requestId}` : news.kind)
    if (!this.#isTelling) void this.#tellAll()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#listening
    await this.#leave()
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  /** Sends what is queued. News that come while a notification is under way share the next one. */
  async #tellAll(): Promise<void> {
    this.#isTelling = true
    while (this.#waiting.size > 0) {
      const lines = takeBytes(this.#waiting, MOST_BYTES)
      try {
        await this.#notify(lines)
      } catch (error) {
        this.#parts.log.debug("news were not told; others find them by themselves", { error: errorText(error) })
      }
    }
    this.#isTelling = false
  }

  async #notify(lines: readonly string[]): Promise<void> {
    const text = [this.#parts.replicaId, ...lines].join("\n")
    await this.#client?.unsafe("SELECT pg_notify($1, $2)", [CHANNEL, text])
  }

  async #listen(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        if (this.#client === undefined) await this.#open()
        else if (performance.now() > this.#heardAt + DEAF_MS) throw new TypeError("nothing is heard on it")
        // Not awaited: a connection that hangs would keep this loop from finding out that it does.
        else this.#notify([]).catch((error: unknown) => this.#lost(error))
      } catch (error) {
        this.#lost(error)
        await this.#leave()
      }
      await sleep(SELF_MS, signal)
    }
  }

  async #open(): Promise<void> {
    const client = this.#parts.db.newsClient()
    this.#client = client
    this.#heardAt = performance.now()
    const listening = client.listen(
      CHANNEL,
      (payload) => this.#heard(payload),
      () => this.#parts.hear({ kind: "rescan" }),
    )
    listening.catch(() => {})
    await Promise.race([listening, sleep(DEAF_MS, this.#closing.signal)])
  }

  #heard(payload: string): void {
    this.#heardAt = performance.now()
    const [from, ...lines] = payload.split("\n")
    if (from === this.#parts.replicaId) return
    for (const line of lines) {
      const news = newsOf(line)
      if (news !== undefined) this.#parts.hear(news)
    }
  }

  #lost(error: unknown): void {
    if (!this.#closing.signal.aborted)
      this.#parts.log.debug("the connection for news of the shared store is lost", { error: errorText(error) })
  }

  async #leave(): Promise<void> {
    const client = this.#client
    this.#client = undefined
    await client?.close({ timeout: 0 }).catch(() => {})
  }
}

/** Takes lines out of the set: as many as fit into `most` bytes (ids are ASCII), and at least one. */
function takeBytes(lines: Set<string>, most: number): readonly string[] {
  const taken: string[] = []
  let bytes = 0
  for (const line of lines) {
    bytes += line.length + 1
    if (taken.length > 0 && bytes > most) break
    taken.push(line)
    lines.delete(line)
  }
  return taken
}

/** The news in a line of a notification; undefined for a kind that only a later release knows. */
function newsOf(line: string): StoreNews | undefined {
  const [kind, requestId] = line.split(" ")
  switch (kind) {
    case "ended":
      return requestId === undefined ? undefined : { kind, requestId }
    case "errands":
    case "orphans":
    case "nodes":
    case "webhooks":
    case "rescan":
      return { kind }
    default:
      return undefined
  }
}
