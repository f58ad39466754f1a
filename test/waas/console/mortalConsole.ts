/** A thread of the console that says it is open, and dies of the second overview. */
import type { FromThread } from "../../../src/panel/thread.ts"
import type { ToConsole } from "../../../src/waas/console/messages.ts"

declare const self: {
  postMessage(message: FromThread): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToConsole }) => void): void
}

let beats = 0
self.addEventListener("message", ({ data }) => {
  if (data.kind === "open") return self.postMessage({ kind: "opened", address: "127.0.0.1:1" })
  if (data.kind === "beat" && ++beats > 1) throw new Error("died on purpose")
})
