/**
 * The pool of session workers. Every session runs in one worker from its first round to its ending, so that signatures
 * use all cores and the main thread stays free for the link, the store and the status port. The main thread makes durable
 * what a session needs durable: the session calls, and the pool answers when it is done.
 */
import { makeMemory } from "../crypto/wasm.ts"
import { CosignerError, errorText, placeIn } from "../errors.ts"
import { wipeGroupSecret } from "../keys/group.ts"
import type { Ending, HostIo } from "../mpc/session.ts"
import type { HostedSession, StartSession } from "../tasks/ports.ts"
import { mostQueued, queuedBytes } from "./inbound.ts"
import {
  blameOf,
  encodedSecretsOf,
  endingOf,
  type FromWorker,
  recordOf,
  type ToWorker,
  transferOfCall,
  type WorkerCall,
  type WorkerIdentity,
} from "./messages.ts"

const RESPAWN_MS = 1_000

interface PoolOptions {
  readonly size: number
  readonly identity: Omit<WorkerIdentity, "worker">
  /** Called when a worker has died: its sessions end as crashed, and a new worker takes its place. */
  readonly onDeath: (reason: string) => void
  /** Starts a thread that speaks messages.ts: one for each worker at the start, and one for each worker that died. */
  readonly spawn: () => Worker
  /** How many bytes may wait in the queues of all workers together. */
  readonly mostQueued: number
}

export interface Pool {
  readonly startSession: StartSession
  /** Resolves when every worker has answered, with the longest delay in ms. Never rejects; the caller sets the time limit. */
  ping(): Promise<number>
  /** Number of sessions in progress. */
  open(): number
  /** Number of workers alive. */
  alive(): number
  /** Treats workers that have left a ping unanswered for `silentMs` as dead. */
  reap(silentMs: number): void
  /** Ends all sessions as crashed, and ends the workers. */
  close(): void
}

interface Hosted {
  readonly io: HostIo
  readonly end: (ending: Ending) => void
  /** How many bytes may wait for the session in its worker's queue, and how many wait now. */
  readonly mostQueued: number
  queued: number
  /** Its queue was full: the session is being cancelled, and nothing more is queued for it. */
  isFlooded: boolean
}

/** One worker, the sessions in it, and the pings that it has not answered yet. */
class WorkerSlot {
  readonly sessions = new Map<number, Hosted>()
  /** Unanswered pings, in the order in which they were sent. */
  readonly pings = new Map<number, { readonly answered: () => void; readonly sentAt: number }>()

  constructor(readonly worker: Worker) {}

  post(message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    this.worker.postMessage(message, [...transfer])
  }

  /** Ends every session as crashed and resolves every ping, so that nothing waits for a worker that is gone. */
  end(reason: string): void {
    for (const { end } of [...this.sessions.values()]) end({ kind: "crashed", reason })
    for (const { answered } of this.pings.values()) answered()
    this.worker.terminate()
  }
}

/** Resolves when all workers are ready; rejects when a worker cannot be started. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  const pool = new WorkerPool(options)
  await pool.start()
  return pool
}

class WorkerPool implements Pool {
  readonly #options: PoolOptions
  readonly #slots: WorkerSlot[] = []
  #counter = 0
  #workers = 0
  /** Bytes that wait for all sessions that are not flooded. */
  #queued = 0
  #closed = false
  /**
   * Memories for workers that start later. They are made now because none can be made once the process has locked its memory. There is
   * one more than there are workers: a worker may take a dead worker's place before that one has released its own memory.
   */
  readonly #memories: WebAssembly.Memory[]

  constructor(options: PoolOptions) {
    this.#options = options
    this.#memories = Array.from({ length: options.size + 1 }, makeMemory)
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.size }, () => this.#addWorker()))
  }

  readonly startSession: StartSession = (spec, io) => {
    const session = ++this.#counter
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const [least] = [...this.#slots].sort((a, b) => a.sessions.size - b.sessions.size)
    if (least === undefined) {
      for (const bytes of encodedSecretsOf(spec)) bytes.fill(0)
      resolve({ kind: "crashed", reason: "no session worker is alive" })
      return { deliver: () => undefined, cancel: () => undefined, ending: promise }
    }
    const end = (ending: Ending): void => {
      least.sessions.delete(session)
      this.#queue(hosted, -hosted.queued)
      resolve(ending)
    }
    const hosted: Hosted = { io, end, mostQueued: mostQueued(spec), queued: 0, isFlooded: false }
    least.sessions.set(session, hosted)
    least.post(
      { kind: "start", session, spec },
      encodedSecretsOf(spec).map(({ buffer }) => buffer),
    )
    return {
      deliver: (envelope) => this.#deliver(least, session, hosted, envelope),
      cancel: (reason) => least.post({ kind: "cancel", session, reason }),
      ending: promise,
    }
  }

  async ping(): Promise<number> {
    const begun = performance.now()
    await Promise.all(
      this.#slots.map((slot) => {
        const at = ++this.#counter
        const { promise, resolve } = Promise.withResolvers<void>()
        slot.pings.set(at, { answered: resolve, sentAt: begun })
        slot.post({ kind: "ping", at })
        return promise
      }),
    )
    return performance.now() - begun
  }

  open(): number {
    return this.#slots.reduce((sum, slot) => sum + slot.sessions.size, 0)
  }

  alive(): number {
    return this.#slots.length
  }

  reap(silentMs: number): void {
    for (const slot of [...this.#slots]) {
      const [oldest] = slot.pings.values()
      if (oldest === undefined || performance.now() - oldest.sentAt < silentMs) continue
      this.#bury(slot, `it did not answer for ${Math.round(silentMs / 1000)} s`)
    }
  }

  close(): void {
    this.#closed = true
    for (const slot of this.#slots.splice(0)) slot.end("the node is stopping")
  }

  // ---- workers -------------------------------------------------------------------------------------------------------

  async #addWorker(): Promise<void> {
    const memory = this.#memories.pop()
    if (memory === undefined) throw new Error("those that died are not gone yet")
    const slot = new WorkerSlot(this.#options.spawn())
    const ready = Promise.withResolvers<void>()
    const died = (reason: string): void => {
      ready.reject(new CosignerError("E-CLI-001", { what: `a session worker died: ${reason}` }))
      this.#bury(slot, reason)
    }
    slot.worker.addEventListener("message", (event: MessageEvent<FromWorker>) => {
      if (event.data.kind === "ready") ready.resolve()
      else this.#onMessage(slot, event.data)
    })
    slot.worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    slot.worker.addEventListener("close", () => {
      // No worker computes in this memory any more. Overwrite what a session left there.
      new Uint8Array(memory.buffer).fill(0)
      this.#memories.push(memory)
      died("it was closed")
    })
    slot.post({ kind: "init", identity: { ...this.#options.identity, worker: ++this.#workers }, memory })
    await ready.promise
    if (this.#closed) slot.worker.terminate()
    else this.#slots.push(slot)
  }

  #bury(dead: WorkerSlot, reason: string): void {
    const at = this.#slots.indexOf(dead)
    if (at < 0) return
    this.#slots.splice(at, 1)
    dead.end(`its worker died: ${reason}`)
    this.#options.onDeath(reason)
    this.#replace()
  }

  /** Tries until it succeeds: a machine that is out of memory now may have some later. */
  #replace(): void {
    this.#addWorker().catch((error: unknown) => {
      if (this.#closed) return
      this.#options.onDeath(`no new worker could be started: ${errorText(error)}`)
      setTimeout(() => this.#replace(), RESPAWN_MS).unref()
    })
  }

  #onMessage(from: WorkerSlot, message: Exclude<FromWorker, { kind: "ready" }>): void {
    if (message.kind === "pong") {
      from.pings.get(message.at)?.answered()
      from.pings.delete(message.at)
      return
    }
    const hosted = from.sessions.get(message.session)
    if (hosted === undefined) return overwriteSecrets(message)
    switch (message.kind) {
      case "took":
        return this.#queue(hosted, -queuedBytes(message.length))
      case "send":
        return hosted.io.send(message.envelope)
      case "call": {
        const { call } = message
        carryOut(hosted.io, message.what).then(
          (value) => from.post({ kind: "answer", call, ok: true, value }),
          () => from.post({ kind: "answer", call, ok: false, value: false }),
        )
        return
      }
      case "ended":
        return hosted.end(endingOf(message.ending))
    }
  }

  // ---- what waits in the workers' queues -----------------------------------------------------------------------------

  #deliver(slot: WorkerSlot, session: number, hosted: Hosted, envelope: Parameters<HostedSession["deliver"]>[0]): void {
    if (!slot.sessions.has(session) || hosted.isFlooded) return
    this.#queue(hosted, queuedBytes(envelope.length))
    if (hosted.queued > hosted.mostQueued) return this.#flooded(slot, session, hosted)
    slot.post({ kind: "deliver", session, envelope })
    this.#relieve()
  }

  /** Cancels the session. The worker reads the cancel after what is already in its queue; until then nothing more is queued. */
  #flooded(slot: WorkerSlot, session: number, hosted: Hosted): void {
    this.#queue(hosted, -hosted.queued)
    hosted.isFlooded = true
    slot.post({ kind: "cancel", session, reason: "flooded" })
  }

  #queue(hosted: Hosted, bytes: number): void {
    if (hosted.isFlooded) return
    hosted.queued += bytes
    this.#queued += bytes
  }

  /** If all sessions together have too much queued, cancels the session with the most. */
  #relieve(): void {
    if (this.#queued <= this.#options.mostQueued) return
    const all = this.#slots.flatMap((slot) =>
      [...slot.sessions].map(([session, hosted]) => ({ slot, session, hosted })),
    )
    const [most] = all.sort((a, b) => b.hosted.queued - a.hosted.queued)
    if (most !== undefined) this.#flooded(most.slot, most.session, most.hosted)
  }
}

/** For a message of a session that had ended before the message was read: nobody takes over the secrets in it. */
function overwriteSecrets(message: FromWorker): void {
  if (message.kind !== "call") return
  for (const buffer of transferOfCall(message.what)) new Uint8Array(buffer).fill(0)
}

/** Resolves when the call's effect is durable, or with the call's answer. */
async function carryOut(io: HostIo, call: WorkerCall): Promise<boolean> {
  switch (call.kind) {
    case "begin":
      await io.begin(call.sid)
      return true
    case "record": {
      const record = recordOf(call.record)
      try {
        await io.record(record)
      } finally {
        if (record.kind === "prepared") wipeGroupSecret(record.secret)
      }
      return true
    }
    case "blamed":
      await io.blamed(blameOf(call.blame), call.sid)
      return true
    case "mayRelease":
      return io.mayRelease()
  }
}
