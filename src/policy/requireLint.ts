/** What is odd about `require` entries: groups that stand for nothing, and numbers that nobody can reach. */

import { doubtOf } from "./doubt.ts"
import { requirement } from "./requirement.ts"
import type { RequireEntry, RequireSetupEntry } from "./requireSchema.ts"
import { labelOf } from "./requireSchema.ts"
import type { Linting } from "./rule.ts"

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
