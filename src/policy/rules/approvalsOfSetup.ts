/** require, for new keys and for changes of their members. */
import { lintRequire } from "../requireLint.ts"
import { askPeople } from "../requirement.ts"
import { labelOf, requireProblems, requireSetupList } from "../requireSchema.ts"
import { allow, defineRule, entry } from "../rule.ts"

export const approvalsOfSetup = defineRule({
  key: "require",
  sections: ["key_gen", "key_reshare"],
  code: "E-RSK-024",
  doc: "Approvals by people: as many members of the group as the entry says must have signed that they approve this very task, and another person must have signed that they ask for it. Until then the task waits; one rejection refuses it.",
  schema: requireSetupList,
  absent: "not asked",
  problems: requireProblems,
  prepare: (list, { people }) => {
    if (list.length === 0) return () => [allow("no approval is asked for")]
    const sorted = list.toSorted((a, b) => (labelOf(a) < labelOf(b) ? -1 : 1))
    return (_, { presented }) =>
      sorted.map((one) =>
        entry(labelOf(one), () => askPeople(one, people, presented, `${one.min} of ${one.group} must approve`, [])),
      )
  },
  lint: lintRequire,
  allows: () => [],
  refuses: (request, _, draw) => ({ setting: [{ group: "nobody", min: 1 + draw(3) }], request }),
})
