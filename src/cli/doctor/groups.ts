/** Whether the keys that a node holds shares of can sign, by the records that refuse tasks. */
import { activeSignable, type GroupRecords } from "../../tasks/signable.ts"
import { type Finding, failure, ok, warning } from "./finding.ts"

const CHECK = "groups.signing"

/** A failure for what an ACTIVE group cannot sign with, a warning where only some of its members can. */
export function checkGroups(records: GroupRecords): readonly Finding[] {
  const active = activeSignable(records)
  const wrong = active.flatMap(({ groupId, signable }) =>
    signable.flatMap(({ algorithm, ready, problem }) => {
      if (problem === undefined) return []
      const found = (ready ? warning : failure)(CHECK, problem)
      return [{ ...found, text: `group ${groupId}, ${algorithm}: ${found.text}` }]
    }),
  )
  if (wrong.length > 0) return wrong
  return [ok(CHECK, active.length === 0 ? "no group is here yet" : `${active.length} can sign with every algorithm`)]
}
