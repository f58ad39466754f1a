/**
 * Messages of one socket, spread over turns of the event loop. A busy WaaS sends hundreds at once, and the runtime hands all of them over
 * in one turn. Handled there, they would keep timers, other sockets and session workers waiting for as long as they all take.
 */

/** How long the messages of one turn are handled; the others wait for the next turn. */
const TURN_MS = 8
/** If more than this waits, the oldest is handled at once. Bounds what a WaaS that sends faster than this node works can make it keep. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024

interface Received<T> {
  readonly message: T
  readonly bytes: number
}

export class Incoming<T> {
  readonly #handle: (message: T) => void
  readonly #clock: () => number
  readonly #waiting: Received<T>[] = []
  #waitingBytes = 0
  #next: ReturnType<typeof setImmediate> | undefined
  #turnEndsAt = 0

  /** `handle` gets every message, in order; it may call `close`. `clock` is monotonic, ms. */
  constructor(handle: (message: T) => void, clock: () => number = () => performance.now()) {
    this.#handle = handle
    this.#clock = clock
  }

  take(message: T, bytes: number): void {
    this.#waiting.push({ message, bytes })
    this.#waitingBytes += bytes
    if (this.#next === undefined) this.#begin()
    this.#work()
  }

  /** Handles everything that waits, now. */
  finish(): void {
    while (this.#waiting.length > 0) this.#handleOne()
  }

  /** Drops what waits. */
  close(): void {
    clearImmediate(this.#next)
    this.#next = undefined
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }

  #begin(): void {
    this.#turnEndsAt = this.#clock() + TURN_MS
    this.#next = setImmediate(() => {
      this.#next = undefined
      if (this.#waiting.length === 0) return
      this.#begin()
      this.#work()
    })
  }

  #work(): void {
    while (this.#waiting.length > 0 && (this.#clock() < this.#turnEndsAt || this.#waitingBytes > MOST_WAITING_BYTES))
      this.#handleOne()
  }

  #handleOne(): void {
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#waitingBytes -= next.bytes
    this.#handle(next.message)
  }
}
