/**
 * limits: signatures per rolling window, in all, per group, or under a path prefix (over all groups). A debit made exactly
 * one window ago still counts, and so does one from what the clock now calls the future.
 *
 * Counters are named by what they count, never by the limit: two limits over the same thing share one counter, and a
 * limit that is renamed, widened or narrowed keeps its history. Only what a limit asks for is counted, so a new kind of
 * limit starts at zero.
 */
import { formatPath } from "../../keys/path.ts"
import { formatWindow } from "../duration.ts"
import type { KeySignRequest } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"
import type { Limit } from "../schema.ts"

/** As tasks/ports.ts has it. */
export interface Debit {
  readonly counter: string
  readonly amount: number
}

export const limits = (all: readonly Limit[], request: KeySignRequest): readonly Check[] =>
  all.map((limit) => {
    const { counter, amount } = debitOf(limit, request)
    return {
      rule: `key_sign.limits.${limit.name}`,
      code: "E-RSK-011",
      ask: ({ usage, nowMs }) => {
        if (amount === 0) return allow("no message of the task counts here")
        const used = usage.count(counter, nowMs - limit.windowMs)
        if (!Number.isFinite(used) || used < 0) throw new RangeError(`the counter ${counter} reads ${used}`)
        const sums = `${used} used and ${amount} asked of ${limit.max} in ${formatWindow(limit.windowMs)}`
        return used + amount <= limit.max ? allow(sums) : deny(sums)
      },
    }
  })

/** What approving the request takes from the counters; each counter once. */
export function debitsOf(all: readonly Limit[], request: KeySignRequest): readonly Debit[] {
  const byCounter = new Map<string, Debit>()
  for (const limit of all) {
    const debit = debitOf(limit, request)
    if (debit.amount > 0) byCounter.set(debit.counter, debit)
  }
  return [...byCounter.values()]
}

function debitOf(limit: Limit, request: KeySignRequest): Debit {
  switch (limit.per) {
    case "all":
      return { counter: "sign/all", amount: request.messages.length }
    case "group":
      return { counter: `sign/group/${request.groupId}`, amount: request.messages.length }
    case "path_prefix": {
      const under = request.messages.filter(({ path }) => limit.pathPrefix.every((index, i) => path[i] === index))
      return { counter: `sign/path/${formatPath(limit.pathPrefix)}`, amount: under.length }
    }
  }
}
