/**
 * The events for the customer's event servers. An event is written in the transaction of the state change that it reports, and stays until
 * every server that subscribes to its type has it or is given up. events/ owns sending, intervals and retry budgets.
 */
import { type Bytes, u64be } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import type { OutboxEvent } from "../tasks/ports.ts"
import { type Delivery, EVENT, type Queued } from "./records.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

interface Subscriber {
  /** The name under which deliveries are kept: its URL. */
  readonly server: string
  readonly eventTypes: readonly string[]
}

/** The next event to send to one server. */
interface StoredOutboxItem {
  /** Identifies the event in the calls of this class. */
  readonly seq: number
  readonly event: OutboxEvent
  /** Attempts so far. */
  readonly attempts: number
  /** Time of the last attempt, ms since 1970; 0 before the first. */
  readonly lastMs: number
}

/** An event whose delivery to a server was given up. */
export type DeadLetter = Omit<StoredOutboxItem, "seq"> & { readonly server: string }

interface Backlog {
  readonly server: string
  readonly pending: number
  readonly failed: number
}

interface Queue {
  /** Sequence numbers; both sets are in the order in which events were added. */
  readonly pending: Set<number>
  readonly failed: Set<number>
}

export class Outbox {
  readonly #vault: RecordVault
  readonly #queues: Map<string, Queue> = new Map()
  #subscribers: readonly Subscriber[] = []
  #onQueued: () => void = () => {}
  #lastSeq = 0

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the records found at the start, in any order. */
  restore(found: readonly { readonly seq: number; readonly deliveries: readonly Delivery[] }[]): void {
    for (const { seq, deliveries } of [...found].sort((a, b) => a.seq - b.seq)) this.#remember(seq, deliveries)
  }

  /** Sets the servers that get new events, and the types that each gets. Before the first call no event is kept. */
  subscribe(subscribers: readonly Subscriber[]): void {
    this.#subscribers = subscribers
  }

  /**
   * Sets the one listener, which is called for each new event. The call may come before the commit. In the next turn of the event loop
   * the event is durable or undone.
   */
  whenQueued(listener: () => void): void {
    this.#onQueued = listener
  }

  /** The oldest event with a number above `after` that `server` has not got yet. */
  next(server: string, after = 0): StoredOutboxItem | undefined {
    const seq = this.#queues
      .get(server)
      ?.pending.values()
      .find((pending) => pending > after)
    if (seq === undefined) return undefined
    const { event, deliveries } = this.#read(seq)
    const delivery = deliveries.find((entry) => entry.server === server)
    return { seq, event, attempts: delivery?.attempts ?? 0, lastMs: delivery?.lastMs ?? 0 }
  }

  /** Records an attempt that was made or is about to be made. */
  attempted(server: string, seq: number, nowMs: number): void {
    this.#update(server, seq, (delivery) => ({ ...delivery, attempts: delivery.attempts + 1, lastMs: nowMs }))
  }

  /** Records that the server has the event. The event is deleted when no other server waits for it. */
  delivered(server: string, seq: number): void {
    this.#update(server, seq, () => undefined)
  }

  /** Marks the delivery as failed, because its retry budget is spent. The event is kept, and the next one is sent. */
  failed(server: string, seq: number): void {
    this.#update(server, seq, (delivery) => ({ ...delivery, state: "failed" }))
  }

  /** The newest `most` failed events of each server, oldest first. Includes servers that are no longer configured. */
  deadLetters(most: number): readonly DeadLetter[] {
    return [...this.#queues].flatMap(([server, { failed }]) =>
      [...failed].slice(-most).map((seq) => {
        const { event, deliveries } = this.#read(seq)
        const delivery = deliveries.find((entry) => entry.server === server)
        return { server, event, attempts: delivery?.attempts ?? 0, lastMs: delivery?.lastMs ?? 0 }
      }),
    )
  }

  /** Pending and failed events for each server that has any. Includes servers that are no longer configured. */
  backlog(): readonly Backlog[] {
    return [...this.#queues]
      .map(([server, { pending, failed }]) => ({ server, pending: pending.size, failed: failed.size }))
      .filter(({ pending, failed }) => pending + failed > 0)
  }

  /** Gives up all deliveries to a server, because it is no longer configured or the operator says so. Returns their number. */
  drop(server: string): number {
    const queue = this.#queues.get(server)
    if (queue === undefined) return 0
    const seqs = [...queue.failed, ...queue.pending]
    this.#vault.transaction((tx) => {
      for (const seq of seqs) this.#write(tx, server, seq, () => undefined)
    })
    return seqs.length
  }

  /**
   * Gives up at most `limit` deliveries that nobody attempts any more (they failed, or their server is no longer configured) of events
   * older than that moment. Returns their number; call again until it is 0.
   */
  prune(createdBeforeMs: number, limit = 1000): number {
    const old = [...this.#queues]
      .flatMap(([server, { pending, failed }]) =>
        this.#isSubscribed(server) ? [{ server, seqs: failed }] : [failed, pending].map((seqs) => ({ server, seqs })),
      )
      .flatMap(({ server, seqs }) => this.#oldest(seqs, createdBeforeMs, limit).map((seq) => ({ server, seq })))
      .slice(0, limit)
    this.#vault.transaction((tx) => {
      for (const { server, seq } of old) this.#write(tx, server, seq, () => undefined)
    })
    return old.length
  }

  #isSubscribed(server: string): boolean {
    return this.#subscribers.some((subscriber) => subscriber.server === server)
  }

  /** The first events that are older than `beforeMs`, at most `limit`. `seqs` is in the order in which they were added. */
  #oldest(seqs: ReadonlySet<number>, beforeMs: number, limit: number): readonly number[] {
    const found: number[] = []
    for (const seq of seqs) {
      if (found.length === limit || this.#read(seq).event.createdMs >= beforeMs) break
      found.push(seq)
    }
    return found
  }

  /** Adds events in the caller's transaction. Call it at most once in each transaction, because it numbers them from the last commit. */
  enqueue(tx: StoreTransaction, events: readonly OutboxEvent[]): void {
    let seq = this.#lastSeq
    for (const event of events) {
      const deliveries = this.#subscribers
        .filter(({ eventTypes }) => eventTypes.includes(event.eventType))
        .map(({ server }): Delivery => ({ server, state: "pending", attempts: 0, lastMs: 0 }))
      if (deliveries.length === 0) continue
      seq++
      const queued: Queued = { seq, event, deliveries }
      tx.put(EVENT, nameOf(seq), queued)
      tx.remember(
        () => {
          this.#remember(queued.seq, deliveries)
          this.#onQueued()
        },
        () => this.#unqueue(queued.seq, deliveries),
      )
    }
  }

  #update(server: string, seq: number, change: (delivery: Delivery) => Delivery | undefined): void {
    if (this.#queues.get(server)?.pending.has(seq) !== true) return
    this.#vault.transaction((tx) => this.#write(tx, server, seq, change))
  }

  #write(
    tx: StoreTransaction,
    server: string,
    seq: number,
    change: (delivery: Delivery) => Delivery | undefined,
  ): void {
    const queued = this.#read(seq)
    const deliveries = queued.deliveries.flatMap((delivery) =>
      delivery.server === server ? (change(delivery) ?? []) : delivery,
    )
    if (deliveries.length === 0) tx.remove(EVENT, nameOf(seq))
    else tx.put(EVENT, nameOf(seq), { ...queued, deliveries })
    const before = queued.deliveries
    tx.remember(
      () => this.#forget(server, seq, deliveries),
      () => {
        this.#unqueue(seq, before)
        this.#remember(seq, before)
      },
    )
  }

  #read(seq: number): Queued {
    const queued = this.#vault.read(EVENT, nameOf(seq))
    if (queued === undefined) throw new CosignerError("E-STO-026", { what: "event", id: String(seq) })
    return queued
  }

  #remember(seq: number, deliveries: readonly Delivery[]): void {
    this.#lastSeq = Math.max(this.#lastSeq, seq)
    for (const { server, state } of deliveries) this.#queueOf(server)[state].add(seq)
  }

  #unqueue(seq: number, deliveries: readonly Delivery[]): void {
    for (const { server } of deliveries) {
      const { pending, failed } = this.#queueOf(server)
      pending.delete(seq)
      failed.delete(seq)
    }
  }

  #forget(server: string, seq: number, deliveries: readonly Delivery[]): void {
    const queue = this.#queueOf(server)
    const state = deliveries.find((delivery) => delivery.server === server)?.state
    if (state !== "pending") queue.pending.delete(seq)
    if (state === "failed") queue.failed.add(seq)
    if (state === undefined) queue.failed.delete(seq)
  }

  #queueOf(server: string): Queue {
    const queue = this.#queues.get(server) ?? { pending: new Set(), failed: new Set() }
    this.#queues.set(server, queue)
    return queue
  }
}

const nameOf = (seq: number): Bytes => u64be(seq)
