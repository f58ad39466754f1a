/**
 * Joins changes into one durable commit: those of one turn of the event loop or, where many tasks are at work, of some milliseconds
 * (commitPause.ts). A batch becomes durable as a whole or not at all, and frames about it wait until it is.
 */
import { commitPauseMs } from "../../commitPause.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"

/** A batch of so many writes is due at once: a larger commit would block the event loop for too long. */
const MOST_WRITES = 128

interface PendingCommit {
  readonly writes: Map<string, StoreWrite>
  readonly said: (() => void)[]
  readonly undo: (() => void)[]
  readonly done: PromiseWithResolvers<void>
  /** Its pause is over: it is written as soon as the batch before it is. */
  isDue: boolean
}

export class GroupCommit {
  readonly #store: Pick<WaasStore, "commit">
  readonly #atWork: () => number
  /** Until when the next batch waits for more changes, by the monotonic clock. */
  #pauseEndMs = 0
  /** The batch that takes changes. */
  #batch: PendingCommit | undefined
  /** The batch that the store is writing; only one at a time, in the order of the changes. */
  #writing: PendingCommit | undefined

  /** `atWork`: how many tasks have a session that runs. */
  constructor(store: Pick<WaasStore, "commit">, atWork: () => number) {
    this.#store = store
    this.#atWork = atWork
  }

  /** Adds writes to the batch. If the store does not take it, or the batch before it, the `undo`s are called, the latest first. */
  add(writes: readonly StoreWrite[], undo: () => void): void {
    const batch = this.#open()
    for (const write of writes) batch.writes.set(keyOf(write, batch.writes.size), write)
    batch.undo.push(undo)
    if (batch.writes.size >= MOST_WRITES) this.#isTurnOf(batch)
  }

  /** Calls `say` once everything that was added so far is durable: now if it is already, never if the commit fails. */
  whenDurable(say: () => void): void {
    const last = this.#batch ?? this.#writing
    if (last === undefined) say()
    else last.said.push(say)
  }

  /** Resolves when everything that was added so far is durable; rejects if the store did not take it. */
  durable(): Promise<void> {
    return (this.#batch ?? this.#writing)?.done.promise ?? Promise.resolve()
  }

  /** The same, and the batch does not wait for more changes. */
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

  /** Changes that were added meanwhile build on those that the store did not take, and fail with them. */
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

/** Two writes of one record have one key, so that the later one replaces the earlier one in the batch. */
function keyOf(write: StoreWrite, index: number): string {
  if (write.put === "task") return `task ${write.record.taskId}`
  if (write.put === "signRequest") return `signRequest ${write.record.signRequestId}`
  return `${index}`
}
