/** Whether the keys of which a node holds shares can sign, judged by the records that refuse tasks. */
import { activeSignable, type GroupRecords } from "../../tasks/signable.ts"
import { type Finding, failure, ok, warning } from "./finding.ts"

const CHECK = "groups.signing"

/** A failure if an ACTIVE group cannot sign with some algorithm, a warning if only some of its members can. */
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
