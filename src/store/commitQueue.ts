/**
 * Steps of many tasks in one commit: what falls into one turn of the event loop shares a transaction, and so a sync of the disk.
 * Where steps come faster than the disk takes commits, the next commit waits for as long as the last one took, and longer the more
 * tasks are at work (commitPause.ts): meanwhile I/O has its turn, and steps gather. A task that is alone waits for nothing.
 */
import { commitPauseMs } from "../commitPause.ts"

/** Steps of one commit; the others wait for the next. Bounds how long one commit keeps the event loop. */
const MOST_TOGETHER = 32

/** How long a commit takes that the next one still matches with its pause. */
const MOST_MATCHED_MS = 20

interface QueuedStep {
  /** Somebody waits for it. */
  readonly isUrgent: boolean
  /** Runs the step inside the transaction. */
  run(): void
  done(): void
  failed(error: unknown): void
}

/** One transaction for all parts, on the disk when it returns (RecordVault.group). */
type CommitTogether = (parts: readonly (() => unknown)[]) => readonly PromiseSettledResult<unknown>[]

export class CommitQueue {
  readonly #commit: CommitTogether
  readonly #atWork: () => number
  /** In the order in which they were asked for, which is the order in which they run. */
  #waiting: QueuedStep[] = []
  #turn: Disposable | undefined
  /** Until when the next commit waits for company, by the monotonic clock. */
  #pauseEndMs = 0
  #timer: { readonly timeout: ReturnType<typeof setTimeout>; readonly atMs: number } | undefined

  /** `atWork`: tasks whose next step comes soon. */
  constructor(commit: CommitTogether, atWork: () => number) {
    this.#commit = commit
    this.#atWork = atWork
  }

  /** Runs `step` in the commit of this turn: resolves with what it returned once that is on the disk, and rejects with what it threw. */
  now<T>(step: () => T): Promise<T> {
    const result = this.#add(step, true)
    this.#turn ??= this.#nextTurn()
    return result
  }

  /** The same in the next commit that anybody needs now, or in one of its own after `withinMs`. */
  soon<T>(step: () => T, withinMs: number): Promise<T> {
    const result = this.#add(step, false)
    const atMs = performance.now() + withinMs
    if (this.#timer === undefined || atMs < this.#timer.atMs) {
      clearTimeout(this.#timer?.timeout)
      const timeout = setTimeout(() => this.#commitNext(), withinMs)
      timeout.unref()
      this.#timer = { timeout, atMs }
    }
    return result
  }

  /** Commits every waiting step now, in as many commits as it takes. */
  flush(): void {
    while (this.#waiting.length > 0) this.#commitNext()
  }

  /** Commits the first MOST_TOGETHER of the waiting steps; the others follow in the next turns. */
  #commitNext(): void {
    this.#unschedule()
    const together = this.#waiting.splice(0, MOST_TOGETHER)
    if (together.length > 0) this.#commitAll(together)
    if (this.#waiting.length > 0) this.#turn ??= this.#nextTurn()
  }

  #commitAll(together: readonly QueuedStep[]): void {
    const begunMs = performance.now()
    try {
      const outcomes = this.#commit(together.map(({ run }) => run))
      for (const [at, one] of together.entries()) {
        const outcome = outcomes[at]
        if (outcome?.status === "rejected") one.failed(outcome.reason)
        else one.done()
      }
    } catch (error) {
      for (const { failed } of together) failed(error)
    }
    const endedMs = performance.now()
    const isBusy = together.filter(({ isUrgent }) => isUrgent).length > 1
    const pauseMs = isBusy ? Math.min(endedMs - begunMs, MOST_MATCHED_MS) : 0
    this.#pauseEndMs = endedMs + Math.max(pauseMs, commitPauseMs(this.#atWork()))
  }

  #nextTurn(): Disposable {
    const pauseMs = this.#pauseEndMs - performance.now()
    if (pauseMs < 1) {
      const turn = setImmediate(() => this.#commitNext())
      return { [Symbol.dispose]: () => clearImmediate(turn) }
    }
    const timeout = setTimeout(() => this.#commitNext(), pauseMs)
    return { [Symbol.dispose]: () => clearTimeout(timeout) }
  }

  /** Forgets what waits, as a crash would: its promises never settle. */
  close(): void {
    this.#unschedule()
    this.#waiting = []
  }

  #unschedule(): void {
    this.#turn?.[Symbol.dispose]()
    clearTimeout(this.#timer?.timeout)
    this.#turn = undefined
    this.#timer = undefined
  }

  #add<T>(step: () => T, isUrgent: boolean): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let value: { readonly of: T } | undefined
    this.#waiting.push({
      isUrgent,
      run: () => {
        value = { of: step() }
      },
      done: () => {
        if (value !== undefined) resolve(value.of)
      },
      failed: reject,
    })
    return promise
  }
}
