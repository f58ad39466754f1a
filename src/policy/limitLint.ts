/** Lint for limits: a limit that can never be reached, one that another limit makes useless, one that does not bind what it seems to. */

import { formatDecimal } from "../intent/amount.ts"
import { formatPath } from "../keys/path.ts"
import { type AmountLimit, resolveAmount } from "./amountLimit.ts"
import { doubtOf } from "./doubt.ts"
import { formatWindow } from "./duration.ts"
import type { Limit } from "./limitSchema.ts"
import { type PathPattern, reaches } from "./pathPattern.ts"
import type { Linting, Say } from "./rule.ts"

interface Around {
  readonly allowedPaths: readonly PathPattern[] | undefined
  readonly maxBatch: number | undefined
  readonly requiredNodes: readonly string[] | undefined
}

export function lintLimits(list: readonly Limit[], around: Around, linting: Linting): void {
  for (const one of list) {
    const say: Say = (severity, what) => linting.report(severity, what, `.${one.name}`)
    if (one.asset === undefined) lintCount(one, list, around, say)
    else lintAmount(one, list, around, linting, say)
  }
}

function lintCount(one: Limit, list: readonly Limit[], { allowedPaths, maxBatch }: Around, say: Say): void {
  const { max = 0, path_prefix: prefix } = one
  if (max === 0) say("error", "max = 0: every task that counts here is rejected")
  if (prefix !== undefined && allowedPaths?.some((pattern) => reaches(pattern, prefix)) === false)
    say("warning", `unreachable: no allowed path lies under ${formatPath(prefix)}`)
  if (maxBatch !== undefined && max > 0 && maxBatch > max)
    say("warning", `max_batch = ${maxBatch} is unreachable: a batch above ${max} never passes this limit`)
  const tighter = list.find((other) => other !== one && other.asset === undefined && isTighter(other, one))
  if (tighter !== undefined) {
    say("warning", `unreachable: ${tighter.name} allows ${tighter.max} in ${formatWindow(tighter.window)} of the same`)
  }
}

const isTighter = (other: Limit, one: Limit): boolean =>
  other.per === one.per &&
  formatPath(other.path_prefix ?? []) === formatPath(one.path_prefix ?? []) &&
  beats(BigInt(other.max ?? 0), other, BigInt(one.max ?? 0), one)

/** Whether `other` refuses everything that `one` refuses; of two equal limits the first by name stays. */
const beats = (otherMax: bigint, other: Limit, max: bigint, one: Limit): boolean =>
  otherMax <= max &&
  other.window >= one.window &&
  (otherMax < max || other.window > one.window || other.name < one.name)

function lintAmount(one: Limit, list: readonly Limit[], { requiredNodes }: Around, { names }: Linting, say: Say): void {
  let limit: AmountLimit
  try {
    limit = resolveAmount(one, names)
  } catch (error) {
    return say("error", `every task is an error: ${doubtOf(error).reason}`)
  }
  if (limit.max === 0n) say("error", "max_amount is 0: every task that counts here is rejected")
  const tighter = list.find(
    (other) => other !== one && other.asset === one.asset && isTighterAmount(other, one, limit, names),
  )
  if (tighter !== undefined)
    say(
      "warning",
      `unreachable: ${tighter.name} allows ${tighter.max_amount} in ${formatWindow(tighter.window)} of the same`,
    )
  if ((requiredNodes ?? []).length === 0) say("warning", worstCase(limit))
}

function isTighterAmount(other: Limit, one: Limit, limit: AmountLimit, names: Linting["names"]): boolean {
  if (other.per !== one.per || (other.approvals ?? true) !== limit.approvals) return false
  try {
    return beats(resolveAmount(other, names).max, other, limit.max, one)
  } catch {
    // lint reports this elsewhere
    return false
  }
}

/** Each of n nodes gives a share to at most its own limit, and t of them sign, so the group reaches n/t of the limit. */
function worstCase({ max, unit, decimals }: AmountLimit): string {
  const half = formatDecimal((max * 3n) / 2n, decimals)
  return (
    "it binds this node alone: without required_node_ids, WaaS chooses who signs. Where every node of a t-of-n group has this limit, " +
    `the group reaches n/t of it, so 2-of-3 ${half} ${unit}; where the others have none, there is no bound. required_node_ids names the nodes that must sign`
  )
}
