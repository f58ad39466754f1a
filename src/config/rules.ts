/** [embedded_risk_control_rules]: the one table whose contents policy/schema.ts reads. */
import { Type } from "@sinclair/typebox"
import { checkRules, RULES_OFF, type Rules } from "../policy/schema.ts"
import { type Refused, refined } from "../settings/schema.ts"

const RulesTable = Type.Transform(Type.Unknown({ description: "Risk control by rules inside the node." }))
  .Decode((table): Rules => {
    const checked = checkRules(table)
    // Problems were reported before anything is decoded.
    return checked.ok ? checked.rules : RULES_OFF
  })
  .Encode((): unknown => {
    throw new TypeError("settings are read and never written back")
  })

export const rules = refined(RulesTable, (table): readonly Refused[] => {
  const checked = checkRules(table)
  return checked.ok ? [] : checked.problems
})
