/** The rolling counters in memory. They have no record of their own: each debit lies in the journal of its task (tasks.ts). */
import type { Debit, Usage } from "../policy/decision.ts"

interface Entry {
  readonly atMs: number
  readonly amount: number
  readonly taskId: string
}

export class RollingUsage implements Usage {
  /** Per counter, ascending by time. */
  readonly #entries: Map<string, Entry[]> = new Map()

  count(counter: string, sinceMs: number): number {
    return this.#count(counter, sinceMs, undefined)
  }

  #count(counter: string, sinceMs: number, except: string | undefined): number {
    const entries = this.#entries.get(counter) ?? []
    let sum = 0
    // Windows look back from now: the end of the list is all that is ever read.
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i]
      if (entry === undefined || entry.atMs < sinceMs) break
      if (entry.taskId !== except) sum += entry.amount
    }
    return sum
  }

  /** The counters as if this task had debited nothing. */
  without(taskId: string): Usage {
    return { count: (counter, sinceMs) => this.#count(counter, sinceMs, taskId) }
  }

  debit(taskId: string, atMs: number, debits: readonly Debit[]): void {
    for (const { counter, amount } of debits) {
      const entries = this.#entries.get(counter) ?? []
      let at = entries.length
      // A clock that was set back puts a later debit before an earlier one.
      while (at > 0 && (entries[at - 1]?.atMs ?? 0) > atMs) at--
      entries.splice(at, 0, { atMs, amount, taskId })
      this.#entries.set(counter, entries)
    }
  }

  release(taskId: string, debits: readonly Debit[]): void {
    for (const { counter } of debits) {
      const entries = this.#entries.get(counter) ?? []
      // Mostly it is one of the last, of many thousands; and a task has one entry for each of its debits.
      const at = entries.findLastIndex((entry) => entry.taskId === taskId)
      if (at >= 0) entries.splice(at, 1)
      if (entries.length === 0) this.#entries.delete(counter)
    }
  }
}
