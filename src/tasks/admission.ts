/**
 * Bounds what the journal stores about tasks without a result. WaaS may ask for any number of tasks, and each claimed task stays on the
 * disk for weeks. So there are two budgets in bytes, each a burst and a rate per day:
 *
 * refused: tasks that were never approved. When it is spent, a task is decided first and claimed only if it is approved
 * (admissionDecision.ts). So a flood of refused tasks neither fills the disk nor keeps other tasks from being approved.
 * idle: approved tasks that used up nothing that a limit counts (for example cancelled before a share left), and share check-ups, for which
 * nobody is asked by default. When it is spent, no new task is taken.
 */
import { type Code, CosignerError, describe } from "../errors.ts"
import type { Log } from "../log.ts"
import { TokenBucket } from "../tokenBucket.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { JournalBudget, TaskRecord } from "./ports.ts"

/** Bytes on disk of a record without document, verdict and outcome: fields, seal, page overhead, sessions. */
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

  /** Charges a task that has ended and has a record in the journal. */
  ended(record: TaskRecord): void {
    if (record.verdict?.action !== "approve") this.#refused.charge(bytesOf(record))
    else if (isIdle(record)) this.#idle.charge(bytesOf(record))
  }
}

/** E-TSK-031 means that a share left; the limits stay debited then, so the task is not idle. */
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
    // Logs once, and again only after the budget was half full: in a flood it is spent and a little free in turn.
    if (left >= this.limits.burstBytes / 2) this.#isSaid = false
    if (left <= 0 && !this.#isSaid) {
      this.#isSaid = true
      this.#log.error(describe(new CosignerError(this.#code, this.limits)), { code: this.#code })
    }
    return left <= 0
  }
}
