/** Which copy of a node's database is the newest, as far as WaaS has seen (threshold.md 2.5 rule 11). Pure. */
import type { NodeFencingToken } from "../store/model.ts"

/**
 * Whether a node that stands so is not behind what was seen. Another incarnation is an operator's decision (a restore, an
 * accepted rollback), and the later one wins. Within one, starts and commits only grow, and one count of starts belongs to
 * one start: a clone that counted alike is found out by its boot id.
 */
export function isNewest(now: NodeFencingToken, seen: NodeFencingToken | undefined): boolean {
  if (seen === undefined) return true
  if (now.incarnation !== seen.incarnation) return now.incarnation > seen.incarnation
  if (now.generation < seen.generation) return false
  return now.boot === seen.boot ? now.bootId === seen.bootId : now.boot > seen.boot
}
