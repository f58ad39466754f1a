/** allowed_groups: every group that the task would use is named. */

import type { Section } from "../request.ts"
import { allow, type Check, deny, some } from "../rule.ts"

export const allowedGroups = (section: Section, allowed: readonly string[], used: readonly string[]): Check => ({
  rule: `${section}.allowed_groups`,
  code: "E-RSK-005",
  ask: () => {
    const strange = used.filter((group) => !allowed.includes(group))
    if (used.length === 0) return deny("the task names no group")
    return strange.length === 0 ? allow("the group is allowed") : deny(`not allowed: group ${some(strange)}`)
  },
})
