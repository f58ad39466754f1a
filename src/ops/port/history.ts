/** The last minutes as points of equal length, for the charts of the page. Pure; the clock is a parameter. */
import type { HistoryDocument } from "./documents.ts"

export interface History {
  /** `tookMs` counts for completed signing tasks. */
  ended(outcome: "completed" | "rejected" | "failed", tookMs: number | undefined, nowMs: number): void
  document(nowMs: number): HistoryDocument
}

interface HistoryPoint {
  readonly index: number
  completed: number
  rejected: number
  failed: number
  /** At most SAMPLES; enough for quantiles, and few enough to sort those of all points once a second. */
  readonly took: number[]
}

export const INTERVAL_MS = 5_000
export const POINTS = 120
const SAMPLES = 200

export function createHistory(): History {
  const points: HistoryPoint[] = []

  function pointAt(nowMs: number): HistoryPoint {
    const index = Math.floor(nowMs / INTERVAL_MS)
    const last = points.at(-1)
    // If the clock was set back, the last point goes on.
    if (last !== undefined && last.index >= index) return last
    const made: HistoryPoint = { index, completed: 0, rejected: 0, failed: 0, took: [] }
    points.push(made)
    while ((points[0]?.index ?? index) <= index - POINTS) points.shift()
    return made
  }

  return {
    ended(outcome, tookMs, nowMs) {
      const point = pointAt(nowMs)
      point[outcome] += 1
      if (tookMs !== undefined && point.took.length < SAMPLES) point.took.push(tookMs)
    },
    document(nowMs) {
      const newest = Math.floor(nowMs / INTERVAL_MS)
      const shown = points.filter(({ index }) => index > newest - POINTS)
      return {
        interval_ms: INTERVAL_MS,
        window: quantiles(shown.flatMap(({ took }) => took)),
        points: shown.map(({ index, completed, rejected, failed, took }) => ({
          at_ms: index * INTERVAL_MS,
          completed,
          rejected,
          failed,
          ...quantiles(took),
        })),
      }
    },
  }
}

function quantiles(took: readonly number[]): HistoryDocument["window"] {
  const sorted = [...took].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? null
  return { p50_ms: at(0.5), p95_ms: at(0.95) }
}
