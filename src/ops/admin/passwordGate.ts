/** Bounds wrong passwords: after five wrong ones within a minute none is compared, not even the right one. */
const MOST_WRONG = 5
const WINDOW_MS = 60_000

export class PasswordGate {
  #wrongAtMs: readonly number[] = []

  /** Undefined: a password may be compared now. The caller passes the time, always of the same monotonic clock. */
  shut(nowMs: number): { readonly wrong: number; readonly seconds: number } | undefined {
    this.#wrongAtMs = this.#wrongAtMs.filter((atMs) => nowMs - atMs < WINDOW_MS)
    const wrong = this.#wrongAtMs.length
    return wrong >= MOST_WRONG ? { wrong, seconds: WINDOW_MS / 1000 } : undefined
  }

  wrong(nowMs: number): void {
    this.#wrongAtMs = [...this.#wrongAtMs, nowMs]
  }
}
