/**
 * The main thread's side of a list that the status port shows: which documents are to be told anew, and how many of them at
 * one look. It is driven by what changes in the node, never by who asks, so that a question costs the main thread nothing.
 */
import { codeField, errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"

/** A document as the port shows it: checked JSON, and what it can be asked for by. */
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
  /** The next portion. Never throws: a document that cannot be made is left out, and said once. */
  next(): ShelfChange
}

export interface FeedOptions {
  readonly name: string
  /** More than these are not kept; the oldest go. */
  readonly most: number
  /** Documents at one look, and how much text; the first is told whatever its size. */
  readonly portion: { readonly documents: number; readonly characters: number }
  /** Called once a portion: what makes its documents; undefined for one that is no more. */
  readonly open: () => (key: string) => Listed | undefined
  readonly log: Log
}

export function createFeed({ name, most, portion, open, log }: FeedOptions): Feed {
  /** From old to new. */
  const orders = new Map<string, number>()
  let top = 0
  /** Changed since it was told, in the order of the changes. */
  const fresh = new Set<string>()
  /** To be told when nothing is fresh; the next one last. */
  let backlog: string[] = []
  let gone: string[] = []
  let isTold = false

  function add(key: string): void {
    orders.set(key, ++top)
    if (orders.size <= most) return
    const [oldest] = orders.keys()
    if (oldest !== undefined) forget(oldest)
  }

  function forget(key: string): void {
    orders.delete(key)
    fresh.delete(key)
    gone.push(key)
  }

  function nextKey(): string | undefined {
    const [first] = fresh
    if (first !== undefined) {
      fresh.delete(first)
      return first
    }
    return backlog.pop()
  }

  return {
    added(key) {
      add(key)
      fresh.add(key)
    },
    changed(key) {
      if (!orders.has(key)) return
      // behind those that changed before it
      fresh.delete(key)
      fresh.add(key)
    },
    replace(keys) {
      const kept = keys.slice(-most)
      const wanted = new Set(kept)
      for (const key of orders.keys()) if (!wanted.has(key)) forget(key)
      orders.clear()
      for (const key of kept) orders.set(key, ++top)
      backlog = [...kept]
    },
    again() {
      fresh.clear()
      backlog = [...orders.keys()]
    },
    dropUnless(exists) {
      for (const key of [...orders.keys()]) if (!exists(key)) forget(key)
    },
    isSettled: () => fresh.size === 0 && backlog.length === 0,
    next() {
      const make = open()
      const put: ShelfChange["put"][number][] = []
      let characters = 0
      while (put.length < portion.documents && characters < portion.characters) {
        const key = nextKey()
        if (key === undefined) break
        const order = orders.get(key)
        if (order === undefined) continue
        const made = attempt(() => make(key))
        if (made === undefined) {
          forget(key)
          continue
        }
        characters += made.text.length
        put.push({ ...made, key, order })
      }
      const left = gone
      gone = []
      return { put, gone: left }
    },
  }

  function attempt(make: () => Listed | undefined): Listed | undefined {
    try {
      return make()
    } catch (error) {
      const fields = { what: name, ...codeField(error), error: errorText(error) }
      if (!isTold) log.error("the status port leaves out what cannot be shown", fields)
      isTold = true
      return undefined
    }
  }
}
