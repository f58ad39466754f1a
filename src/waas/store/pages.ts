/** A paged list of the store as one sequence: pages are read as the caller comes to them, so that one that has enough stops early. */
import type { PageQuery, Slice } from "./store.ts"

/** All items of the list, newest first, `limit` to a page. An item that is added meanwhile is not among them. */
export async function* everyItem<T>(
  read: (page: PageQuery) => Promise<Slice<T>>,
  limit = 100,
): AsyncGenerator<T, void, void> {
  let after: number | undefined
  do {
    const slice = await read({ limit, after, before: undefined })
    yield* slice.items
    after = slice.after
  } while (after !== undefined)
}
