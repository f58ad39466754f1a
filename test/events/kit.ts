/** Event servers on loopback, and an outbox in memory with the store's meaning. */
import { generateKeyPairSync } from "node:crypto"
import { pingEvent } from "../../src/events/envelope.ts"
import { type OutboxPort, type Sender, type Sent, startSender } from "../../src/events/sender.ts"
import type { EventServer } from "../../src/events/servers.ts"
import type { OutboxEvent } from "../../src/tasks/ports.ts"
import { openToken, tokenSigner } from "../../src/wire/tssJwt.ts"

export const eventKey = generateKeyPairSync("rsa", { modulusLength: 2048 })

export interface Got {
  readonly id: string
  readonly body: Record<string, unknown>
  readonly atMs: number
  readonly token: string
}

export interface EventSink extends Disposable {
  readonly url: string
  readonly got: Got[]
  heard(nth: number): Promise<void>
}

export function eventSink(
  answer: (nth: number, got: Got) => Response | Promise<Response> = () => new Response(""),
): EventSink {
  const got: Got[] = []
  const waiting: { nth: number; resolve: () => void }[] = []
  const http = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const token = new URLSearchParams(await request.text()).get("TSS_JWT_MSG") ?? ""
      const opened = await openToken(token, eventKey.publicKey, Date.now())
      if (!opened.ok) return new Response(opened.reason, { status: 400 })
      const body = JSON.parse(opened.body)
      const one = { id: body.event_id, body, atMs: Date.now(), token }
      got.push(one)
      const answered = await answer(got.length, one)
      for (const waiter of waiting) if (got.length >= waiter.nth) waiter.resolve()
      return answered
    },
  })
  return {
    url: `http://127.0.0.1:${http.port}/v2/event`,
    got,
    heard: (nth) => new Promise((resolve) => (got.length >= nth ? resolve() : waiting.push({ nth, resolve }))),
    [Symbol.dispose]: () => void http.stop(true),
  }
}

export class MemoryOutbox implements OutboxPort {
  readonly rows: {
    seq: number
    server: string
    event: OutboxEvent
    attempts: number
    lastMs: number
    failed: boolean
  }[] = []
  #seq = 0

  /** An event of a request: of its body the request alone. */
  putFor(request: string, id: string, server: string): void {
    const body = JSON.stringify({ event_id: id, data: { request_id: request, extra_info: '{"request_id":"other"}' } })
    const event = { eventId: id, eventType: "request.keysign.created", createdMs: Date.now(), body }
    this.rows.push({ seq: ++this.#seq, server, event, attempts: 0, lastMs: 0, failed: false })
  }
  put(id: string, ...servers: readonly string[]): void {
    const seq = ++this.#seq
    for (const server of servers) {
      this.rows.push({ seq, server, event: pingEvent("node", id, Date.now()), attempts: 0, lastMs: 0, failed: false })
    }
  }
  next(server: string, after = 0) {
    const row = this.rows.find((one) => one.server === server && !one.failed && one.seq > after)
    return row === undefined ? undefined : { ...row }
  }
  attempted(server: string, seq: number, nowMs: number): void {
    const row = this.#row(server, seq)
    row.attempts++
    row.lastMs = nowMs
  }
  delivered(server: string, seq: number): void {
    this.rows.splice(this.rows.indexOf(this.#row(server, seq)), 1)
  }
  failed(server: string, seq: number): void {
    this.#row(server, seq).failed = true
  }
  #row(server: string, seq: number) {
    const row = this.rows.find((one) => one.server === server && one.seq === seq)
    if (row === undefined) throw new Error("no such row")
    return row
  }
}

export const serverAt = (url: string, over: Partial<EventServer> = {}): EventServer => ({
  url,
  eventTypes: [],
  tokenExpireMinutes: 2,
  retryTimes: 0,
  sleepSeconds: 0.01,
  requestTimeoutSeconds: 5,
  proxy: undefined,
  monitorIntervalMs: undefined,
  ...over,
})

export interface Running extends AsyncDisposable {
  readonly sender: Sender
  readonly sent: Sent[]
  /** Resolves when that many tries are over. */
  tried(nth: number): Promise<void>
}

export function running(servers: readonly EventServer[], outbox: OutboxPort): Running {
  const stop = new AbortController()
  const sent: Sent[] = []
  const waiting: { nth: number; resolve: () => void }[] = []
  let id = 0
  const sender = startSender(
    {
      servers,
      outbox,
      sign: tokenSigner(eventKey.privateKey, "event key"),
      nodeId: "node",
      newId: () => `ping-${++id}`,
      now: Date.now,
      fetch,
      observe: (one) => {
        sent.push(one)
        for (const waiter of waiting) if (sent.length >= waiter.nth) waiter.resolve()
      },
    },
    stop.signal,
  )
  return {
    sender,
    sent,
    tried: (nth) => new Promise((resolve) => (sent.length >= nth ? resolve() : waiting.push({ nth, resolve }))),
    async [Symbol.asyncDispose]() {
      stop.abort()
      await sender.over
    },
  }
}
