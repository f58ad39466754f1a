/** Requests as they come from the main thread, made whole: what their payloads do is read once for each set of documents. */
import { type Static, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { errorText } from "../../errors.ts"
import type { ShelfChange } from "../../panel/feed.ts"
import { checked, closed, cut } from "../../panel/schemas.ts"
import type { Shelf } from "../../panel/shelf.ts"
import { requestSchema } from "./documents.ts"
import { type KnownChain, type ReadPayloads, readRequest } from "./intents.ts"

const toldSchema = closed({ document: requestSchema, documents: Type.Array(Type.String()) })
/** The document without what is read, and the documents of its tasks, base64. */
export type ToldRequest = Static<typeof toldSchema>

/** A bug in reading one payload must not take the others away. */
const unreadable = (error: unknown): ReadPayloads => ({
  intents: [],
  unread: cut(`this program failed to read it: ${errorText(error)}`),
})

export interface RequestShelf {
  /** Changes are taken in their order; resolves when this one is on the shelf. */
  change(change: ShelfChange): Promise<void>
}

export function createRequestShelf(shelf: Pick<Shelf, "change">, chains: readonly KnownChain[]): RequestShelf {
  /** By request; the documents never change. */
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
