/** allow_list of key_reshare, a rule of the published format: to which nodes a key may go. */

import { entryOf, itemsOf, requiredInteger, word } from "../../settings/schema.ts"
import { anotherThreshold, lintEntries, membersSchema, sameSet, thresholdProblems } from "../members.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

export const keyReshareAllowList = defineRule({
  key: "allow_list",
  sections: ["key_reshare"],
  code: "E-RSK-004",
  doc: "Each change of a key's members must match one entry: this root key, this threshold and exactly these nodes, in any order. If the list is left out, it counts as empty, and no change passes.",
  schema: itemsOf(
    entryOf("One change.", {
      xpubkey: word("xpub...", "The extended public key of the key's root."),
      new_threshold: requiredInteger(1, 1000, 2, "How many of the new nodes sign."),
      new_node_ids: membersSchema("The nodes that hold the key from then on, all of them."),
    }),
    [{ xpubkey: "xpub...", new_threshold: 2, new_node_ids: ["NODE-ID-1", "NODE-ID-4"] }],
    "Changes that may be made.",
  ),
  absent: "asked as empty",
  problems: (list) =>
    list.flatMap(({ new_threshold, new_node_ids }, i) =>
      thresholdProblems([i, "new_threshold"], new_threshold, new_node_ids),
    ),
  check: (list, { rootPubKey, newThreshold, newNodeIds }) => {
    const at = list.findIndex(
      (entry) =>
        entry.xpubkey === rootPubKey && entry.new_threshold === newThreshold && sameSet(entry.new_node_ids, newNodeIds),
    )
    return [
      at >= 0
        ? allow(`entry ${at + 1} has this root key, threshold and these nodes`)
        : deny(
            `none of ${list.length} entries has root key ${some([rootPubKey])}, threshold ${newThreshold} and nodes ${some(newNodeIds)}`,
          ),
    ]
  },
  lint: (list, linting) =>
    lintEntries(
      list,
      (a, b) =>
        a.xpubkey === b.xpubkey && a.new_threshold === b.new_threshold && sameSet(a.new_node_ids, b.new_node_ids),
      linting,
    ),
  allows: ({ rootPubKey, newThreshold, newNodeIds }) => [
    { xpubkey: rootPubKey, new_threshold: newThreshold, new_node_ids: [...newNodeIds].reverse() },
  ],
  refuses: (request, _, draw) => {
    const entry = {
      xpubkey: request.rootPubKey,
      new_threshold: request.newThreshold,
      new_node_ids: [...request.newNodeIds],
    }
    const others = [
      { ...entry, xpubkey: "another" },
      { ...entry, new_threshold: anotherThreshold(entry.new_threshold) },
      { ...entry, new_node_ids: [...entry.new_node_ids, "one-more"] },
    ]
    return { setting: others.slice(draw(others.length)), request }
  },
})
