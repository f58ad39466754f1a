/** Durations of the rules: `90m`, `1h`, `7d`. */

export const MIN_WINDOW_MS = 60_000
/** The longest rolling window. Older usage is never read, and the store may delete it. */
export const MAX_WINDOW_MS = 31 * 86_400_000

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const LARGEST_FIRST = ["d", "h", "m", "s"] as const
const DURATION = /^([1-9][0-9]{0,6})([smhd])$/

/** Milliseconds, or undefined if the text is not a duration. */
export function parseWindow(text: string): number | undefined {
  const found = DURATION.exec(text)
  const unit = UNITS[found?.[2] ?? ""]
  return found === null || unit === undefined ? undefined : Number(found[1]) * unit
}

export function formatWindow(ms: number): string {
  for (const name of LARGEST_FIRST) {
    const unit = UNITS[name] ?? 1
    if (ms % unit === 0) return `${ms / unit}${name}`
  }
  return `${ms}ms`
}
