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
import { type Refusal, refuse } from "./plan.ts"
import type { JournalBudget, TaskRecord } from "./ports.ts"

/** What a record takes beside its document, its verdict and its outcome: fields, seal, page, sessions. */
const ROW_BYTES = 1024
const DAY_MS = 86_400_000

type Spent = Extract<Code, "E-TSK-033" | "E-TSK-035">

export class Admission {
  readonly #refused: Bucket
  readonly #idle: Bucket

  constructor(limits: JournalBudget, log: Log, nowMs: number) {
    this.#refused = new Bucket(limits.refused, "E-TSK-033", log, nowMs)
    this.#idle = new Bucket(limits.idle, "E-TSK-035", log, nowMs)
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

class Bucket {
  readonly limits: JournalBudget["refused"]
  readonly #code: Spent
  readonly #log: Log
  #left: number
  #atMs: number
  #isSaid = false

  constructor(limits: JournalBudget["refused"], code: Spent, log: Log, nowMs: number) {
    this.limits = limits
    this.#code = code
    this.#log = log
    this.#left = limits.burstBytes
    this.#atMs = nowMs
  }

  charge(bytes: number): void {
    this.#left -= bytes
  }

  isSpent(nowMs: number): boolean {
    const { burstBytes, bytesPerDay } = this.limits
    // A clock that was set back refills nothing.
    const refill = (Math.max(0, nowMs - this.#atMs) / DAY_MS) * bytesPerDay
    this.#atMs = nowMs
    this.#left = Math.min(burstBytes, this.#left + refill)
    // Said once, and again only after a quiet time: a flood does not end with the first byte that is free again.
    if (this.#left >= burstBytes / 2) this.#isSaid = false
    if (this.#left <= 0 && !this.#isSaid) {
      this.#isSaid = true
      this.#log.error(describe(new CosignerError(this.#code, this.limits)))
    }
    return this.#left <= 0
  }
}
