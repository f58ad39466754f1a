/**
 * allow_list of key_gen and key_reshare, the vendor's: passes on an entry with the same threshold and the same set of
 * nodes, in whatever order. An empty list matches nothing. A node named twice in the task is never a match.
 */

import type { KeyGenRequest, KeyReshareRequest } from "../request.ts"
import { allow, type Check, deny, some } from "../rule.ts"
import type { KeyGenRules, KeyReshareRules } from "../schema.ts"

export const keyGenAllowList = (list: KeyGenRules["allowList"], request: KeyGenRequest): Check => ({
  rule: "key_gen.allow_list",
  code: "E-RSK-004",
  ask: () => {
    const at = list.findIndex(
      (entry) => entry.threshold === request.threshold && sameSet(entry.nodeIds, request.nodeIds),
    )
    return at >= 0
      ? allow(`entry ${at + 1} has this threshold and these nodes`)
      : deny(`none of ${list.length} entries has threshold ${request.threshold} and nodes ${some(request.nodeIds)}`)
  },
})

export const keyReshareAllowList = (list: KeyReshareRules["allowList"], request: KeyReshareRequest): Check => ({
  rule: "key_reshare.allow_list",
  code: "E-RSK-004",
  ask: () => {
    const at = list.findIndex(
      (entry) =>
        entry.xpubkey === request.rootPubKey &&
        entry.newThreshold === request.newThreshold &&
        sameSet(entry.newNodeIds, request.newNodeIds),
    )
    return at >= 0
      ? allow(`entry ${at + 1} has this root key, threshold and these nodes`)
      : deny(
          `none of ${list.length} entries has root key ${some([request.rootPubKey])}, threshold ` +
            `${request.newThreshold} and nodes ${some(request.newNodeIds)}`,
        )
  },
})

export function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const left = new Set(a)
  const right = new Set(b)
  return left.size === right.size && right.size === b.length && b.every((word) => left.has(word))
}
