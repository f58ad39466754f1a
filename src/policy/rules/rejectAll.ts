/** reject_all: the vendor's switch for a whole kind of task. */

import type { Section } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"

export const rejectAll = (section: Section, on: boolean): Check => ({
  rule: `${section}.reject_all`,
  code: "E-RSK-003",
  ask: () =>
    on ? deny("every task of this kind is rejected") : allow("tasks of this kind are not rejected as a whole"),
})

/** The answer for a section that was not written: closed. */
export const noSection = (section: Section): Check => ({
  rule: section,
  code: "E-RSK-002",
  ask: () => deny("the rules have no section for this kind of task"),
})
