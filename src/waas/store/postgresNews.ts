/**
 * News between the processes of one Postgres, by LISTEN and NOTIFY: ids only, and best effort. A connection whose loss nobody reports
 * is found by a word to ourselves; after each new one others hear that they may have missed something.
 */
import type { SQL } from "bun"
import { errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { sleep } from "../../sleep.ts"
import type { Postgres } from "./postgres.ts"
import type { StoreNews } from "./shared.ts"

const CHANNEL = "cosigner"
/** A notification has less than 8 000 bytes. */
const MOST_BYTES = 7_500
/** Of news that wait: whoever missed more looks at everything. */
const MOST_WAITING = 10_000
/** How often we tell ourselves something, and after what silence the connection is left behind. */
const SELF_MS = 1_000
const DEAF_MS = 3_000

export type ToldNews = Exclude<StoreNews, { readonly kind: "rescan" }>

interface NewsParts {
  readonly db: Pick<Postgres, "newsClient">
  /** Of this process: what it told itself is no news. */
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

  /** What comes while one notification is on its way goes into the next one. */
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
        // Not waited for: a connection that hangs must not keep us from finding out.
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

/** As many of the lines as so many bytes hold, and at least one; ids are ASCII. */
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

/** Undefined for what a later release may tell. */
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
