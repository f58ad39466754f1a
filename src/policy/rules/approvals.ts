/** require: the approvals that a signature needs, each with the approver's own signature, which this node verifies. */
import { lintRequire } from "../requireLint.ts"
import { requirement } from "../requirement.ts"
import { labelOf, type RequireEntry, requireList, requireProblems } from "../requireSchema.ts"
import { allow, defineRule, entry } from "../rule.ts"

export const approvals = defineRule({
  key: "require",
  sections: ["key_sign"],
  code: "E-RSK-024",
  doc: "Approvals by people. Every entry that applies must be fulfilled: as many members of its group as it says must have signed that they approve this very task, and another person must have signed that they ask for it. Until then the task waits; one rejection refuses it.",
  schema: requireList,
  absent: "not asked",
  problems: requireProblems,
  prepare: (list, names) => {
    if (list.length === 0) return () => [allow("no approval is asked for")]
    const asks = list
      .toSorted((a, b) => (labelOf(a) < labelOf(b) ? -1 : 1))
      .map((one) => ({ label: labelOf(one), ask: requirement(one, names) }))
    return (request, facts) => asks.map(({ label, ask }) => entry(label, () => ask(request, facts)))
  },
  lint: (list: readonly RequireEntry[], linting) => lintRequire(list, linting),
  allows: () => [],
  refuses: (request, _, draw) => ({
    setting: [{ group: "nobody", min: 1 + draw(3) }],
    request,
  }),
})
