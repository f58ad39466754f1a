/** Lint for [intent]: entries that stand for nothing, names that stand for two things. */
import type { Names } from "./names.ts"
import type { LintFinding } from "./rule.ts"

export function lintNames({ table, assetsByName, people }: Names): readonly LintFinding[] {
  const findings: LintFinding[] = []
  const say = (severity: LintFinding["severity"], where: string, what: string): void => {
    findings.push({ severity, where, what })
  }
  for (const [name, members] of people.groups) {
    const strangers = members.filter((member) => !people.approvers.has(member))
    if (strangers.length > 0) say("error", `approver_groups.${name}`, `no approver is called ${strangers.join(", ")}`)
  }
  for (const { name, address, path } of table.addresses) {
    if (address === undefined && path === undefined)
      say("error", `intent.addresses.${name}`, "it has neither an address nor a path: it stands for nothing")
  }
  const ids = table.assets.map(({ id }) => id.toLowerCase())
  for (const [i, { name, id }] of table.assets.entries()) {
    if (ids.indexOf(id.toLowerCase()) < i) say("error", `intent.assets.${name}`, `${id} is listed twice`)
  }
  for (const [name, same] of assetsByName) {
    if (new Set(same.map(({ decimals }) => decimals)).size > 1)
      say(
        "error",
        `intent.assets.${name}`,
        `assets of this name have different decimals: ${same.map(({ id }) => id).join(", ")}`,
      )
  }
  return findings
}
