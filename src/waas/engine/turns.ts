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
