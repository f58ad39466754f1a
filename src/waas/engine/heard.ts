/**
 * How much a node may say. A known node costs WaaS a commit with each report that says something new, and memory with each
 * that waits for its turn; an honest one has little to say of a task beside its ending. What is left out is said again when
 * it is asked again, and an ending is always heard.
 */

import type { Log, LogFields } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import { RateLimitedLog } from "../../tasks/rateLimitedLog.ts"
import { type BucketRate, TokenBucket } from "../../tokenBucket.ts"

/** New reports of one node on one task that are not its ending: so many at once, and one more each interval. */
const AT_ONCE = 64
const INTERVAL_MS = 10_000
/** Reports of one node that wait for their turn. */
const MOST_WAITING = 1024

const REPORTS: BucketRate = { burst: AT_ONCE, perSecond: 1000 / INTERVAL_MS }

export class ReportQuota {
  readonly #now: Clock
  readonly #log: Log
  /** task id -> node id */
  readonly #buckets = new Map<string, Map<string, TokenBucket>>()
  readonly #waiting = new Map<string, number>()
  readonly #complaints = new Map<string, RateLimitedLog>()

  constructor(now: Clock, log: Log) {
    this.#now = now
    this.#log = log
  }

  /** Runs `work` in the node's name, unless too much of that waits already; false = it was left out. */
  async inTurn(nodeId: string, work: () => Promise<void>): Promise<boolean> {
    const waiting = this.#waiting.get(nodeId) ?? 0
    if (waiting >= MOST_WAITING) return false
    this.#waiting.set(nodeId, waiting + 1)
    try {
      await work()
      return true
    } finally {
      const left = (this.#waiting.get(nodeId) ?? 1) - 1
      if (left > 0) this.#waiting.set(nodeId, left)
      else this.#waiting.delete(nodeId)
    }
  }

  /** Whether one more new report of the node on a live task may be written down. */
  take(taskId: string, nodeId: string): boolean {
    const nowMs = this.#now()
    const ofTask = this.#buckets.get(taskId) ?? new Map<string, TokenBucket>()
    this.#buckets.set(taskId, ofTask)
    const bucket = ofTask.get(nodeId) ?? new TokenBucket(REPORTS, nowMs)
    ofTask.set(nodeId, bucket)
    return bucket.take(nowMs)
  }

  /** The task is no longer live. */
  forget(taskId: string): void {
    this.#buckets.delete(taskId)
  }

  /** Once a minute for each node: it can make WaaS say this at will. */
  complain(nodeId: string, sentence: string, fields: LogFields): void {
    const rateLimitedLog = this.#complaints.get(nodeId) ?? new RateLimitedLog(this.#log, this.#now)
    this.#complaints.set(nodeId, rateLimitedLog)
    rateLimitedLog.say("warn", sentence, { node: nodeId, ...fields })
  }
}
