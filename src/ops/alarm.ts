/**
 * Alarms on the wall clock and on the monotonic clock, whichever is first. A timer alone counts only the time in which the
 * machine was awake. After a sleep, or when the clock is set ahead, a passed deadline must be noticed.
 * And a clock that is set back, by mistake or by an attacker, must not keep an approval alive.
 */
import type { Alarm } from "../tasks/ports.ts"

/** How late an alarm may be after a jump of the clock; also far below the longest time that a timer supports. */
const LOOK_AGAIN_MS = 30_000

export function alarmAt(atMs: number): Alarm {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const lastMs = performance.now() + atMs - Date.now()
  const look = (): void => {
    const leftMs = Math.min(atMs - Date.now(), lastMs - performance.now())
    if (leftMs > 0) timer = setTimeout(look, Math.min(leftMs, LOOK_AGAIN_MS))
    else controller.abort()
  }
  look()
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}
