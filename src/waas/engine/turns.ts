/** Runs one piece of work at a time, in the order in which they came. A long series of them lets the event loop run in between. */

/** How long a series goes on before the event loop serves sockets and timers. */
const MOST_TURN_MS = 8

export class Turns {
  #tail: Promise<unknown> = Promise.resolve()
  #breathedAt = performance.now()

  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(() => this.#breathe()).then(work)
    this.#tail = done.catch(() => {})
    return done
  }

  /** Resolves when what came before has run, in a turn of the event loop that has time left for what the caller does next. */
  turn(): Promise<void> {
    return this.take(async () => {})
  }

  async #breathe(): Promise<void> {
    if (performance.now() < this.#breathedAt + MOST_TURN_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#breathedAt = performance.now()
  }
}

/** Runs work with the same key one after another; work with other keys runs meanwhile. */
export class KeyedTurns {
  readonly #tails = new Map<string, Promise<unknown>>()

  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#tails.get(key) ?? Promise.resolve()).then(work)
    const tail = done.catch(() => {}).finally(() => this.#tails.get(key) === tail && this.#tails.delete(key))
    this.#tails.set(key, tail)
    return done
  }
}
