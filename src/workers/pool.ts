/**
 * The pool of session workers: every session runs in one of them from its first round to its ending, so that signatures
 * use all cores and the main thread stays free for the link, the store and the status port. What a session makes durable
 * is done here, on the main thread, between its call and our answer.
 */
import { build } from "../build.ts"
import { CosignerError, errorText, placeIn } from "../errors.ts"
import { wipeGroupSecret } from "../keys/group.ts"
import type { Ending, HostIo } from "../mpc/session.ts"
import type { HostedSession, StartSession } from "../tasks/ports.ts"
import { MOST_QUEUED, mostQueued, queuedBytes } from "./inbound.ts"
import {
  blameOf,
  type Call,
  endingOf,
  type FromWorker,
  type Identity,
  plainSpec,
  recordOf,
  type ToWorker,
  transferOf,
} from "./messages.ts"

// In the binary this module lies in the bundle's root, and the worker in the folder of its own entry point.
const WORKER = new URL(build.mode === "compiled" ? "./workers/worker.ts" : "./worker.ts", import.meta.url)

const RESPAWN_MS = 1_000

export interface PoolOptions {
  readonly size: number
  readonly identity: Omit<Identity, "worker">
  /** Told when a worker died; its sessions end as crashed and another takes its place. */
  readonly onDeath: (reason: string) => void
  /** What a worker runs, if not this program's own. */
  readonly program?: URL
  /** What may wait in the queues of all workers, bytes; MOST_QUEUED unless given. */
  readonly mostQueued?: number
}

export interface Pool {
  readonly startSession: StartSession
  /** Resolves when every worker answers: the longest delay, ms. Never rejects; bound it from outside. */
  ping(): Promise<number>
  /** Sessions in progress. */
  open(): number
  /** Workers alive. */
  alive(): number
  /** Buries workers that have left a ping unanswered for `silentMs`, as if they had died. */
  reap(silentMs: number): void
  /** Ends all sessions as crashed, and the workers. */
  close(): void
}

interface Hosted {
  readonly io: HostIo
  readonly end: (ending: Ending) => void
  /** What may wait for it in its worker's queue, and what does. */
  readonly mostQueued: number
  queued: number
  /** It is about to end for what was queued: nothing more is. */
  isFlooded: boolean
}

interface WorkerSlot {
  readonly worker: Worker
  readonly sessions: Map<number, Hosted>
  /** Unanswered, in the order in which they were sent. */
  readonly pings: Map<number, { readonly answered: () => void; readonly sentAt: number }>
  post(message: ToWorker, transfer?: readonly ArrayBuffer[]): void
}

/** Resolves when all workers are ready; rejects when one cannot be started. */
export async function startPool(options: PoolOptions): Promise<Pool> {
  let counter = 0
  let workers = 0
  /** What waits for all sessions that are not flooded. */
  let queued = 0
  let closed = false
  const slots: WorkerSlot[] = []

  async function slot(): Promise<void> {
    const worker = new Worker(options.program ?? WORKER)
    const ready = Promise.withResolvers<void>()
    const it: WorkerSlot = {
      worker,
      sessions: new Map(),
      pings: new Map(),
      post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    }
    const died = (reason: string): void => {
      ready.reject(new CosignerError("E-CLI-001", { what: `a session worker died: ${reason}` }))
      bury(it, reason)
    }
    worker.addEventListener("message", (event: MessageEvent<FromWorker>) => {
      if (event.data.kind === "ready") ready.resolve()
      else onMessage(it, event.data)
    })
    worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    worker.addEventListener("close", () => died("it was closed"))
    it.post({ kind: "init", identity: { ...options.identity, worker: ++workers } })
    await ready.promise
    if (closed) worker.terminate()
    else slots.push(it)
  }

  function bury(dead: WorkerSlot, reason: string): void {
    const at = slots.indexOf(dead)
    if (at < 0 || closed) return
    slots.splice(at, 1)
    for (const { end } of [...dead.sessions.values()]) end({ kind: "crashed", reason: `its worker died: ${reason}` })
    for (const { answered } of dead.pings.values()) answered()
    dead.worker.terminate()
    options.onDeath(reason)
    replace()
  }

  /** Until it works: a machine without memory now has some later. */
  function replace(): void {
    slot().catch((error: unknown) => {
      if (closed) return
      options.onDeath(`no new worker could be started: ${errorText(error)}`)
      setTimeout(replace, RESPAWN_MS).unref()
    })
  }

  function onMessage(from: WorkerSlot, message: Exclude<FromWorker, { kind: "ready" }>): void {
    if (message.kind === "pong") {
      from.pings.get(message.at)?.answered()
      from.pings.delete(message.at)
      return
    }
    const hosted = from.sessions.get(message.session)
    if (hosted === undefined) return
    switch (message.kind) {
      case "took":
        return queue(hosted, -queuedBytes(message.length))
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

  /** Ends the session in an orderly way, once its worker has come so far; until then nothing more is queued for it. */
  function flooded(slot: WorkerSlot, session: number, hosted: Hosted): void {
    queue(hosted, -hosted.queued)
    hosted.isFlooded = true
    slot.post({ kind: "cancel", session, reason: "flooded" })
  }

  function queue(hosted: Hosted, bytes: number): void {
    if (hosted.isFlooded) return
    hosted.queued += bytes
    queued += bytes
  }

  /** Too much in all: the session that most is queued for goes, not the one that happens to be next. */
  function relieve(): void {
    if (queued <= (options.mostQueued ?? MOST_QUEUED)) return
    const all = slots.flatMap((slot) => [...slot.sessions].map(([session, hosted]) => ({ slot, session, hosted })))
    const [most] = all.sort((a, b) => b.hosted.queued - a.hosted.queued)
    if (most !== undefined) flooded(most.slot, most.session, most.hosted)
  }

  function startSession(spec: Parameters<StartSession>[0], io: HostIo): HostedSession {
    const session = ++counter
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const [least] = [...slots].sort((a, b) => a.sessions.size - b.sessions.size)
    if (least === undefined) {
      resolve({ kind: "crashed", reason: "no session worker is alive" })
      return { deliver: () => undefined, cancel: () => undefined, ending: promise }
    }
    const end = (ending: Ending): void => {
      least.sessions.delete(session)
      queue(hosted, -hosted.queued)
      resolve(ending)
    }
    const hosted: Hosted = { io, end, mostQueued: mostQueued(spec), queued: 0, isFlooded: false }
    least.sessions.set(session, hosted)
    const plain = plainSpec(spec)
    least.post({ kind: "start", session, spec: plain }, transferOf(plain))
    return {
      deliver(envelope) {
        if (!least.sessions.has(session) || hosted.isFlooded) return
        queue(hosted, queuedBytes(envelope.length))
        if (hosted.queued > hosted.mostQueued) return flooded(least, session, hosted)
        least.post({ kind: "deliver", session, envelope })
        relieve()
      },
      cancel: (reason) => least.post({ kind: "cancel", session, reason }),
      ending: promise,
    }
  }

  await Promise.all(Array.from({ length: options.size }, slot))
  return {
    startSession,
    async ping() {
      const begun = performance.now()
      await Promise.all(
        slots.map((it) => {
          const at = ++counter
          const { promise, resolve } = Promise.withResolvers<void>()
          it.pings.set(at, { answered: resolve, sentAt: begun })
          it.post({ kind: "ping", at })
          return promise
        }),
      )
      return performance.now() - begun
    },
    open: () => slots.reduce((sum, it) => sum + it.sessions.size, 0),
    alive: () => slots.length,
    reap(silentMs) {
      for (const it of [...slots]) {
        const [oldest] = it.pings.values()
        if (oldest === undefined || performance.now() - oldest.sentAt < silentMs) continue
        bury(it, `it did not answer for ${Math.round(silentMs / 1000)} s`)
      }
    },
    close() {
      closed = true
      for (const it of slots) {
        for (const { end } of [...it.sessions.values()]) end({ kind: "crashed", reason: "the node is stopping" })
        it.worker.terminate()
      }
    },
  }
}

/** Resolves when it is durable, or with the answer. */
async function carryOut(io: HostIo, call: Call): Promise<boolean> {
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
