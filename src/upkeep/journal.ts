/**
 * Forgetting: tasks that ended long ago leave the journal, so that a node that signs for years does not grow for years.
 * Which tasks may go at all (ended, delivered, safe from replay) is the store's.
 */
import { setImmediate } from "node:timers/promises"
import { CosignerError, describe } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Tasks } from "../store/tasks.ts"

export const KEEP_DAYS = 90
const DAY_MS = 86_400_000
/** Tasks of one transaction: other work has its turn between two of them. */
const SLICE = 500

export interface ForgetJob {
  readonly tasks: Pick<Tasks, "prune">
  readonly now: () => number
  readonly log: Log
}

/** True if nothing that may go is left. */
export async function forget({ tasks, now, log }: ForgetJob, signal: AbortSignal): Promise<boolean> {
  const beforeMs = now() - KEEP_DAYS * DAY_MS
  let forgotten = 0
  try {
    for (;;) {
      const count = tasks.prune(beforeMs, SLICE)
      if (count === 0) break
      forgotten += count
      if (signal.aborted) return false
      await setImmediate()
    }
  } catch (error) {
    log.error("old tasks could not be removed from the journal", {
      why: error instanceof CosignerError ? describe(error) : String(error),
    })
    return false
  }
  if (forgotten > 0) log.info("old tasks were removed from the journal", { tasks: forgotten, olderThanDays: KEEP_DAYS })
  return true
}
