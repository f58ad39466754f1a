/**
 * The main thread's side of the status port: starts the thread, beats for it, tells it what changed, and starts it again
 * should it die. Everything that leaves through here was held against its schema first.
 */
import type { TSchema } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import type { Listen } from "../../config/listen.ts"
import { CosignerError, describe, errorText, placeIn } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { historySchema, statusSchema } from "./documents.ts"
import type { Feed } from "./feed.ts"
import type { FromThread, ListName, PortOptions, PortSnapshot, StallOptions, ToThread } from "./messages.ts"

export interface StatusThread {
  /** Where the port is, as `status.listen` writes it; undefined without one. */
  readonly address: string | undefined
  /**
   * A sign of life, with what is known (made only if there is a port), and the next portion of each list. At least twice
   * within the stall limit.
   */
  beat(snapshot: (() => PortSnapshot) | undefined): void
  stop(): void
}

interface PortThreadOptions {
  readonly port: PortOptions | undefined
  readonly stall: StallOptions
  readonly feeds: Readonly<Record<ListName, Feed>>
  readonly log: Log
  /** Makes the thread; `spawnPortThread` in a node. */
  readonly spawn: () => Worker
}

const LISTS: readonly ListName[] = ["tasks", "groups"]

/** After a death, ms; doubled with each that follows before the port was open again, up to the cap. */
const RESTART_MS = 1_000
const RESTART_CAP_MS = 60_000
const OPEN_MS = 10_000

/** Resolves when the port is open. Throws E-STA-001. */
export async function startStatus(options: PortThreadOptions): Promise<StatusThread> {
  const { port, feeds, log, spawn } = options
  let thread: Worker | undefined
  let isStopped = false
  let restart: ReturnType<typeof setTimeout> | undefined
  /** Since the port was last open. */
  let deaths = 0
  let wasOpen = port === undefined
  const first = Promise.withResolvers<string | undefined>()

  function start(): void {
    const worker = spawn()
    thread = worker
    const died = (reason: string): void => {
      if (thread !== worker || isStopped) return
      thread = undefined
      worker.terminate()
      // a port that was never open stops the start (E-STA-001); nothing goes on without it
      if (!wasOpen) return first.reject(reason)
      const death = new CosignerError("E-STA-017", { reason })
      if (deaths++ === 0) log.error(describe(death), { code: death.code })
      restart = setTimeout(start, Math.min(RESTART_CAP_MS, RESTART_MS * 2 ** (deaths - 1)))
    }
    worker.addEventListener("message", (event: MessageEvent<FromThread>) => onMessage(event.data, died))
    worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    worker.addEventListener("close", () => died("it was closed"))
    post(worker, { kind: "open", port, stall: options.stall })
    if (port === undefined) first.resolve(undefined)
  }

  function onMessage(message: FromThread, died: (reason: string) => void): void {
    switch (message.kind) {
      case "opened":
        if (deaths > 0) log.info("the status port is open again", { address: message.address })
        for (const list of LISTS) feeds[list].again()
        deaths = 0
        wasOpen = true
        return first.resolve(message.address)
      case "refused":
        return died(message.why)
    }
  }

  function tellLists(worker: Worker): void {
    for (const list of LISTS) {
      const change = feeds[list].next()
      if (change.put.length > 0 || change.gone.length > 0) post(worker, { kind: "changed", list, change })
    }
  }

  start()
  const patience = setTimeout(() => first.reject("it did not open in time"), OPEN_MS)
  try {
    const address = await first.promise
    return {
      address,
      beat(snapshot) {
        const made = port === undefined || snapshot === undefined ? undefined : checkedSnapshot(snapshot())
        if (thread === undefined) return
        post(thread, { kind: "beat", snapshot: made })
        if (made !== undefined) tellLists(thread)
      },
      stop,
    }
  } catch (error) {
    stop()
    throw notOpened(port, error)
  } finally {
    clearTimeout(patience)
  }

  function stop(): void {
    isStopped = true
    clearTimeout(restart)
    thread?.terminate()
  }
}

function notOpened(port: PortOptions | undefined, cause: unknown): CosignerError {
  const why = typeof cause === "string" ? cause : errorText(cause)
  return new CosignerError("E-STA-001", { listen: port === undefined ? "" : shown(port.listen), why }, { cause })
}

const post = (worker: Worker, message: ToThread): void => worker.postMessage(message)

const shown = (listen: Listen): string =>
  listen.kind === "unix" ? `unix:${listen.path}` : `${listen.hostname}:${listen.port}`

const checkedSnapshot = ({ status, history, metrics }: PortSnapshot): PortSnapshot => ({
  metrics,
  status: checked(statusSchema, status),
  history: checked(historySchema, history),
})

/** The document itself, if it is exactly what its schema says: no field more, and none of another kind. */
export function checked<T>(schema: TSchema, document: T): T {
  if (Value.Check(schema, document)) return document
  const first = Value.Errors(schema, document).First()
  throw new CosignerError("E-CLI-001", { what: `a status document is wrong at ${first?.path}: ${first?.message}` })
}
