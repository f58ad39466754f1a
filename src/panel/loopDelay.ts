/** How late the main thread comes to what waits for it, as the pages of a node and of WaaS show it. */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { closed, milliseconds } from "./schemas.ts"

export interface Delay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export const delaySchema = closed({
  p99_ms: milliseconds("Delay of the main thread."),
  max_ms: milliseconds("The same, worst."),
})

export const delayDocument = ({ p99Ms, maxMs }: Delay) => ({ p99_ms: p99Ms, max_ms: maxMs })

export interface DelayMeter {
  /** Once a second, which is a tick. */
  read(): Delay
  last(): Delay
  stop(): void
}

/** It measures over a window of this many ticks. */
const WINDOW_TICKS = 10
const RESOLUTION_MS = 20
const NANOSECONDS = 1e6

export function delayMeter(): DelayMeter {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  histogram.enable()
  let ticks = 0
  let last: Delay = { p50Ms: 0, p99Ms: 0, maxMs: 0 }
  return {
    read() {
      if (ticks++ % WINDOW_TICKS !== WINDOW_TICKS - 1) return last
      const at = (percentile: number) => histogram.percentile(percentile) / NANOSECONDS
      last = { p50Ms: at(50), p99Ms: at(99), maxMs: Math.max(0, histogram.max / NANOSECONDS) }
      histogram.reset()
      return last
    },
    last: () => last,
    stop: () => void histogram.disable(),
  }
}
