/** The program of the thread that reads payloads (reader.ts): it answers each question. */
import { NO_NAMES } from "../policy/names.ts"
import { intentSettingsOf, readIntents } from "../tasks/intents.ts"
import type { FromReader, ToReader } from "./readerMessages.ts"

declare const self: {
  postMessage(message: FromReader): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToReader }) => void): void
}

let settings = intentSettingsOf(NO_NAMES)

self.addEventListener("message", ({ data }) => {
  if (data.kind === "names") {
    settings = intentSettingsOf(data.names)
    return
  }
  readIntents(data.task, data.key, settings).then((read) => self.postMessage({ kind: "read", read }))
})
