/** Lint for required approvals: groups that stand for nothing, and numbers that cannot be reached. */

import { doubtOf } from "./doubt.ts"
import type { OperationEntry } from "./operations.ts"
import { type People, sshMembers } from "./people.ts"
import { requirement } from "./requirement.ts"
import type { RequireEntry, RequireSetupEntry } from "./requireSchema.ts"
import { labelOf } from "./requireSchema.ts"
import type { LintFinding, Linting } from "./rule.ts"

export function lintRequire(
  list: readonly (RequireEntry | RequireSetupEntry)[],
  { section, names, report }: Linting,
): void {
  const { people } = names
  for (const one of list) {
    const say = (severity: "error" | "warning", what: string): void => report(severity, what, `.${labelOf(one)}`)
    if (section.section === "key_sign") {
      try {
        requirement(one, names)
      } catch (error) {
        say("error", `every task is an error: ${doubtOf(error).reason}`)
      }
    }
    const members = people.groups.get(one.group)
    if (members === undefined) {
      say("error", `no group is called ${one.group}: whatever it concerns is refused`)
      continue
    }
    const known = members.filter((name) => people.approvers.has(name))
    if (one.min > known.length)
      say("error", `${one.group} has ${known.length} members that exist: ${one.min} can never approve`)
    else if (one.min === known.length)
      say("warning", `all of ${one.group} must approve: what one of them asks for can never be approved`)
  }
}

/** For [[operation_approvals]]: a person who orders an operation signs with an SSH key. */
export function lintOperations(list: readonly OperationEntry[], people: People): readonly LintFinding[] {
  return list.flatMap(({ group, min }, i): readonly LintFinding[] => {
    const members = sshMembers(people, group)
    const error = (what: string) => [{ severity: "error", where: `operation_approvals[${i}]`, what } as const]
    if (members === undefined) return error(`no group is called ${group}: what it is for is refused`)
    if (min <= members.length) return []
    return error(`${group} has ${members.length} members with an SSH key: ${min} can never order what it is for`)
  })
}
