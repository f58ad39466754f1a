/**
 * Group commit: the steps of different tasks that come in one turn of the event loop share a transaction, and so one sync of the disk.
 * If steps come faster than the disk can commit, the next commit waits as long as the last one took, and longer if more tasks are at
 * work (commitPause.ts). In that pause the event loop serves I/O and more steps gather. A task that is alone never waits.
 */
import { commitPauseMs } from "../commitPause.ts"

/** The most steps in one commit; the others wait for the next. Bounds how long one commit blocks the event loop. */
const MOST_TOGETHER = 16

/** The longest pause that matches the duration of the last commit: a very slow commit must not double every wait. */
const MOST_MATCHED_MS = 20

interface QueuedStep {
  /** True if a task waits for it (`now`), false if it may share a later commit (`soon`). */
  readonly isUrgent: boolean
  /** Runs the step inside the transaction. */
  run(): void
  done(): void
  failed(error: unknown): void
}

/** Runs all parts in one transaction, which is durable when it returns (RecordVault.group). */
type CommitTogether = (parts: readonly (() => unknown)[]) => readonly PromiseSettledResult<unknown>[]

export class CommitQueue {
  readonly #commit: CommitTogether
  readonly #atWork: () => number
  /** In the order of the calls, which is the order in which they run. */
  #waiting: QueuedStep[] = []
  #turn: Disposable | undefined
  /** The next commit does not begin before this moment of the monotonic clock, so that steps can gather. */
  #pauseEndMs = 0
  #timer: { readonly timeout: ReturnType<typeof setTimeout>; readonly atMs: number } | undefined

  /** `atWork` returns the number of tasks whose next step is expected soon. */
  constructor(commit: CommitTogether, atWork: () => number) {
    this.#commit = commit
    this.#atWork = atWork
  }

  /** Runs `step` in the next commit. Resolves with its result once it is durable. Rejects with what it threw, or why the commit failed. */
  now<T>(step: () => T): Promise<T> {
    const result = this.#add(step, true)
    this.#turn ??= this.#nextTurn()
    return result
  }

  /** The same without hurry: `step` joins the next commit, and causes one itself after `withinMs` if none comes before. */
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

  /** Drops the waiting steps, as a crash would: their promises never settle. */
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
