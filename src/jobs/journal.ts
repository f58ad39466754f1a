/**
 * Deletes tasks that ended long ago from the journal, and events that nobody will take from the outbox, so that a node
 * that signs for years does not grow for years. The store decides which of them may be deleted at all.
 */
import { setImmediate } from "node:timers/promises"
import { TILE_WIDTH } from "../audit/tiles.ts"
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { AuditLog } from "../store/auditLog.ts"
import type { Outbox } from "../store/outbox.ts"
import type { Tasks } from "../store/tasks.ts"

export const KEEP_DAYS = 90
/** For tasks that were never approved: nothing except the record depends on them. */
const KEEP_REFUSED_DAYS = 30
/** For outcomes that WaaS never acknowledged: it may have been away for long, and somebody may still ask. */
export const KEEP_UNDELIVERED_DAYS = 365
const DAY_MS = 86_400_000
/** Records of one transaction; other work has its turn between two transactions. */
const SLICE = 500

interface ForgetJob {
  readonly tasks: Pick<Tasks, "prune" | "newestMs">
  readonly outbox: Pick<Outbox, "prune">
  readonly now: () => number
  readonly log: Log
}

/** True if nothing that may be deleted is left. */
export async function forget({ tasks, outbox, now, log }: ForgetJob, signal: AbortSignal): Promise<boolean> {
  // A clock that is far ahead for a while, for example when the machine starts, must not delete counters that limits still
  // need. So the current time is taken to be no later than the last change of a task.
  const nowMs = Math.min(now(), tasks.newestMs)
  const ended = {
    deliveredMs: nowMs - KEEP_DAYS * DAY_MS,
    refusedMs: nowMs - KEEP_REFUSED_DAYS * DAY_MS,
    undeliveredMs: nowMs - KEEP_UNDELIVERED_DAYS * DAY_MS,
  }
  try {
    const forgotten = await untilNone(() => tasks.prune(ended, SLICE), signal)
    const dropped = await untilNone(() => outbox.prune(ended.deliveredMs, SLICE), signal)
    if (forgotten > 0) log.info("old tasks were removed from the journal", { tasks: forgotten })
    if (dropped > 0) log.warn("old undelivered events were dropped", { deliveries: dropped })
    return !signal.aborted
  } catch (error) {
    log.error("old tasks could not be removed from the journal", {
      ...codeField(error),
      why: errorText(error),
    })
    return false
  }
}

interface LeavesJob {
  readonly audit: Pick<AuditLog, "prune">
  readonly keepMs: number
  readonly now: () => number
  readonly log: Log
}

/** [audit] keep_days: deletes older leaves of the log for auditors; their hashes stay. True if none is left. */
export async function forgetLeaves({ audit, keepMs, now, log }: LeavesJob, signal: AbortSignal): Promise<boolean> {
  try {
    const tiles = await untilNone(() => audit.prune(now() - keepMs, now()), signal)
    if (tiles > 0) log.info("old leaves of the log for auditors were forgotten", { leaves: tiles * TILE_WIDTH })
    return !signal.aborted
  } catch (error) {
    log.error("old leaves of the log for auditors could not be forgotten", {
      ...codeField(error),
      why: errorText(error),
    })
    return false
  }
}

async function untilNone(prune: () => number, signal: AbortSignal): Promise<number> {
  let sum = 0
  while (!signal.aborted) {
    const count = prune()
    if (count === 0) break
    sum += count
    await setImmediate()
  }
  return sum
}
