/** forbidden_node_ids: the nodes of the group that must not take part. */

import { itemsOf, word } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

export const forbiddenNodeIds = defineRule({
  key: "forbidden_node_ids",
  sections: ["key_sign", "key_reshare"],
  code: "E-RSK-014",
  doc: "Nodes that must not take part.",
  schema: itemsOf(word("NODE-ID-3", "A node id."), ["NODE-ID-3"], "Nodes that must not take part."),
  absent: "not asked",
  check: (forbidden, { usedNodeIds }) => {
    const present = usedNodeIds.filter((node) => forbidden.includes(node))
    return [present.length === 0 ? allow("no forbidden node takes part") : deny(`with ${some(present)}`)]
  },
  lint: (list, linting) => lintList(list, linting, false),
  allows: () => ["an-absent-one"],
  refuses: (request, _, draw) => {
    const one = request.usedNodeIds[draw(request.usedNodeIds.length)]
    return { setting: one === undefined ? [] : ["an-absent-one", one], request }
  },
})
