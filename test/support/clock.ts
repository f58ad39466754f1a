/** The clock of tests: it stands still until a test moves it, and fires the alarms that are due then. */
import type { Alarm } from "../../src/tasks/ports.ts"

/** When test clocks begin: 2026-11-22, 00:00 UTC. */
export const T0 = Date.UTC(2026, 10, 22)

export class TestClock {
  readonly #alarms = new Set<{ readonly atMs: number; readonly fire: () => void }>()

  constructor(public nowMs = T0) {}

  readonly now = (): number => this.nowMs

  /** Moves the clock and fires what is due. */
  advance(ms: number): void {
    this.nowMs += ms
    for (const alarm of this.#alarms) {
      if (alarm.atMs > this.nowMs) continue
      this.#alarms.delete(alarm)
      alarm.fire()
    }
  }

  /** Moves the clock alone: the machine slept, and alarms are late. */
  sleep(ms: number): void {
    this.nowMs += ms
  }

  readonly alarm = (atMs: number): Alarm => {
    const controller = new AbortController()
    const entry = { atMs, fire: () => controller.abort() }
    if (atMs <= this.nowMs) controller.abort()
    else this.#alarms.add(entry)
    return { signal: controller.signal, [Symbol.dispose]: () => void this.#alarms.delete(entry) }
  }

  /** Alarms that have not fired and were not given up. */
  get pending(): number {
    return this.#alarms.size
  }
}
