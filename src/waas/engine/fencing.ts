/** Which copy of a node's database is the newest, as far as WaaS has seen (threshold.md 2.5 rule 11). Pure. */
import type { NodeFencingToken } from "../store/model.ts"

/**
 * Whether the token `now` is not older than the newest one that WaaS has `seen`. A higher incarnation wins: it is an operator's decision (a
 * restore, an accepted rollback). Within an incarnation `boot` (starts) and `generation` (commits) only grow. Each start has its own
 * random boot id, which gives away a clone of the database that counted to the same `boot`.
 */
export function isNewest(now: NodeFencingToken, seen: NodeFencingToken | undefined): boolean {
  if (seen === undefined) return true
  if (now.incarnation !== seen.incarnation) return now.incarnation > seen.incarnation
  if (now.generation < seen.generation) return false
  return now.boot === seen.boot ? now.bootId === seen.bootId : now.boot > seen.boot
}
