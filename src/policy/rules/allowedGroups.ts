/** allowed_groups: the list must name every group that the task would use. */

import { itemsOf, word } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import type { RequestOf } from "../request.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

type GroupRequest = RequestOf<"key_sign" | "key_reshare" | "key_share_sign">

export const allowedGroups = defineRule({
  key: "allowed_groups",
  sections: ["key_sign", "key_reshare", "key_share_sign"],
  code: "E-RSK-005",
  doc: "Ids of the groups that may be used. All others are refused.",
  schema: itemsOf(word("GROUP-ID", "A group id."), ["GROUP-ID"], "Groups that may be used."),
  absent: "not asked",
  check: (allowed, request) => {
    const used = groupsOf(request)
    if (used.length === 0) return [deny("the task names no group")]
    const strange = used.filter((group) => !allowed.includes(group))
    return [strange.length === 0 ? allow("the group is allowed") : deny(`not allowed: group ${some(strange)}`)]
  },
  lint: (list, linting) => lintList(list, linting, true),
  allows: (request) => ["another", ...groupsOf(request)],
  // If there are several groups: names all but one of them.
  refuses: (request, _, draw) => {
    const used = [...new Set(groupsOf(request))]
    const without = draw(used.length)
    return { setting: ["another", ...used.filter((__, i) => i !== without)], request }
  },
})

function groupsOf(request: GroupRequest): readonly string[] {
  switch (request.type) {
    case "key_sign":
      return [request.groupId]
    case "key_reshare":
      return [request.oldGroupId]
    case "key_share_sign":
      return request.groupIds
  }
}
