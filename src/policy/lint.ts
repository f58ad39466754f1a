/**
 * Lint for a set of rules that parses: parts that can never be reached, parts that contradict each other, empty
 * lists. An error is a set that rejects everything of a kind by accident; a warning is a part that does nothing. Each rule
 * lints its own value.
 */

import type { Names } from "./names.ts"
import { lintNames } from "./namesLint.ts"
import type { OperationEntry } from "./operations.ts"
import { SECTIONS } from "./request.ts"
import { lintOperations } from "./requireLint.ts"
import type { LintFinding, SectionRules } from "./rule.ts"
import { rejectAll } from "./rules/rejectAll.ts"
import type { Rules } from "./schema.ts"

export function lint({ enable, sections, names }: Rules): readonly LintFinding[] {
  if (enable) return [...SECTIONS.flatMap((name) => lintSection(name, sections[name], names)), ...lintNames(names)]
  if (SECTIONS.every((name) => sections[name] === undefined)) return []
  return [{ severity: "warning", where: "enable", what: "the module is off: nothing below is asked" }]
}

interface LintedPolicy {
  readonly embedded_risk_control_rules: Rules
  readonly operation_approvals: readonly OperationEntry[]
}

/** Lints the rules of a configuration, and the operations for which its host needs orders. */
export const lintPolicy = ({ embedded_risk_control_rules: rules, operation_approvals }: LintedPolicy) => [
  ...lint(rules),
  ...lintOperations(operation_approvals, rules.names.people),
]

function lintSection(name: string, section: SectionRules | undefined, names: Names): readonly LintFinding[] {
  if (section === undefined)
    return [{ severity: "warning", where: name, what: "no such section: every task of this kind is rejected" }]
  // If everything is rejected already, nothing else is worth reporting.
  const isShut = rejectAll.valueIn(section) === true
  const rules = section.rules.filter(({ key }) => !isShut || key === rejectAll.key)
  const findings: LintFinding[] = section.renamed.map(({ key, formerKey }) => ({
    severity: "warning",
    where: `${name}.${formerKey}`,
    what: `it is called ${key} now, and reads as it did; write the new name`,
  }))
  for (const { key, lint: lintRule } of rules) {
    lintRule({
      section,
      names,
      report: (severity, what, below = "") => findings.push({ severity, where: `${name}.${key}${below}`, what }),
    })
  }
  return findings
}
