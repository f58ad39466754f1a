/** required_node_ids and forbidden_node_ids: which of the group's nodes must, and must not, take part. */

import type { Section } from "../request.ts"
import { allow, type Check, deny, some } from "../rule.ts"

export const requiredNodeIds = (section: Section, required: readonly string[], used: readonly string[]): Check => ({
  rule: `${section}.required_node_ids`,
  code: "E-RSK-013",
  ask: () => {
    const absent = required.filter((node) => !used.includes(node))
    if (required.length === 0) return deny("the list is empty")
    return absent.length === 0 ? allow("all required nodes take part") : deny(`without ${some(absent)}`)
  },
})

export const forbiddenNodeIds = (section: Section, forbidden: readonly string[], used: readonly string[]): Check => ({
  rule: `${section}.forbidden_node_ids`,
  code: "E-RSK-014",
  ask: () => {
    const present = used.filter((node) => forbidden.includes(node))
    return present.length === 0 ? allow("no forbidden node takes part") : deny(`with ${some(present)}`)
  },
})
