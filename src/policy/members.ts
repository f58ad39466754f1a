/** What the two allow lists share: sets of nodes, and thresholds over them. */

import { itemsOf, word } from "../settings/schema.ts"
import type { Linting, SettingProblem } from "./rule.ts"

export const membersSchema = (description: string) =>
  itemsOf(word("NODE-ID-1", "A node id."), ["NODE-ID-1", "NODE-ID-2"], description)

/** Never matches if `asked` names a node twice. */
export function sameSet(allowed: readonly string[], asked: readonly string[]): boolean {
  const left = new Set(allowed)
  const right = new Set(asked)
  return left.size === right.size && right.size === asked.length && asked.every((node) => left.has(node))
}

/** For cases that must not match; two nodes are enough. */
export const anotherThreshold = (threshold: number): number => (threshold === 1 ? 2 : threshold - 1)

export function thresholdProblems(
  at: SettingProblem["at"],
  threshold: number,
  members: readonly string[],
): readonly SettingProblem[] {
  if (members.length === 0 || threshold <= members.length) return []
  return [{ at, expected: `at most ${members.length}, the number of its node ids`, got: `${threshold}` }]
}

export function lintEntries<E>(list: readonly E[], same: (a: E, b: E) => boolean, { section, report }: Linting): void {
  if (list.length === 0 && section.written["reject_all"] === false)
    report("error", "empty list with reject_all = false: every task is rejected")
  for (const [i, entry] of list.entries()) {
    const earlier = list.findIndex((other) => same(other, entry))
    if (earlier < i) report("warning", `unreachable: entry ${earlier} is the same`, `[${i}]`)
  }
}
