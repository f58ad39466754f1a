/**
 * Alarms on the wall clock. A timer alone would count the time in which the machine was awake: after a sleep, or when the
 * clock is set, a deadline that has passed must still be seen to have passed.
 */
import type { Alarm } from "../tasks/ports.ts"

/** How late an alarm may be after the clock has jumped; also far below what a timer can hold. */
const LOOK_AGAIN_MS = 30_000

export function alarmAt(atMs: number): Alarm {
  const controller = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = (): void => {
    const leftMs = atMs - Date.now()
    if (leftMs > 0) timer = setTimeout(look, Math.min(leftMs, LOOK_AGAIN_MS))
    else controller.abort()
  }
  look()
  return { signal: controller.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}
