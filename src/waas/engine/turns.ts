/** One piece of work at a time, in the order they came; a long row of them lets the event loop have its turn in between. */

/** How long work goes on before sockets get their turn, ms. */
const MOST_TURN_MS = 8

export class Turns {
  #tail: Promise<unknown> = Promise.resolve()
  #breathedAt = performance.now()

  take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(() => this.#breathe()).then(work)
    this.#tail = done.catch(() => {})
    return done
  }

  async #breathe(): Promise<void> {
    if (performance.now() < this.#breathedAt + MOST_TURN_MS) return
    await new Promise((resolve) => setImmediate(resolve))
    this.#breathedAt = performance.now()
  }
}

/** Work of one key, one after another; that of other keys goes on meanwhile. */
export class KeyedTurns {
  readonly #tails = new Map<string, Promise<unknown>>()

  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#tails.get(key) ?? Promise.resolve()).then(work)
    const tail = done.catch(() => {}).finally(() => this.#tails.get(key) === tail && this.#tails.delete(key))
    this.#tails.set(key, tail)
    return done
  }
}
