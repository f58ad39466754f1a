/** reject_all: the switch of the published format for a whole kind of task. It has no default: every written section must state it. */

import { requiredBoolean } from "../../settings/schema.ts"
import { SECTIONS } from "../request.ts"
import { allow, defineRule, deny } from "../rule.ts"

export const rejectAll = defineRule({
  key: "reject_all",
  sections: SECTIONS,
  code: "E-RSK-003",
  doc: "Whether every task of this kind is rejected. Every section must have it, and it has no default.",
  schema: requiredBoolean(false, "Reject every task of this kind."),
  absent: "a problem",
  check: (on) => [
    on ? deny("every task of this kind is rejected") : allow("tasks of this kind are not rejected as a whole"),
  ],
  lint: (on, { section, report }) => {
    const others = Object.entries(section.written).filter(
      ([key, value]) => key !== "reject_all" && !(Array.isArray(value) && value.length === 0),
    )
    if (!on || others.length === 0) return
    report("warning", `unreachable: ${others.map(([key]) => key).join(", ")}; everything is rejected already`)
  },
  allows: () => false,
  refuses: (request) => ({ setting: true, request }),
})
