/**
 * How much the journal takes in of tasks that come to nothing. WaaS may ask for as much as it likes, and each task that is
 * claimed stays on the disk for weeks; so there are two budgets, in bytes, each a burst and so much a day:
 *
 * refused: never approved. Once it is spent, tasks are decided first and claimed only if they are approved (admissionDecision.ts). A
 * flood of them costs neither the disk nor the tasks that are approved meanwhile.
 * idle: approved, and yet nothing came of it that a limit counts, a task that was cancelled before anything left for
 * instance; and share check-ups, for which nobody is asked by default. Once it is spent, no new task is taken.
 */

import { type Code, CosignerError, describe } from "../errors.ts"
import type { Log } from "../log.ts"
import { TokenBucket } from "../tokenBucket.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { JournalBudget, TaskRecord } from "./ports.ts"

/** What a record takes beside its document, its verdict and its outcome: fields, seal, page, sessions. */
const ROW_BYTES = 1024
const DAY_SECONDS = 86_400

type SpentCode = Extract<Code, "E-TSK-033" | "E-TSK-035">

export class Admission {
  readonly #refused: ByteBudget
  readonly #idle: ByteBudget

  constructor(limits: JournalBudget, log: Log, nowMs: number) {
    this.#refused = new ByteBudget(limits.refused, "E-TSK-033", log, nowMs)
    this.#idle = new ByteBudget(limits.idle, "E-TSK-035", log, nowMs)
  }

  /** What to do with a task that is new: claim it, decide it first, or refuse it. */
  admits(nowMs: number): "claim" | "decideFirst" | Refusal {
    if (this.#idle.isSpent(nowMs)) return refuse("E-TSK-035", this.#idle.limits)
    return this.#refused.isSpent(nowMs) ? "decideFirst" : "claim"
  }

  /** A task has ended, in a record of its own. */
  ended(record: TaskRecord): void {
    if (record.verdict?.action !== "approve") this.#refused.charge(bytesOf(record))
    else if (isIdle(record)) this.#idle.charge(bytesOf(record))
  }
}

/** E-TSK-031: a share left, and the limits stay debited. */
const isIdle = ({ type, state, code }: TaskRecord): boolean =>
  type === "KeyShareSign" || (state !== "completed" && code !== "E-TSK-031")

function bytesOf({ document, verdict, reason, outcome }: TaskRecord): number {
  const words = [reason, ...(verdict?.rules ?? []).flatMap((rule) => [rule.rule, rule.reason])]
  const checked = outcome?.type === "shareSignatures" ? document.length + 512 * outcome.signatures.length : 0
  return ROW_BYTES + document.length + checked + words.reduce((sum, word) => sum + word.length, 0)
}

class ByteBudget {
  readonly limits: JournalBudget["refused"]
  readonly #code: SpentCode
  readonly #log: Log
  readonly #bucket: TokenBucket
  #isSaid = false

  constructor(limits: JournalBudget["refused"], code: SpentCode, log: Log, nowMs: number) {
    this.limits = limits
    this.#code = code
    this.#log = log
    this.#bucket = new TokenBucket({ burst: limits.burstBytes, perSecond: limits.bytesPerDay / DAY_SECONDS }, nowMs)
  }

  charge(bytes: number): void {
    this.#bucket.charge(bytes)
  }

  isSpent(nowMs: number): boolean {
    const left = this.#bucket.tokens(nowMs)
    // Said once, and again only after a quiet time: a flood does not end with the first byte that is free again.
    if (left >= this.limits.burstBytes / 2) this.#isSaid = false
    if (left <= 0 && !this.#isSaid) {
      this.#isSaid = true
      this.#log.error(describe(new CosignerError(this.#code, this.limits)), { code: this.#code })
    }
    return left <= 0
  }
}
