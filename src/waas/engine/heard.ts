/**
 * Limits how much a node may report. Each report with news costs WaaS a commit, and each that waits for its turn costs memory; an honest
 * node has little to report of a task besides its ending. The end of a node's part is never limited by `take`. A report that was dropped
 * is repeated by the node when WaaS asks it again.
 */

import type { Log, LogFields } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import { RateLimitedLog } from "../../tasks/rateLimitedLog.ts"
import { type BucketRate, TokenBucket } from "../../tokenBucket.ts"

/** Reports of one node on one task that have news and are no ending: so many at once, and one more each interval. */
const AT_ONCE = 64
const INTERVAL_MS = 10_000
/** How many reports of one node may wait for their turn. */
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

  /** Runs `work` for a report of the node. False if it was dropped, because too many of that node's wait already. */
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

  /** Counts one more report with news of the node on a live task. False if it is too many, and must not be stored. */
  take(taskId: string, nodeId: string): boolean {
    const nowMs = this.#now()
    const ofTask = this.#buckets.get(taskId) ?? new Map<string, TokenBucket>()
    this.#buckets.set(taskId, ofTask)
    const bucket = ofTask.get(nodeId) ?? new TokenBucket(REPORTS, nowMs)
    ofTask.set(nodeId, bucket)
    return bucket.take(nowMs)
  }

  /** The task needs nothing more. */
  forget(taskId: string): void {
    this.#buckets.delete(taskId)
  }

  /** Logs a warning, each kind at most once a minute per node: a node can cause it at will. */
  complain(nodeId: string, sentence: string, fields: LogFields): void {
    const rateLimitedLog = this.#complaints.get(nodeId) ?? new RateLimitedLog(this.#log, this.#now)
    this.#complaints.set(nodeId, rateLimitedLog)
    rateLimitedLog.say("warn", sentence, { node: nodeId, ...fields })
  }
}
