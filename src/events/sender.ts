/**
 * Sends the outbox to the event servers. Each server gets one event at a time, at a fixed interval, until it takes the event or the
 * tries are spent. A slow server delays no other, and an event that a server refuses delays only those of the same request: events
 * keep their order per server and request. The outbox holds everything that the sender needs to know after a restart.
 */

import { CosignerError, errorText } from "../errors.ts"
import type { Fetch } from "../outbound.ts"
import { sleep } from "../sleep.ts"
import type { Clock, OutboxEvent } from "../tasks/ports.ts"
import type { SignToken } from "../wire/tssJwt.ts"
import { deliver, type NotTaken } from "./deliver.ts"
import { pingEvent, requestIdOf } from "./envelope.ts"
import type { EventServer } from "./servers.ts"

/** What the store holds per server. Each call is durable when it returns. */
export interface OutboxPort {
  /** The oldest event after `after` (0: of all) that `server` (its URL) has not got yet. */
  next(server: string, after?: number): OutboxItem | undefined
  attempted(server: string, seq: number, nowMs: number): void
  delivered(server: string, seq: number): void
  /** The tries are spent: the event is kept as failed, and the next one follows. */
  failed(server: string, seq: number): void
}

interface OutboxItem {
  readonly seq: number
  readonly event: OutboxEvent
  /** Tries so far. */
  readonly attempts: number
  /** Time of the last try; 0 before the first. */
  readonly lastMs: number
}

export interface EventServerState {
  readonly server: string
  /** Undefined: nothing was sent yet. */
  readonly healthy: boolean | undefined
  readonly lastTakenMs: number | undefined
  /** Why the last try failed; empty if it succeeded. */
  readonly failure: string
}

export interface Sent {
  readonly server: string
  readonly eventType: string
  /** Empty if the server took it. */
  readonly failure: string
  /** The tries are spent, and the event will not be sent again. */
  readonly givenUp: boolean
  readonly tookMs: number
}

interface SenderParts {
  readonly servers: readonly EventServer[]
  readonly outbox: OutboxPort
  /** Signs with the node's event key. */
  readonly sign: SignToken
  readonly nodeId: string
  readonly newId: () => string
  readonly now: Clock
  readonly fetch: Fetch
  readonly observe: (sent: Sent) => void
}

export interface Sender {
  /** Tells the sender that the outbox was written to. Events of an open transaction become visible once it is committed. */
  poke(): void
  states(): readonly EventServerState[]
  /** Resolves when all loops have ended, soon after the signal. */
  readonly over: Promise<void>
}

/** A poke can be lost, and an event must not have to wait for the next one. */
const LOOK_ANYWAY_MS = 5_000
/** Pause after a failure of our own, whatever the interval. */
const MIN_PAUSE_MS = 10
/** Requests with a refused event at a time, per server. With more, the events are hardly the cause of the refusals. */
const MAX_ASIDE = 64
const PING_TRIES = 3
const PING_PAUSE_MS = 3_000

export function startSender(parts: SenderParts, signal: AbortSignal): Sender {
  const states = new Map<string, EventServerState>(
    parts.servers.map(({ url }) => [url, { server: url, healthy: undefined, lastTakenMs: undefined, failure: "" }]),
  )
  const sleepers = new Set<() => void>()
  const loops = parts.servers.flatMap((server) => {
    const line: ServerQueue = { parts, server, signal, sleepers, states, aside: new Map() }
    return server.monitorIntervalMs === undefined
      ? [sendAll(line)]
      : [sendAll(line), pingRegularly(line, server.monitorIntervalMs)]
  })
  return {
    // Looks after the current turn: store transactions are synchronous, so by then what was written is committed.
    poke: () => void setTimeout(() => [...sleepers].forEach((wake) => void wake()), 0),
    states: () => [...states.values()],
    over: Promise.all(loops).then(() => undefined),
  }
}

interface ServerQueue {
  readonly parts: SenderParts
  readonly server: EventServer
  readonly signal: AbortSignal
  /** Called to end a wait for new events. */
  readonly sleepers: Set<() => void>
  readonly states: Map<string, EventServerState>
  /** For each request its oldest event that the server refused. Later events of this request wait for it, others do not. */
  readonly aside: Map<string, SetAside>
}

interface SetAside {
  readonly seq: number
  /** When to try it again, by the monotonic clock. */
  readonly dueAt: number
}

async function sendAll(line: ServerQueue): Promise<void> {
  const { server, signal } = line
  while (!signal.aborted) {
    try {
      await sendNext(line)
    } catch (error) {
      // For example a full disk. An event that is not recorded as sent is sent again, and the node goes on signing.
      unwell(line, `the outbox failed: ${errorText(error)}`)
      await sleep(Math.max(MIN_PAUSE_MS, server.sleepSeconds * 1000), signal)
    }
  }
}

async function sendNext(line: ServerQueue): Promise<void> {
  const { parts, server, signal } = line
  const item = nextSetAside(line) ?? nextInTurn(line)
  if (item === undefined) return waitForEvents(line)
  await sleep(waitFor(item, server, parts.now()), signal)
  if (!signal.aborted) await sendOne(line, item)
}

/** A refused event whose pause is over. */
function nextSetAside({ parts, server, aside }: ServerQueue): OutboxItem | undefined {
  for (const [request, { seq, dueAt }] of aside) {
    if (dueAt > performance.now()) continue
    const item = parts.outbox.next(server.url, seq - 1)
    if (item?.seq === seq) return item
    // somebody gave it up meanwhile
    aside.delete(request)
  }
  return undefined
}

/** The oldest event of a request that has none set aside. */
function nextInTurn({ parts, server, aside }: ServerQueue): OutboxItem | undefined {
  if (aside.size >= MAX_ASIDE) return undefined
  let item = parts.outbox.next(server.url)
  while (item !== undefined && aside.has(requestIdOf(item.event) ?? "")) item = parts.outbox.next(server.url, item.seq)
  return item
}

/** A fixed interval from the last try, also across a restart; never longer, even if the clock was set. */
function waitFor(item: OutboxItem, server: EventServer, nowMs: number): number {
  if (item.attempts === 0) return 0
  const interval = server.sleepSeconds * 1000
  return Math.min(interval, Math.max(0, item.lastMs + interval - nowMs))
}

async function sendOne(line: ServerQueue, item: OutboxItem): Promise<void> {
  const { parts, server, signal } = line
  // Counts the try before it sends: a crash in between must not grant tries without end.
  parts.outbox.attempted(server.url, item.seq, parts.now())
  const { failure, tookMs } = await post(line, item.event)
  // Stopped in the middle of a send: the outcome is unknown, so the event stays and is sent again.
  if (signal.aborted && failure !== undefined) return
  const givenUp = failure !== undefined && server.retryTimes > 0 && item.attempts >= server.retryTimes
  if (failure === undefined) parts.outbox.delivered(server.url, item.seq)
  else if (givenUp) parts.outbox.failed(server.url, item.seq)
  setAside(line, item, givenUp ? undefined : failure)
  note(line, item.event, failure?.reason, givenUp, tookMs)
}

function setAside({ server, aside }: ServerQueue, { seq, event }: OutboxItem, failure: NotTaken | undefined): void {
  const request = requestIdOf(event)
  if (request === undefined) return
  if (failure === undefined) aside.delete(request)
  else if (failure.isOfEvent || aside.has(request)) {
    aside.set(request, { seq, dueAt: performance.now() + Math.max(MIN_PAUSE_MS, server.sleepSeconds * 1000) })
  }
}

async function pingRegularly(line: ServerQueue, intervalMs: number): Promise<void> {
  const { parts, signal } = line
  while (!signal.aborted) {
    const event = pingEvent(parts.nodeId, parts.newId(), parts.now())
    for (let tries = 1; tries <= PING_TRIES && !signal.aborted; tries++) {
      const { failure, tookMs } = await post(line, event)
      if (signal.aborted) return
      note(line, event, failure?.reason, tries === PING_TRIES && failure !== undefined, tookMs)
      if (failure === undefined) break
      if (tries < PING_TRIES) await sleep(PING_PAUSE_MS, signal)
    }
    await sleep(intervalMs, signal)
  }
}

/** Makes a new token for every try: an old one may have expired while the server was down. */
async function post({ parts, server, signal }: ServerQueue, event: OutboxEvent) {
  const startMs = parts.now()
  const token = await parts.sign(event.body, startMs + server.tokenExpireMinutes * 60_000)
  const failure = await deliver(parts.fetch, server, token, signal)
  return { failure, tookMs: parts.now() - startMs }
}

function note(
  line: ServerQueue,
  event: OutboxEvent,
  failure: string | undefined,
  givenUp: boolean,
  tookMs: number,
): void {
  const { parts, server, states } = line
  if (failure === undefined) {
    states.set(server.url, { server: server.url, healthy: true, lastTakenMs: parts.now(), failure: "" })
  } else {
    unwell(line, failure)
  }
  parts.observe({ server: server.url, eventType: event.eventType, failure: failure ?? "", givenUp, tookMs })
}

function unwell({ server: { url }, states }: ServerQueue, reason: string): void {
  states.set(url, {
    server: url,
    healthy: false,
    lastTakenMs: states.get(url)?.lastTakenMs,
    failure: new CosignerError("E-RSK-210", { server: url, reason }).message,
  })
}

/** Waits until there may be a new event, or the signal fires. */
async function waitForEvents({ signal, sleepers, aside }: ServerQueue): Promise<void> {
  const untilDue = [...aside.values()].map(({ dueAt }) => Math.max(0, dueAt - performance.now()))
  const woken = new AbortController()
  const wake = (): void => woken.abort()
  signal.addEventListener("abort", wake, { once: true })
  sleepers.add(wake)
  try {
    if (!signal.aborted) await sleep(Math.min(LOOK_ANYWAY_MS, ...untilDue), woken.signal)
  } finally {
    sleepers.delete(wake)
    signal.removeEventListener("abort", wake)
  }
}
