/** Waiting that an AbortSignal ends. */
import { setTimeout } from "node:timers/promises"

/** The longest that a timer holds, about 24 days. */
const LONGEST_MS = 2 ** 31 - 1

/** Resolves after `ms`, at most 24 days, or as soon as the signal fires, whichever comes first. Never rejects. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  try {
    await setTimeout(Math.min(ms, LONGEST_MS), undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
