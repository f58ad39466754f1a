/** Completes requests from the main thread with what their payloads do, which is read once for each request. */
import { type Static, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { errorText } from "../../errors.ts"
import type { ShelfChange } from "../../panel/feed.ts"
import { checked, closed, cut } from "../../panel/schemas.ts"
import type { Shelf } from "../../panel/shelf.ts"
import { requestSchema } from "./documents.ts"
import { type KnownChain, type ReadPayloads, readRequest } from "./intents.ts"

const toldSchema = closed({ document: requestSchema, documents: Type.Array(Type.String()) })
/** The document before its payloads are read, and the documents of its tasks in base64. */
export type ToldRequest = Static<typeof toldSchema>

/** Shown for a request whose payloads could not be read because of a bug, so that the other requests still show. */
const unreadable = (error: unknown): ReadPayloads => ({
  intents: [],
  unread: cut(`this program failed to read it: ${errorText(error)}`),
})

export interface RequestShelf {
  /** Applies changes in the order of the calls; resolves when this one is on the shelf. */
  change(change: ShelfChange): Promise<void>
}

export function createRequestShelf(shelf: Pick<Shelf, "change">, chains: readonly KnownChain[]): RequestShelf {
  /** What was read, by request; the documents of a request's tasks never change. */
  const readings = new Map<string, ReadPayloads>()
  let last: Promise<void> = Promise.resolve()

  async function whole(key: string, text: string): Promise<string> {
    const told: unknown = JSON.parse(text)
    if (!Value.Check(toldSchema, told)) throw new TypeError("the main thread told a request that is none")
    const read = readings.get(key) ?? (await readRequest(told.documents, chains).catch(unreadable))
    readings.set(key, read)
    return JSON.stringify(checked(requestSchema, { ...told.document, ...read }))
  }

  async function take({ put, gone }: ShelfChange): Promise<void> {
    for (const key of gone) readings.delete(key)
    const made: ShelfChange["put"][number][] = []
    for (const one of put) made.push({ ...one, text: await whole(one.key, one.text) })
    shelf.change({ put: made, gone })
  }

  return {
    change(change) {
      last = last.then(() => take(change))
      return last
    },
  }
}
