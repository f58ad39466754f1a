/**
 * limits: signatures per rolling window, in all, per group, or under a path prefix (over all groups). `group` counts by the
 * key, not by the group's id: a reshare of mode extend puts the same key under another id, and must not begin at zero. A debit made exactly
 * one window ago still counts, and so does one from what the clock now calls the future.
 *
 * Counters are named by what they count, never by the limit: two limits over the same thing share one counter, and a
 * limit that is renamed, widened or narrowed keeps its history. Only what a limit asks for is counted, so a new kind of
 * limit starts at zero.
 */
import { formatPath } from "../../keys/path.ts"
import { formatWindow } from "../duration.ts"
import type { KeySignRequest } from "../request.ts"
import { type Answer, allow, type Check, deny, type Usage } from "../rule.ts"
import type { Limit } from "../schema.ts"

/** As tasks/ports.ts has it. */
export interface Debit {
  readonly counter: string
  readonly amount: number
}

export interface Limited {
  readonly checks: readonly Check[]
  /** What approving the request takes from the counters; each counter once. */
  readonly debits: readonly Debit[]
}

export function limits(all: readonly Limit[], request: KeySignRequest): Limited {
  const byCounter = new Map<string, Debit>()
  const checks = all.map((limit): Check => {
    const counter = counterOf(limit, request)
    const debit = byCounter.get(counter) ?? { counter, amount: amountOf(limit, request) }
    byCounter.set(counter, debit)
    return {
      rule: `key_sign.limits.${limit.name}`,
      code: "E-RSK-011",
      ask: ({ usage, nowMs }) => askLimit(limit, debit, usage, nowMs),
    }
  })
  return { checks, debits: [...byCounter.values()].filter(({ amount }) => amount > 0) }
}

function askLimit({ windowMs, max }: Limit, { counter, amount }: Debit, usage: Usage, nowMs: number): Answer {
  if (amount === 0) return allow("no message of the task counts here")
  const used = usage.count(counter, nowMs - windowMs)
  if (!Number.isFinite(used) || used < 0) throw new RangeError(`the counter ${counter} reads ${used}`)
  const sums = `${used} used and ${amount} asked of ${max} in ${formatWindow(windowMs)}`
  return used + amount <= max ? allow(sums) : deny(sums)
}

/** The counter of one key, named as KeySignRequest.rootKey has it. */
export const keyCounter = (rootKey: string): string => `sign/key/${rootKey}`

function counterOf(limit: Limit, request: KeySignRequest): string {
  switch (limit.per) {
    case "all":
      return "sign/all"
    case "group":
      return keyCounter(request.rootKey)
    case "path_prefix":
      return `sign/path/${formatPath(limit.pathPrefix)}`
  }
}

const amountOf = ({ pathPrefix }: Limit, { messages }: KeySignRequest): number =>
  messages.filter(({ path }) => pathPrefix.every((index, i) => path[i] === index)).length
