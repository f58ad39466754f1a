/**
 * Limits of signatures. `group` counts by the key, not by the group's id: a reshare of mode extend puts the same key under
 * another id, and its count must not begin at zero.
 */
import { formatPath } from "../keys/path.ts"
import type { CountDebit } from "./decision.ts"
import { formatWindow } from "./duration.ts"
import type { Limit } from "./limitSchema.ts"
import type { KeySignRequest } from "./request.ts"
import { allow, deny, type Facts, type RuleAnswer } from "./rule.ts"

export function askCount(limit: Limit, request: KeySignRequest, { usage, nowMs }: Facts): RuleAnswer {
  const { window, max = 0 } = limit
  const debit: CountDebit = { counter: counterOf(limit, request), amount: signaturesOf(limit, request) }
  if (debit.amount === 0) return allow("no message of the task counts here")
  const used = usage.count(debit.counter, nowMs - window)
  if (!Number.isFinite(used) || used < 0) throw new RangeError(`the counter ${debit.counter} reads ${used}`)
  const sums = `${used} used and ${debit.amount} asked of ${max} in ${formatWindow(window)}`
  return used + debit.amount <= max ? allow(sums, [debit]) : deny(sums)
}

/** The counter of one key, named after KeySignRequest.rootKey. */
export const keyCounter = (rootKey: string): string => `sign/key/${rootKey}`

function counterOf({ per, path_prefix: prefix = [] }: Limit, request: KeySignRequest): string {
  switch (per) {
    case "all":
      return "sign/all"
    case "group":
      return keyCounter(request.rootKey)
    case "path_prefix":
      return `sign/path/${formatPath(prefix)}`
    case "destination":
    case "source":
      throw new TypeError(`signatures are not counted per ${per}`)
  }
}

/** How many signatures of the request count. */
export const signaturesOf = ({ per, path_prefix: prefix = [] }: Limit, { messages }: KeySignRequest): number =>
  per === "path_prefix"
    ? messages.filter(({ path }) => prefix.every((index, i) => path[i] === index)).length
    : messages.length
