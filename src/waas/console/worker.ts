/**
 * The program of the console's thread: it answers from what the main thread sent last, so that requests cost the engine nothing. It holds
 * no key, and no secret except the digests of the console's token and sessions.
 */
import { errorText } from "../../errors.ts"
import { createLimits } from "../../panel/limits.ts"
import { serveOn } from "../../panel/serve.ts"
import { createShelf } from "../../panel/shelf.ts"
import type { FromThread } from "../../panel/thread.ts"
import type { ToConsole } from "./messages.ts"
import { createRequestShelf, type RequestShelf } from "./requestShelf.ts"
import { createSite } from "./site.ts"

declare const self: {
  postMessage(message: FromThread): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToConsole }) => void): void
}

/** The most characters of all documents of a list. */
const SHELF_CHARACTERS = 16 * 1024 * 1024

let overview: string | undefined
let beatAt = performance.now()
const lists = { requests: createShelf(SHELF_CHARACTERS), vaults: createShelf(SHELF_CHARACTERS) }
let requests: RequestShelf | undefined

const clock = (): number => performance.now()

async function open({ listen, token, chains }: Extract<ToConsole, { readonly kind: "open" }>): Promise<void> {
  requests = createRequestShelf(lists.requests, chains)
  const admit = createLimits()
  const answer = createSite({
    listen,
    token,
    clock,
    known: () => (overview === undefined ? undefined : { overview, silentMs: Math.round(clock() - beatAt) }),
    lists,
    admit: (client, weight) => admit(client, weight, clock()),
  })
  try {
    self.postMessage({ kind: "opened", address: await serveOn(listen, answer) })
  } catch (error) {
    self.postMessage({ kind: "refused", why: errorText(error) })
  }
}

self.addEventListener("message", ({ data }) => {
  switch (data.kind) {
    case "open":
      return void open(data)
    case "beat":
      beatAt = performance.now()
      overview = data.overview
      return
    case "changed":
      if (data.list === "vaults") return lists.vaults.change(data.change)
      return void requests?.change(data.change)
  }
})
