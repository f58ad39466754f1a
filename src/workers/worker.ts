/**
 * A session worker. It hosts sessions of mpc/ and turns what they ask for into messages to the main thread. It holds the identity
 * key and the shares of the sessions that run in it; it has no access to the store, the network or the configuration.
 */
import { randomBytes } from "node:crypto"
import { copy } from "../bytes.ts"
import { tryArithmetic } from "../crypto/tryArithmetic.ts"
import { useMemory } from "../crypto/wasm.ts"
import { type GroupSecret, wipeGroupSecret } from "../keys/group.ts"
import { crash } from "../mpc/crash.ts"
import { identityOf } from "../mpc/envelope.ts"
import { sessionHost } from "../mpc/host.ts"
import type { EncodedSpec, Ending, HostIo, RunningSession } from "../mpc/session.ts"
import { kernelRandom } from "./kernelRandom.ts"
import {
  decodedSpec,
  type FromWorker,
  plainBlame,
  plainEnding,
  plainRecord,
  secretsOf,
  type ToWorker,
  transferOfCall,
  type WorkerCall,
  type WorkerIdentity,
} from "./messages.ts"
import { giveWay } from "./priority.ts"

declare const self: {
  postMessage(message: FromWorker, transfer?: readonly ArrayBuffer[]): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToWorker }) => void): void
}

/** The session counter of a worker's randomness is its worker number times this, plus the number of the session in the worker. */
const SESSIONS_PER_WORKER = 2 ** 32

const sessions = new Map<number, RunningSession>()
const calls = new Map<number, { readonly resolve: (value: boolean) => void; readonly reject: (error: Error) => void }>()
let lastCall = 0
let start: ReturnType<typeof sessionHost> | undefined
/** True once this thread has passed the self-test of its arithmetic. Until then each session tries it first. */
let isTried = false

function hostFor(identity: WorkerIdentity): typeof start {
  let session = 0
  const signing = identityOf(identity.seed)
  identity.seed.fill(0)
  return sessionHost(signing, () => ({
    system: copy(randomBytes(64)),
    kernel: kernelRandom(32),
    nodeSecret: identity.nodeSecret,
    bootCounter: identity.bootCounter,
    sessionCounter: identity.worker * SESSIONS_PER_WORKER + ++session,
  }))
}

function call(session: number, what: WorkerCall): Promise<boolean> {
  const id = ++lastCall
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject })
    self.postMessage({ kind: "call", session, call: id, what }, transferOfCall(what))
  })
}

const ioOf = (session: number): HostIo => ({
  send: (envelope) => self.postMessage({ kind: "send", session, envelope }),
  begin: async (sid) => void (await call(session, { kind: "begin", sid })),
  record: async (record) => void (await call(session, { kind: "record", record: plainRecord(record) })),
  blamed: async (blame, sid) => void (await call(session, { kind: "blamed", blame: plainBlame(blame), sid })),
  mayRelease: () => call(session, { kind: "mayRelease" }),
})

function begin(session: number, encoded: EncodedSpec): void {
  hosted(session, encoded).then((ending) => {
    sessions.delete(session)
    self.postMessage({ kind: "ended", session, ending: plainEnding(ending) })
  })
}

/** Never rejects: a failure of one session must not end the worker, because that would end all its other sessions. */
async function hosted(session: number, encoded: EncodedSpec): Promise<Ending> {
  let secrets: readonly GroupSecret[] = []
  try {
    if (start === undefined) throw new TypeError("a session was started before init")
    if (!isTried) tryArithmetic()
    isTried = true
    const spec = decodedSpec(encoded)
    secrets = secretsOf(spec)
    const running = start(spec, ioOf(session))
    sessions.set(session, running)
    return await running.ending
  } catch (error) {
    return crash(error, undefined)
  } finally {
    for (const secret of secrets) wipeGroupSecret(secret)
  }
}

function answer(id: number, ok: boolean, value: boolean): void {
  const waiting = calls.get(id)
  calls.delete(id)
  if (ok) waiting?.resolve(value)
  else waiting?.reject(new Error("the main thread could not make it durable"))
}

self.addEventListener("message", ({ data }) => {
  switch (data.kind) {
    case "init":
      giveWay()
      useMemory(data.memory)
      start = hostFor(data.identity)
      return self.postMessage({ kind: "ready" })
    case "start":
      return begin(data.session, data.spec)
    case "deliver": {
      const { session, envelope } = data
      const { length } = envelope
      sessions.get(session)?.deliver(envelope)
      return self.postMessage({ kind: "took", session, length })
    }
    case "cancel":
      return sessions.get(data.session)?.cancel(data.reason)
    case "answer":
      return answer(data.call, data.ok, data.value)
    case "ping":
      return self.postMessage({ kind: "pong", at: data.at })
  }
})
