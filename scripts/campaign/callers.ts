/**
 * Who asks several WaaS processes: each call goes to one that says it is ready, drawn at random. What a load balancer does for them
 * is done here: one that stops answering gets no more calls, and once `guard` was called it loses its connections, so that no caller
 * waits for it.
 */

import { sleep } from "../../src/sleep.ts"
import { type Client, createClient } from "../../src/waas/client.ts"
import type { ClientOptions } from "../../src/waas/signedCall.ts"
import type { Draw } from "./draw.ts"
import { Wire } from "./wire.ts"

const CHECK_MS = 300
const PATIENCE_MS = 1_000

interface Served {
  readonly port: number
  readonly wire: Wire | undefined
  readonly client: Client
  isReady: boolean
}

/** A key of its own for each process: two callers of one key may ask the same thing in the same millisecond. */
export interface Target {
  readonly port: number
  readonly access: Omit<ClientOptions, "baseUrl">
}

export class Callers implements AsyncDisposable {
  readonly #all: readonly Served[]
  readonly #draw: Draw
  readonly #stopping = new AbortController()
  readonly #checking: Promise<void>
  #isGuarding = false
  /** Every call to another one. */
  readonly client: Client

  private constructor(all: readonly Served[], draw: Draw) {
    this.#all = all
    this.#draw = draw
    this.client = new Proxy(this.#drawn(), { get: (_, name) => Reflect.get(this.#drawn(), name) })
    this.#checking = this.#check()
  }

  /** Without wires nothing stands in between: a call to one that stops answering waits for it. */
  static async start(targets: readonly Target[], draw: Draw, hasWires: boolean): Promise<Callers> {
    const all = targets.map(async ({ port, access }) => {
      const wire = hasWires ? await Wire.start(() => port) : undefined
      const baseUrl = `http://127.0.0.1:${wire?.port ?? port}`
      return { port, wire, client: createClient({ ...access, baseUrl }), isReady: false }
    })
    return new Callers(await Promise.all(all), draw)
  }

  /** From now on nobody waits for one that stopped answering. */
  guard(): void {
    this.#isGuarding = true
  }

  /** Those that say they are ready. */
  ready(): readonly Client[] {
    return this.#all.filter(({ isReady }) => isReady).map(({ client }) => client)
  }

  /** Of the replica at that place, ready or not. */
  clientAt(index: number): Client {
    const one = this.#all[index]
    if (one === undefined) throw new RangeError(`no replica at ${index}`)
    return one.client
  }

  /** Waits until so many are ready, at most so long; whether they were. */
  async untilReady(count: number, ms: number): Promise<boolean> {
    const end = performance.now() + ms
    while (this.ready().length < count && performance.now() < end) await Bun.sleep(CHECK_MS)
    return this.ready().length >= count
  }

  /** Where nobody is ready a caller tries whom it knows. */
  #drawn(): Client {
    const ready = this.ready()
    const among = ready.length > 0 ? ready : this.#all.map(({ client }) => client)
    const one = among[Math.floor(this.#draw() * among.length)]
    if (one === undefined) throw new RangeError("a client of nobody")
    return one
  }

  async #check(): Promise<void> {
    const { signal } = this.#stopping
    const one = async (served: Served): Promise<void> => {
      while (!signal.aborted) {
        const was = served.isReady
        served.isReady = await isReady(served.port)
        if (this.#isGuarding && was && !served.isReady) served.wire?.reset()
        await sleep(CHECK_MS, signal)
      }
    }
    await Promise.all(this.#all.map(one))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#checking
    for (const { wire } of this.#all) await wire?.[Symbol.asyncDispose]()
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    return answer.status === 200
  } catch {
    return false
  }
}
