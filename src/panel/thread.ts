/**
 * The main thread's side of a page: starts the thread that listens, tells it what changed, and starts it again if it dies.
 * The thread cannot ask: there is no message by which a client's request could reach the main thread.
 */
import { type CosignerError, describe, errorText, placeIn } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Feed, ShelfChange } from "./feed.ts"

export type FromThread =
  /** `address`: as the configuration has it, with the port that was really taken. */
  { readonly kind: "opened"; readonly address: string } | { readonly kind: "refused"; readonly why: string }

export interface PageThread<M> {
  /** The address that it listens on; undefined if it does not listen. */
  readonly address: string | undefined
  /** Does nothing while there is no thread. */
  tell(message: M): void
  /** The next portion of each list. */
  tellLists(): void
  /** Resolves when its listener is gone. */
  stop(): Promise<void>
}

interface PageThreadOptions<M, L extends string> {
  /** The first message to each thread. */
  readonly open: M
  /** Whether the thread reports that it opened: a thread that does not listen is not waited for. */
  readonly listens: boolean
  readonly feeds: readonly (readonly [list: L, feed: Feed])[]
  readonly changed: (list: L, change: ShelfChange) => M
  readonly spawn: () => Worker
  readonly log: Log
  /** Logged once it is open again after a death. */
  readonly againText: string
  readonly died: (reason: string) => CosignerError
  readonly notOpened: (why: string, cause: unknown) => CosignerError
}

/** Pause after a death, ms; doubled with each death before it is open again, up to the cap. */
const RESTART_MS = 1_000
const RESTART_CAP_MS = 60_000
const OPEN_MS = 10_000

/** Resolves when it is open. Throws the error that `notOpened` makes. */
export async function startPageThread<M, L extends string>(options: PageThreadOptions<M, L>): Promise<PageThread<M>> {
  const { open, listens, feeds, changed, log, spawn } = options
  let thread: Worker | undefined
  let isStopped = false
  let restart: ReturnType<typeof setTimeout> | undefined
  /** Deaths since it was last open. */
  let deaths = 0
  let wasOpen = !listens
  const first = Promise.withResolvers<string | undefined>()

  function start(): void {
    const worker = spawn()
    thread = worker
    const died = (reason: string): void => {
      if (thread !== worker || isStopped) return
      thread = undefined
      worker.terminate()
      // A thread that was never open stops the start; nothing goes on without it.
      if (!wasOpen) return first.reject(reason)
      const death = options.died(reason)
      if (deaths++ === 0) log.error(describe(death), { code: death.code })
      restart = setTimeout(start, Math.min(RESTART_CAP_MS, RESTART_MS * 2 ** (deaths - 1)))
    }
    worker.addEventListener("message", (event: MessageEvent<FromThread>) => onMessage(event.data, died))
    worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    worker.addEventListener("close", () => died("it was closed"))
    worker.postMessage(open)
    if (!listens) first.resolve(undefined)
  }

  function onMessage(message: FromThread, died: (reason: string) => void): void {
    switch (message.kind) {
      case "opened":
        if (deaths > 0) log.info(options.againText, { address: message.address })
        for (const [, feed] of feeds) feed.again()
        deaths = 0
        wasOpen = true
        return first.resolve(message.address)
      case "refused":
        return died(message.why)
    }
  }

  async function stop(): Promise<void> {
    isStopped = true
    clearTimeout(restart)
    const worker = thread
    if (worker === undefined) return
    thread = undefined
    const gone = new Promise((resolve) => worker.addEventListener("close", resolve))
    worker.terminate()
    await gone
  }

  start()
  const patience = setTimeout(() => first.reject("it did not open in time"), OPEN_MS)
  try {
    const address = await first.promise
    return {
      address,
      tell: (message) => thread?.postMessage(message),
      tellLists() {
        const worker = thread
        if (worker === undefined) return
        for (const [list, feed] of feeds) {
          const change = feed.next()
          if (change.put.length > 0 || change.gone.length > 0) worker.postMessage(changed(list, change))
        }
      },
      stop,
    }
  } catch (error) {
    void stop()
    throw options.notOpened(typeof error === "string" ? error : errorText(error), error)
  } finally {
    clearTimeout(patience)
  }
}
