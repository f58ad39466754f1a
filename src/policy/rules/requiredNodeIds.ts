/** required_node_ids: the nodes of the group that must take part. */

import { itemsOf, word } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { allow, defineRule, deny, some } from "../rule.ts"
import { forbiddenNodeIds } from "./forbiddenNodeIds.ts"

export const requiredNodeIds = defineRule({
  key: "required_node_ids",
  sections: ["key_sign", "key_reshare"],
  code: "E-RSK-013",
  doc: "Nodes that must all take part.",
  schema: itemsOf(word("NODE-ID-1", "A node id."), ["NODE-ID-1"], "Nodes that must take part."),
  absent: "not asked",
  check: (required, { usedNodeIds }) => {
    const missing = required.filter((node) => !usedNodeIds.includes(node))
    if (required.length === 0) return [deny("the list is empty")]
    return [missing.length === 0 ? allow("all required nodes take part") : deny(`without ${some(missing)}`)]
  },
  lint: (required, linting) => {
    lintList(required, linting, true)
    const both = required.filter((node) => forbiddenNodeIds.valueIn(linting.section)?.includes(node))
    if (both.length > 0) linting.report("error", `contradiction: ${both.join(", ")} must and must not take part`)
  },
  allows: ({ usedNodeIds }) => [...usedNodeIds],
  refuses: (request, _, draw) => ({
    setting: draw(3) === 0 ? [] : [...request.usedNodeIds.slice(draw(2)), "an-absent-one"],
    request,
  }),
})
