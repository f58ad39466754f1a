/**
 * How much the journal takes in of tasks that are refused. WaaS may ask for as much as it likes, and each task that is
 * claimed stays on the disk for weeks. Beyond a burst and a trickle, tasks are decided first and claimed only if they are
 * approved (trial.ts). So a flood costs neither the disk nor the tasks that are approved meanwhile.
 */
import { CosignerError, describe } from "../errors.ts"
import type { Log } from "../log.ts"
import type { TaskLimits, TaskRecord } from "./ports.ts"

/** What a record takes beside its document and its verdict: fields, seal, page. */
const ROW_BYTES = 1024
const DAY_MS = 86_400_000

export class RefusedBudget {
  readonly #limits: TaskLimits["refused"]
  readonly #log: Log
  #left: number
  #atMs: number
  #isSaid = false

  constructor(limits: TaskLimits["refused"], log: Log, nowMs: number) {
    this.#limits = limits
    this.#log = log
    this.#left = limits.burstBytes
    this.#atMs = nowMs
  }

  /** Whether the next task has to be decided before it is claimed. */
  isSpent(nowMs: number): boolean {
    const { burstBytes, bytesPerDay } = this.#limits
    // A clock that was set back refills nothing.
    const refill = (Math.max(0, nowMs - this.#atMs) / DAY_MS) * bytesPerDay
    this.#atMs = nowMs
    this.#left = Math.min(burstBytes, this.#left + refill)
    // Said once, and again only after a quiet time: a flood does not end with the first byte that is free again.
    if (this.#left >= burstBytes / 2) this.#isSaid = false
    if (this.#left <= 0 && !this.#isSaid) {
      this.#isSaid = true
      this.#log.error(describe(new CosignerError("E-TSK-033", this.#limits)))
    }
    return this.#left <= 0
  }

  /** A task has ended, in a record of its own. Costs nothing unless it was never approved. */
  ended({ document, verdict, reason }: TaskRecord): void {
    if (verdict?.action === "approve") return
    const words = [reason, ...(verdict?.rules ?? []).flatMap((rule) => [rule.rule, rule.reason])]
    this.#left -= ROW_BYTES + document.length + words.reduce((sum, word) => sum + word.length, 0)
  }
}
