/**
 * The main thread's side of a list that a page shows: which documents must be sent again, and how many of them at
 * one look. Changes drive it, never requests, so a request costs the main thread nothing.
 */
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"

/** A document as a page shows it: checked JSON, and the labels by which it can be found. */
export interface Listed {
  readonly text: string
  readonly labels: Readonly<Record<string, string>>
}

/** The changes to a shelf. `order` grows from old to new. */
export interface ShelfChange {
  readonly put: readonly (Listed & { readonly key: string; readonly order: number })[]
  readonly gone: readonly string[]
}

export interface Feed {
  /** Adds a new entry, the newest of all. */
  added(key: string): void
  /** Sends it at the next look, if it is among those that are shown. */
  changed(key: string): void
  /** Replaces the whole list, from old to new; it is sent bit by bit, newest first. */
  replace(keys: readonly string[]): void
  /** Sends everything once more, because the receiver has forgotten it. */
  again(): void
  /** Drops keys that no longer exist. */
  dropUnless(exists: (key: string) => boolean): void
  /** Whether everything was sent. */
  isSettled(): boolean
  /** Whether it is among those that are shown. */
  has(key: string): boolean
  /** The next portion. Never throws: a document that cannot be made is left out, and reported once. */
  next(): ShelfChange
  /** The same for documents that take time: the caller makes these keys and gives them back. Changes meanwhile are sent again. */
  take(): readonly string[]
  /** undefined: the document no longer exists. */
  give(made: ReadonlyMap<string, Listed | undefined>): ShelfChange
}

export interface FeedOptions {
  readonly name: string
  /** No more than these are kept; the oldest are dropped. */
  readonly most: number
  /** Documents at one look, and their characters; the first one is sent whatever its size. */
  readonly portion: { readonly documents: number; readonly characters: number }
  /** Called once per portion of `next`. Returns the function that makes documents; it gives undefined for one that no longer exists. */
  readonly open?: () => (key: string) => Listed | undefined
  readonly log: Log
}

export const createFeed = (options: FeedOptions): Feed => new PortFeed(options)

class PortFeed implements Feed {
  readonly #options: FeedOptions
  /** From old to new. */
  readonly #orders = new Map<string, number>()
  #top = 0
  /** Keys that changed since they were sent, in the order of the changes. */
  readonly #fresh = new Set<string>()
  /** Keys to be sent when nothing is fresh; the next one is last. */
  #backlog: string[] = []
  #gone: string[] = []
  #isTold = false

  constructor(options: FeedOptions) {
    this.#options = options
  }

  added(key: string): void {
    this.#orders.set(key, ++this.#top)
    const [oldest] = this.#orders.keys()
    if (this.#orders.size > this.#options.most && oldest !== undefined) this.#forget(oldest)
    this.#fresh.add(key)
  }

  changed(key: string): void {
    if (!this.#orders.has(key)) return
    // Puts it behind those that changed before it.
    this.#fresh.delete(key)
    this.#fresh.add(key)
  }

  replace(keys: readonly string[]): void {
    const kept = keys.slice(-this.#options.most)
    const wanted = new Set(kept)
    for (const key of this.#orders.keys()) if (!wanted.has(key)) this.#forget(key)
    this.#orders.clear()
    for (const key of kept) this.#orders.set(key, ++this.#top)
    this.#backlog = [...kept]
  }

  again(): void {
    this.#fresh.clear()
    this.#backlog = [...this.#orders.keys()]
  }

  dropUnless(exists: (key: string) => boolean): void {
    for (const key of [...this.#orders.keys()]) if (!exists(key)) this.#forget(key)
  }

  has(key: string): boolean {
    return this.#orders.has(key)
  }

  take(): readonly string[] {
    const keys: string[] = []
    while (keys.length < this.#options.portion.documents) {
      const key = this.#nextKey()
      if (key === undefined) break
      if (this.#orders.has(key)) keys.push(key)
    }
    return keys
  }

  give(made: ReadonlyMap<string, Listed | undefined>): ShelfChange {
    const put: ShelfChange["put"][number][] = []
    let characters = 0
    for (const [key, listed] of made) {
      const order = this.#orders.get(key)
      if (order === undefined) continue
      if (listed === undefined) this.#forget(key)
      else if (characters >= this.#options.portion.characters) this.#fresh.add(key)
      else {
        characters += listed.text.length
        put.push({ ...listed, key, order })
      }
    }
    return { put, gone: this.#takeGone() }
  }

  isSettled(): boolean {
    return this.#fresh.size === 0 && this.#backlog.length === 0
  }

  next(): ShelfChange {
    const { portion, open } = this.#options
    const make = open?.() ?? (() => undefined)
    const put: ShelfChange["put"][number][] = []
    let characters = 0
    while (put.length < portion.documents && characters < portion.characters) {
      const key = this.#nextKey()
      if (key === undefined) break
      const order = this.#orders.get(key)
      if (order === undefined) continue
      const made = this.#attempt(() => make(key))
      if (made === undefined) {
        this.#forget(key)
        continue
      }
      characters += made.text.length
      put.push({ ...made, key, order })
    }
    return { put, gone: this.#takeGone() }
  }

  #takeGone(): readonly string[] {
    const gone = this.#gone
    this.#gone = []
    return gone
  }

  #forget(key: string): void {
    this.#orders.delete(key)
    this.#fresh.delete(key)
    this.#gone.push(key)
  }

  #nextKey(): string | undefined {
    const [first] = this.#fresh
    if (first === undefined) return this.#backlog.pop()
    this.#fresh.delete(first)
    return first
  }

  #attempt(make: () => Listed | undefined): Listed | undefined {
    try {
      return make()
    } catch (error) {
      const fields = { what: this.#options.name, ...codeField(error), error: errorText(error) }
      if (!this.#isTold) this.#options.log.error("a page leaves out what cannot be shown", fields)
      this.#isTold = true
      return undefined
    }
  }
}
