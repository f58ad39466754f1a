/**
 * One durable commit for all that came in one turn of the event loop. What is queued becomes durable together or not at all; what
 * is to be said waits for that.
 */
import type { StoreWrite, WaasStore } from "../store/store.ts"

/** A commit of more would keep the event loop from its I/O for too long. */
const MOST_WRITES = 128

interface PendingCommit {
  readonly writes: Map<string, StoreWrite>
  readonly said: (() => void)[]
  readonly undo: (() => void)[]
  readonly done: PromiseWithResolvers<void>
}

export class GroupCommit {
  readonly #store: Pick<WaasStore, "commit">
  #batch: PendingCommit | undefined
  #writing: Promise<void> | undefined

  constructor(store: Pick<WaasStore, "commit">) {
    this.#store = store
  }

  /** `undo` is called, latest first, if the store does not take the batch. */
  add(writes: readonly StoreWrite[], undo: () => void): void {
    const batch = this.#open()
    for (const write of writes) batch.writes.set(keyOf(write, batch.writes.size), write)
    batch.undo.push(undo)
    if (batch.writes.size >= MOST_WRITES) void this.flush().catch(() => {})
  }

  /** As soon as all that was added is durable; at once where nothing waits. Never, if it fails. */
  whenDurable(say: () => void): void {
    if (this.#batch === undefined) say()
    else this.#batch.said.push(say)
  }

  /** Resolves when all that was added is durable; rejects if the store did not take it. */
  durable(): Promise<void> {
    return this.#batch?.done.promise ?? this.#writing ?? Promise.resolve()
  }

  /** Writes now. */
  flush(): Promise<void> {
    const batch = this.#batch
    if (batch === undefined) return this.durable()
    this.#batch = undefined
    const writing = this.#write(batch)
    this.#writing = writing
    const isOver = (): void => {
      if (this.#writing === writing) this.#writing = undefined
    }
    writing.then(isOver, isOver)
    return writing
  }

  #open(): PendingCommit {
    if (this.#batch !== undefined) return this.#batch
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => {})
    this.#batch = { writes: new Map(), said: [], undo: [], done }
    const opened = this.#batch
    setImmediate(() => {
      if (this.#batch === opened) void this.flush().catch(() => {})
    })
    return opened
  }

  async #write({ writes, said, undo, done }: PendingCommit): Promise<void> {
    try {
      await this.#store.commit([...writes.values()])
    } catch (error) {
      for (const step of undo.reverse()) step()
      done.reject(error)
      throw error
    }
    for (const say of said) say()
    done.resolve()
  }
}

/** Of two writes of one record the later one counts. */
function keyOf(write: StoreWrite, index: number): string {
  if (write.put === "task") return `task ${write.record.taskId}`
  if (write.put === "signRequest") return `signRequest ${write.record.signRequestId}`
  return `${index}`
}
