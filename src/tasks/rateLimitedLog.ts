/** Limits log lines that somebody outside can provoke: each kind once a minute, with the number of suppressed lines. */
import type { Log, LogFields } from "../log.ts"
import type { Clock } from "./ports.ts"

const EVERY_MS = 60_000

interface LineKind {
  readonly saidMs: number
  left: number
}

export class RateLimitedLog {
  readonly #log: Log
  readonly #now: Clock
  /** By sentence and code. Both come from this program, so there are few kinds. */
  readonly #kinds = new Map<string, LineKind>()

  constructor(log: Log, now: Clock) {
    this.#log = log
    this.#now = now
  }

  say(level: "warn" | "error", sentence: string, fields: LogFields & { readonly code?: string } = {}): void {
    const name = `${sentence} ${fields.code ?? ""}`
    const nowMs = this.#now()
    const known = this.#kinds.get(name)
    // abs: a clock that was set back must not silence the line for longer.
    if (known !== undefined && Math.abs(nowMs - known.saidMs) < EVERY_MS) {
      known.left++
      return
    }
    this.#kinds.set(name, { saidMs: nowMs, left: 0 })
    this.#log[level](sentence, known === undefined || known.left === 0 ? fields : { ...fields, alike: known.left })
  }
}
