/** allow_list of key_gen, a rule of the published format: which new keys may be made. */

import { entryOf, itemsOf, requiredInteger } from "../../settings/schema.ts"
import { anotherThreshold, lintEntries, membersSchema, sameSet, thresholdProblems } from "../members.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

export const keyGenAllowList = defineRule({
  key: "allow_list",
  sections: ["key_gen"],
  code: "E-RSK-004",
  doc: "Each new key must match one entry: this threshold and exactly these nodes, in any order. If the list is left out, it counts as empty, and no key passes.",
  schema: itemsOf(
    entryOf("One kind of key.", {
      threshold: requiredInteger(1, 1000, 2, "How many of the nodes sign."),
      node_ids: membersSchema("The nodes that hold the key, all of them."),
    }),
    [{ threshold: 2, node_ids: ["NODE-ID-1", "NODE-ID-2"] }],
    "Keys that may be made.",
  ),
  absent: "asked as empty",
  problems: (list) =>
    list.flatMap(({ threshold, node_ids }, i) => thresholdProblems([i, "threshold"], threshold, node_ids)),
  check: (list, request) => {
    const at = list.findIndex(
      ({ threshold, node_ids }) => threshold === request.threshold && sameSet(node_ids, request.nodeIds),
    )
    return [
      at >= 0
        ? allow(`entry ${at + 1} has this threshold and these nodes`)
        : deny(`none of ${list.length} entries has threshold ${request.threshold} and nodes ${some(request.nodeIds)}`),
    ]
  },
  lint: (list, linting) =>
    lintEntries(list, (a, b) => a.threshold === b.threshold && sameSet(a.node_ids, b.node_ids), linting),
  allows: ({ threshold, nodeIds }) => [{ threshold, node_ids: [...nodeIds].reverse() }],
  refuses: (request, _, draw) => ({
    setting:
      draw(2) === 0
        ? [{ threshold: request.threshold, node_ids: [...request.nodeIds, "one-more"] }]
        : [{ threshold: anotherThreshold(request.threshold), node_ids: [...request.nodeIds] }],
    request,
  }),
})
