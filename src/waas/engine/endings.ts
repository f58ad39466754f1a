/** Callers that wait for the end of a request (`?wait=30`): told once its end is durable, bounded in number and in time. */

/** The most callers that wait at one time. Further ones are answered at once, with the request as it is. */
const MOST_WAITING = 2_048

export class RequestEndings {
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0
  #isClosed = false

  /**
   * Resolves when the request has ended or may have ended, when the signal fires, or at `close`. False if it did not wait (too many
   * callers do, the signal had fired, or `close` was called), or was ended by `close`.
   */
  async wait(requestId: string, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || this.#isClosed || this.#count >= MOST_WAITING) return false
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(requestId) ?? new Set()
    this.#waiting.set(requestId, waiting.add(resolve))
    this.#count++
    const stop = (): void => resolve()
    signal.addEventListener("abort", stop, { once: true })
    try {
      await promise
      return !this.#isClosed
    } finally {
      signal.removeEventListener("abort", stop)
      this.#count--
      waiting.delete(resolve)
      if (waiting.size === 0 && this.#waiting.get(requestId) === waiting) this.#waiting.delete(requestId)
    }
  }

  ended(requestId: string): void {
    for (const tell of this.#waiting.get(requestId) ?? []) tell()
  }

  /** News of ends may have been lost: wakes all callers, who then look at their requests. */
  mayHaveEnded(): void {
    for (const requestId of this.#waiting.keys()) this.ended(requestId)
  }

  /** WaaS stops: wakes all callers, and nobody waits from now on. */
  close(): void {
    this.#isClosed = true
    this.mayHaveEnded()
  }
}
