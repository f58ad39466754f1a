/** Callers that wait for the end of a request (`?wait=30`): told once its end is durable, bounded in number and in time. */

/** All together; further ones are answered at once, with the request as it is. */
const MOST_WAITING = 2_048

export class RequestEndings {
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0
  #isClosed = false

  /** Resolves when the request has ended, may have, or the signal fires. False: nobody is kept waiting, now or any more. */
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

  /** Word of ends may have been lost: everybody looks for themselves. */
  mayHaveEnded(): void {
    for (const requestId of this.#waiting.keys()) this.ended(requestId)
  }

  /** WaaS stops: everybody gets an answer. */
  close(): void {
    this.#isClosed = true
    this.mayHaveEnded()
  }
}
