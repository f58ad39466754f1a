/** The rolling counters in memory. They have no record of their own: the journal of a task holds its debits. */
import { type AmountDebit, type Debit, isAmount, type Replaced, type Usage } from "./decision.ts"

interface Count {
  readonly atMs: number
  readonly amount: number
  readonly taskId: string
}

export class RollingUsage implements Usage {
  /** Per counter, ascending by time. */
  readonly #counts: Map<string, Count[]> = new Map()
  readonly #amounts: Map<string, Amounts> = new Map()

  count(counter: string, sinceMs: number): number {
    return this.#count(counter, sinceMs, undefined)
  }

  sum(counter: string, sinceMs: number): bigint {
    return this.#amounts.get(counter)?.sum(sinceMs, undefined) ?? 0n
  }

  replaced(counter: string, replaces: string): Replaced | undefined {
    return this.#amounts.get(counter)?.replaced(replaces, undefined)
  }

  #count(counter: string, sinceMs: number, except: string | undefined): number {
    const counts = this.#counts.get(counter) ?? []
    let sum = 0
    // Windows look back from now, so only the end of the list is ever read.
    for (let i = counts.length - 1; i >= 0; i--) {
      const count = counts[i]
      if (count === undefined || count.atMs < sinceMs) break
      if (count.taskId !== except) sum += count.amount
    }
    return sum
  }

  /** The counters as if this task had debited nothing. */
  without(taskId: string): Usage {
    return {
      count: (counter, sinceMs) => this.#count(counter, sinceMs, taskId),
      sum: (counter, sinceMs) => this.#amounts.get(counter)?.sum(sinceMs, taskId) ?? 0n,
      replaced: (counter, replaces) => this.#amounts.get(counter)?.replaced(replaces, taskId),
    }
  }

  debit(taskId: string, atMs: number, debits: readonly Debit[]): void {
    for (const debit of debits) {
      if (isAmount(debit)) {
        const amounts = this.#amounts.get(debit.counter) ?? new Amounts()
        amounts.add(taskId, atMs, debit)
        this.#amounts.set(debit.counter, amounts)
      } else {
        const counts = this.#counts.get(debit.counter) ?? []
        insert(counts, { atMs, amount: debit.amount, taskId }, ({ atMs: at }) => at)
        this.#counts.set(debit.counter, counts)
      }
    }
  }

  release(taskId: string, debits: readonly Debit[]): void {
    for (const debit of debits) {
      const { counter } = debit
      if (isAmount(debit)) {
        const amounts = this.#amounts.get(counter)
        amounts?.remove(taskId, debit)
        if (amounts?.isEmpty === true) this.#amounts.delete(counter)
      } else {
        const counts = this.#counts.get(counter) ?? []
        // Usually it is one of the last of many thousands; and a task has one entry for each of its debits.
        const at = counts.findLastIndex((count) => count.taskId === taskId)
        if (at >= 0) counts.splice(at, 1)
        if (counts.length === 0) this.#counts.delete(counter)
      }
    }
  }
}

/** Debits that replace one another. An independent debit is a group of its own. */
interface Group {
  readonly name: string
  members: readonly RollingMember[]
  latestMs: number
}

interface RollingMember {
  readonly taskId: string
  readonly atMs: number
  readonly amount: bigint
}

/** One counter of amounts. */
class Amounts {
  readonly #byName: Map<string, Group> = new Map()
  /** Ascending by the time of their latest member. */
  readonly #order: Group[] = []

  get isEmpty(): boolean {
    return this.#order.length === 0
  }

  sum(sinceMs: number, except: string | undefined): bigint {
    let sum = 0n
    for (let i = this.#order.length - 1; i >= 0; i--) {
      const group = this.#order[i]
      if (group === undefined || group.latestMs < sinceMs) break
      const counted = countedOf(group, except)
      if (counted !== undefined && counted.latestMs >= sinceMs) sum += counted.amount
    }
    return sum
  }

  replaced(replaces: string, except: string | undefined): Replaced | undefined {
    const group = this.#byName.get(named(replaces))
    return group && countedOf(group, except)
  }

  add(taskId: string, atMs: number, { amount, replaces }: AmountDebit): void {
    const name = replaces === "" ? alone(taskId) : named(replaces)
    this.#put(name, [...(this.#byName.get(name)?.members ?? []), { taskId, atMs, amount }])
  }

  remove(taskId: string, { replaces }: AmountDebit): void {
    const name = replaces === "" ? alone(taskId) : named(replaces)
    const members = this.#byName.get(name)?.members
    if (members !== undefined)
      this.#put(
        name,
        members.filter((member) => member.taskId !== taskId),
      )
  }

  #put(name: string, members: readonly RollingMember[]): void {
    const known = this.#byName.get(name)
    if (known !== undefined) this.#order.splice(this.#order.lastIndexOf(known), 1)
    this.#byName.delete(name)
    if (members.length === 0) return
    const group: Group = { name, members, latestMs: latest(members) }
    insert(this.#order, group, ({ latestMs }) => latestMs)
    this.#byName.set(name, group)
  }
}

// Names of both kinds share one map.
const alone = (taskId: string): string => `task ${taskId}`
const named = (replaces: string): string => `name ${replaces}`

const latest = (members: readonly RollingMember[]): number => members.reduce((ms, { atMs }) => Math.max(ms, atMs), 0)

function countedOf({ members, latestMs }: Group, except: string | undefined): Replaced | undefined {
  const counted = except === undefined ? members : members.filter(({ taskId }) => taskId !== except)
  if (counted.length === 0) return undefined
  return {
    amount: counted.reduce((most, { amount }) => (amount > most ? amount : most), 0n),
    latestMs: counted === members ? latestMs : latest(counted),
  }
}

/** A clock that was set back puts a later debit before an earlier one. */
function insert<T>(list: T[], item: T, timeOf: (one: T) => number): void {
  let at = list.length
  while (at > 0 && timeOf(list[at - 1] ?? item) > timeOf(item)) at--
  list.splice(at, 0, item)
}
