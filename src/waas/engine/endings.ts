/** Callers that wait for the end of a request (`?wait=30`): told once its end is durable, bounded in number and in time. */

/** All together; further ones are answered at once, with the request as it is. */
const MOST_WAITING = 2_048

export class RequestEndings {
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0
  #isClosed = false

  /** Resolves when the request has ended, or the signal fires. */
  async wait(requestId: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#isClosed || this.#count >= MOST_WAITING) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(requestId) ?? new Set()
    this.#waiting.set(requestId, waiting.add(resolve))
    this.#count++
    const stop = (): void => resolve()
    signal.addEventListener("abort", stop, { once: true })
    try {
      await promise
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

  /** WaaS stops: everybody gets an answer. */
  close(): void {
    this.#isClosed = true
    for (const requestId of this.#waiting.keys()) this.ended(requestId)
  }
}
