/**
 * The thread that reads large payloads. They are decoded there so that no payload blocks the main thread, and with it the link
 * and the timers of sessions. The thread starts when the first large payload arrives and ends when none has arrived for a while.
 * It knows the public key of the group and the names of the configuration, and no secret.
 */
import { build } from "../build.ts"
import { placeIn } from "../errors.ts"
import { problem } from "../intent/problem.ts"
import type { Problem as IntentProblem } from "../intent/reading.ts"
import type { Names } from "../policy/names.ts"
import {
  type IntentKey,
  type IntentSettings,
  type Intents,
  intentSettingsOf,
  type ReadElsewhere,
} from "../tasks/intents.ts"
import type { KeySignTask } from "../wire/task.ts"
import type { FromReader, ToReader } from "./readerMessages.ts"

// In the binary this module is in the bundle's root, and the thread's program is in the folder of its own entry point.
const PROGRAM = new URL(
  build.mode === "compiled" ? "./workers/readerProgram.ts" : "./readerProgram.ts",
  import.meta.url,
)

/** Reading the largest payloads takes a second. A reading that takes longer than this will never end. */
const LONGEST_MS = 30_000
const IDLE_MS = 60_000

interface Reader {
  /** Never rejects: if the thread cannot read a payload, that is a problem of the payload. */
  readonly read: ReadElsewhere
  /** Ends the thread; each waiting payload gets a problem. */
  close(): void
}

interface Question {
  readonly task: KeySignTask
  readonly key: IntentKey
  readonly names: Names
  readonly answer: (read: Intents | IntentProblem) => void
}

interface ReaderSlot {
  readonly worker: Worker
  /** The names that the thread was sent last. */
  names: Names | undefined
}

interface ReaderTiming {
  readonly longestMs: number
  readonly idleMs: number
}

export const startReader = (
  spawn: () => Worker = () => new Worker(PROGRAM, { smol: true }),
  timing: ReaderTiming = { longestMs: LONGEST_MS, idleMs: IDLE_MS },
): Reader => new ReaderThread(spawn, timing)

class ReaderThread implements Reader {
  /** Questions in the order in which they were asked; the thread is reading the first. */
  readonly #waiting: Question[] = []
  #thread: ReaderSlot | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(
    readonly spawn: () => Worker,
    readonly timing: ReaderTiming,
  ) {}

  readonly read: ReadElsewhere = (task, key, names) => {
    const { promise, resolve } = Promise.withResolvers<Intents | IntentProblem>()
    this.#waiting.push({ task, key, names, answer: resolve })
    if (this.#isClosed) this.#answer(gone("the node is stopping"))
    else if (this.#waiting.length === 1) this.#askNext()
    return promise
  }

  close(): void {
    this.#isClosed = true
    this.#end()
    while (this.#waiting.length > 0) this.#answer(gone("the node is stopping"))
  }

  #askNext(): void {
    clearTimeout(this.#timer)
    const [next] = this.#waiting
    if (next === undefined) {
      this.#timer = setTimeout(() => this.#end(), this.timing.idleMs)
      this.#timer.unref()
      return
    }
    this.#timer = setTimeout(() => this.#died("it took too long"), this.timing.longestMs)
    this.#timer.unref()
    try {
      const thread = this.#started()
      if (thread.names !== next.names) {
        thread.names = next.names
        this.#post(thread.worker, { kind: "names", names: next.names })
      }
      this.#post(thread.worker, { kind: "read", task: next.task, key: next.key })
    } catch {
      this.#died("it could not be started")
    }
  }

  #started(): ReaderSlot {
    if (this.#thread !== undefined) return this.#thread
    const worker = this.spawn()
    const slot: ReaderSlot = { worker, names: undefined }
    this.#thread = slot
    const died = (reason: string): void => {
      if (this.#thread?.worker === worker) this.#died(reason)
    }
    worker.addEventListener("message", (event: MessageEvent<FromReader>) => {
      if (this.#thread?.worker !== worker) return
      this.#answer(event.data.read)
      this.#askNext()
    })
    worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    worker.addEventListener("close", () => died("it was closed"))
    return slot
  }

  #post(worker: Worker, message: ToReader): void {
    worker.postMessage(message)
  }

  /** Refuses the payload that the thread was reading; a new thread reads the next one. */
  #died(reason: string): void {
    this.#end()
    this.#answer(gone(reason))
    this.#askNext()
  }

  #answer(read: Intents | IntentProblem): void {
    this.#waiting.shift()?.answer(read)
  }

  #end(): void {
    clearTimeout(this.#timer)
    const thread = this.#thread
    this.#thread = undefined
    thread?.worker.terminate()
  }
}

const gone = (reason: string): IntentProblem =>
  problem("E-INT-001", "payloads", `the thread that reads payloads: ${reason}`)

/** A reader of payloads that sends large ones to the thread. It is made once for each table of names. */
export function onceForNames(elsewhere: ReadElsewhere): (names: Names) => IntentSettings {
  let made: { readonly names: Names; readonly settings: IntentSettings } | undefined
  return (names) => {
    if (made?.names !== names) made = { names, settings: { ...intentSettingsOf(names), elsewhere } }
    return made.settings
  }
}
