/**
 * The thread of the status port. It answers from what the main thread sent last, so that requests cost signing nothing.
 * It also notices when the main thread falls silent, because the main thread cannot. It holds no key, and no secret except the
 * digest of the port's token.
 */
import { writeSync } from "node:fs"
import { build } from "../../build.ts"
import { CosignerError, describe, errorText } from "../../errors.ts"
import { isWritable } from "../../logStream.ts"
import { formatLine } from "../../logText.ts"
import { createLimits } from "../../panel/limits.ts"
import { serveOn } from "../../panel/serve.ts"
import { createShelf } from "../../panel/shelf.ts"
import type { FromThread } from "../../panel/thread.ts"
import type { ItemDocument } from "./documents.ts"
import type { PortOptions, PortSnapshot, StallOptions, ToThread } from "./messages.ts"
import type { KnownState } from "./port.ts"

declare const self: {
  postMessage(message: FromThread): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToThread }) => void): void
}

const WATCH_MS = 500
/** Characters of all documents of a list. */
const SHELF_CHARACTERS = 16 * 1024 * 1024

let snapshot: PortSnapshot | undefined
let beatAt = performance.now()
let stall: StallOptions | undefined
let isStallTold = false
let prepared:
  | { readonly snapshot: PortSnapshot; readonly stalledMs: number | undefined; readonly known: KnownState }
  | undefined
const lists = { tasks: createShelf(SHELF_CHARACTERS), groups: createShelf(SHELF_CHARACTERS) }

// ---- the main thread, watched ----------------------------------------------------------------------------------------

/** Since when the main thread has been silent for too long; in whole seconds, so that answers can be cached meanwhile. */
function stalledMs(): number | undefined {
  const silentMs = performance.now() - beatAt
  return stall !== undefined && silentMs > stall.limitMs ? Math.floor(silentMs / 1000) * 1000 : undefined
}

function watch(): void {
  const ms = stalledMs()
  if (ms === undefined) {
    isStallTold = false
    return
  }
  if (isStallTold || stall?.format === undefined) return
  isStallTold = true
  const line = {
    time: new Date(),
    level: "error",
    message: describe(stallError(ms)),
    fields: { item: "loop", code: "E-STA-015" },
  } as const
  try {
    if (isWritable(2, 0)) writeSync(2, `${formatLine(line, stall.format)}\n`)
  } catch {
    // A full pipe must not end this thread, which can still answer.
  }
}

const stallError = (ms: number): CosignerError => new CosignerError("E-STA-015", { stalledMs: ms })

// ---- what is known ---------------------------------------------------------------------------------------------------

function known(): KnownState | undefined {
  if (snapshot === undefined) return undefined
  const ms = stalledMs()
  if (prepared?.snapshot !== snapshot || prepared.stalledMs !== ms) {
    prepared = { snapshot, stalledMs: ms, known: prepare(snapshot, ms) }
  }
  return prepared.known
}

function prepare({ status, history, metrics }: PortSnapshot, ms: number | undefined): KnownState {
  const items =
    ms === undefined ? status.items : status.items.map((item) => (item.name === "loop" ? stalled(item, ms) : item))
  const ready = status.ready && ms === undefined
  return {
    status: JSON.stringify({ ...status, ready, items }),
    ready: JSON.stringify({ ready, items }),
    isReady: ready,
    history: JSON.stringify(history),
    metrics,
  }
}

function stalled(item: ItemDocument, ms: number): ItemDocument {
  const error = stallError(ms)
  const checked_ms = Date.now()
  return {
    ...item,
    state: "failed",
    reason: error.message,
    code: error.code,
    next: error.next,
    since_ms: checked_ms - ms,
    checked_ms,
  }
}

// ---- the port --------------------------------------------------------------------------------------------------------

async function open({ listen, token }: PortOptions): Promise<void> {
  try {
    const { createPort } = await import("./port.ts")
    const admit = createLimits()
    const answer = createPort({
      listen,
      token,
      version: build.version,
      known,
      lists,
      admit: (client, weight) => admit(client, weight, performance.now()),
    })
    self.postMessage({ kind: "opened", address: await serveOn(listen, answer) })
  } catch (error) {
    self.postMessage({ kind: "refused", why: errorText(error) })
  }
}

self.addEventListener("message", ({ data }) => {
  switch (data.kind) {
    case "open":
      stall = data.stall
      // Opens the C library now: after the node has sealed its code, nothing can be loaded.
      isWritable(2, 0)
      beatAt = performance.now()
      setInterval(watch, WATCH_MS)
      if (data.port !== undefined) void open(data.port)
      return
    case "beat":
      beatAt = performance.now()
      snapshot = data.snapshot
      return
    case "changed":
      return lists[data.list].change(data.change)
  }
})
