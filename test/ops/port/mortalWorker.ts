/** A thread of the status port that says it is open, and dies of the first beat. */
import type { ToThread } from "../../../src/ops/port/messages.ts"
import type { FromThread } from "../../../src/panel/thread.ts"

declare const self: {
  postMessage(message: FromThread): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToThread }) => void): void
}

self.addEventListener("message", ({ data }) => {
  if (data.kind === "open") return self.postMessage({ kind: "opened", address: "127.0.0.1:1" })
  throw new Error("died on purpose")
})
