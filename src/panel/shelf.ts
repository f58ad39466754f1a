/** A list as the thread of a page keeps it: documents as checked text, newest first, within bounds. */
import type { Listed, ShelfChange } from "./feed.ts"

export interface Shelf {
  change(change: ShelfChange): void
  /** Documents whose labels are all `wanted`, newest first, and the skip of the next page. */
  page(
    wanted: Readonly<Record<string, string>>,
    skip: number,
    limit: number,
  ): { readonly texts: readonly string[]; readonly nextSkip: number | null }
}

type Shelved = Listed & { readonly order: number }

/** Beyond `mostCharacters` the oldest are dropped, so that long documents cannot use up the memory of the process. */
export function createShelf(mostCharacters: number): Shelf {
  const entries = new Map<string, Shelved>()
  let characters = 0
  /** Newest first; undefined after a change. */
  let sorted: readonly (readonly [key: string, entry: Shelved])[] | undefined

  function remove(key: string): void {
    characters -= entries.get(key)?.text.length ?? 0
    entries.delete(key)
  }

  const newestFirst = () => (sorted ??= [...entries].sort(([, a], [, b]) => b.order - a.order))

  return {
    change({ put, gone }) {
      if (put.length === 0 && gone.length === 0) return
      gone.forEach(remove)
      for (const { key, order, text, labels } of put) {
        remove(key)
        entries.set(key, { order, text, labels })
        characters += text.length
      }
      sorted = undefined
      if (characters <= mostCharacters) return
      for (const [key] of [...newestFirst()].reverse()) {
        if (characters <= mostCharacters) break
        remove(key)
      }
      sorted = undefined
    },
    page(wanted, skip, limit) {
      const asked = Object.entries(wanted)
      const found = newestFirst().filter(([, { labels }]) => asked.every(([name, value]) => labels[name] === value))
      return {
        texts: found.slice(skip, skip + limit).map(([, { text }]) => text),
        nextSkip: found.length > skip + limit ? skip + limit : null,
      }
    },
  }
}
