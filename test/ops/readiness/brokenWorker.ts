/** A session worker of which the first of its process breaks at its first ping: it hangs, or dies. Those that follow are well. */

import type { FromWorker, ToWorker } from "../../../src/workers/messages.ts"
import { DIES, HANGS } from "./broken.ts"

declare const self: {
  postMessage(message: FromWorker): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToWorker }) => void): void
}

let worker = 0
let how = 0

self.addEventListener("message", ({ data }) => {
  if (data.kind === "init") {
    worker = data.identity.worker
    how = data.identity.bootCounter
    return self.postMessage({ kind: "ready" })
  }
  if (data.kind !== "ping") return
  if (worker === 1 && how === HANGS) for (;;);
  if (worker === 1 && how === DIES) throw new Error("broken on purpose")
  self.postMessage({ kind: "pong", at: data.at })
})
