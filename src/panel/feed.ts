/**
 * The main thread's side of a list that a page shows: which documents are to be told anew, and how many of them at
 * one look. It is driven by what changes, never by who asks, so that a question costs the main thread nothing.
 */
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"

/** A document as a page shows it: checked JSON, and what it can be asked for by. */
export interface Listed {
  readonly text: string
  readonly labels: Readonly<Record<string, string>>
}

/** What a shelf is to change. `order` grows from old to new. */
export interface ShelfChange {
  readonly put: readonly (Listed & { readonly key: string; readonly order: number })[]
  readonly gone: readonly string[]
}

export interface Feed {
  /** A new one, the newest of all. */
  added(key: string): void
  /** Told at the next look, if it is among those that are shown. */
  changed(key: string): void
  /** The whole list, from old to new; told bit by bit, newest first. */
  replace(keys: readonly string[]): void
  /** Everything once more: whoever was told has forgotten it. */
  again(): void
  /** Keys that are no more. */
  dropUnless(exists: (key: string) => boolean): void
  /** Whether everything was told. */
  isSettled(): boolean
  /** Whether it is among those that are shown. */
  has(key: string): boolean
  /** The next portion. Never throws: a document that cannot be made is left out, and said once. */
  next(): ShelfChange
  /** The same for documents that take their time: these keys are made and given. What changes meanwhile is told again. */
  take(): readonly string[]
  /** undefined: it is no more. */
  give(made: ReadonlyMap<string, Listed | undefined>): ShelfChange
}

export interface FeedOptions {
  readonly name: string
  /** More than these are not kept; the oldest go. */
  readonly most: number
  /** Documents at one look, and how much text; the first is told whatever its size. */
  readonly portion: { readonly documents: number; readonly characters: number }
  /** Called once a portion of `next`: what makes its documents; undefined for one that is no more. */
  readonly open?: () => (key: string) => Listed | undefined
  readonly log: Log
}

export const createFeed = (options: FeedOptions): Feed => new PortFeed(options)

class PortFeed implements Feed {
  readonly #options: FeedOptions
  /** From old to new. */
  readonly #orders = new Map<string, number>()
  #top = 0
  /** Changed since it was told, in the order of the changes. */
  readonly #fresh = new Set<string>()
  /** To be told when nothing is fresh; the next one last. */
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
    // behind those that changed before it
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
