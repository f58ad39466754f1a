/**
 * One durable commit for all that came in one turn of the event loop, and where many tasks are at work for all that came in some
 * milliseconds (commitPause.ts). What is queued becomes durable together or not at all; what is to be said waits for that.
 */
import { commitPauseMs } from "../../commitPause.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"

/** A commit of more would keep the event loop from its I/O for too long. */
const MOST_WRITES = 128

interface PendingCommit {
  readonly writes: Map<string, StoreWrite>
  readonly said: (() => void)[]
  readonly undo: (() => void)[]
  readonly done: PromiseWithResolvers<void>
  /** Its turn has come: it is written as soon as the one before it is. */
  isDue: boolean
}

export class GroupCommit {
  readonly #store: Pick<WaasStore, "commit">
  readonly #atWork: () => number
  /** Until when the next commit waits for company, by the monotonic clock. */
  #pauseEndMs = 0
  /** What is being gathered, and what the store has not answered for yet: one at a time, in the order in which they were gathered. */
  #batch: PendingCommit | undefined
  #writing: PendingCommit | undefined

  /** `atWork`: tasks of which a session runs. */
  constructor(store: Pick<WaasStore, "commit">, atWork: () => number) {
    this.#store = store
    this.#atWork = atWork
  }

  /** `undo` is called, latest first, if the store does not take the batch or one before it. */
  add(writes: readonly StoreWrite[], undo: () => void): void {
    const batch = this.#open()
    for (const write of writes) batch.writes.set(keyOf(write, batch.writes.size), write)
    batch.undo.push(undo)
    if (batch.writes.size >= MOST_WRITES) this.#isTurnOf(batch)
  }

  /** As soon as all that was added is durable; at once where nothing waits. Never, if it fails. */
  whenDurable(say: () => void): void {
    const last = this.#batch ?? this.#writing
    if (last === undefined) say()
    else last.said.push(say)
  }

  /** Resolves when all that was added is durable; rejects if the store did not take it. */
  durable(): Promise<void> {
    return (this.#batch ?? this.#writing)?.done.promise ?? Promise.resolve()
  }

  /** Writes without waiting for more. */
  flush(): Promise<void> {
    const durable = this.durable()
    if (this.#batch !== undefined) this.#isTurnOf(this.#batch)
    return durable
  }

  #open(): PendingCommit {
    if (this.#batch !== undefined) return this.#batch
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => {})
    const opened: PendingCommit = { writes: new Map(), said: [], undo: [], done, isDue: false }
    this.#batch = opened
    const pauseMs = this.#pauseEndMs - performance.now()
    if (pauseMs < 1) setImmediate(() => this.#isTurnOf(opened))
    else setTimeout(() => this.#isTurnOf(opened), pauseMs)
    return opened
  }

  #isTurnOf(batch: PendingCommit): void {
    batch.isDue = true
    if (this.#batch !== batch || this.#writing !== undefined) return
    this.#batch = undefined
    this.#writing = batch
    void this.#write(batch)
  }

  async #write(batch: PendingCommit): Promise<void> {
    try {
      await this.#store.commit([...batch.writes.values()])
    } catch (error) {
      this.#failed(batch, error)
      return
    }
    this.#writing = undefined
    this.#pauseEndMs = performance.now() + commitPauseMs(this.#atWork())
    for (const say of batch.said) say()
    batch.done.resolve()
    const next: PendingCommit | undefined = this.#batch
    if (next?.isDue === true) this.#isTurnOf(next)
  }

  /** What was added meanwhile builds on what the store did not take, and fails with it. */
  #failed(batch: PendingCommit, error: unknown): void {
    const later = this.#batch
    this.#batch = undefined
    this.#writing = undefined
    for (const { undo, done } of later === undefined ? [batch] : [later, batch]) {
      for (const step of undo.reverse()) step()
      done.reject(error)
    }
  }
}

/** Of two writes of one record the later one counts. */
function keyOf(write: StoreWrite, index: number): string {
  if (write.put === "task") return `task ${write.record.taskId}`
  if (write.put === "signRequest") return `signRequest ${write.record.signRequestId}`
  return `${index}`
}
