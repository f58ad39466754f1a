/** What decides on a node's tasks at this moment: the policy of its file, or of the bundle that it follows, and what waits beside that. */
import type { Startable } from "../config/startup.ts"
import type { RulesInForce } from "../tasks/policyRequest.ts"
import { type AskedServers, withWaiting } from "./callbacks.ts"
import { type Demands, demandsOf } from "./operationOrders.ts"

export interface NodePolicy extends AskedServers, RulesInForce {
  /** What the host needs orders of people for, by what is in force and by what waits. */
  readonly demands: readonly Demands[]
  /** Its callback servers count at once; those of the host's own file from the next start on. */
  readonly isOfBundle: boolean
}

type PolicySource = Pick<Startable, "config" | "callback">

/** Of a configuration; `waiting` is that of a version that waits. */
export function policyOf(startable: PolicySource, waiting?: PolicySource): NodePolicy {
  const asked = ({ config, callback }: PolicySource): AskedServers => ({
    servers: callback.servers,
    askKeyShareSign: config.callback.ask_key_share_sign,
  })
  return {
    isOfBundle: startable.config.policyFiles !== undefined,
    ...withWaiting(asked(startable), waiting && asked(waiting)),
    rules: startable.config.embedded_risk_control_rules,
    also: waiting?.config.embedded_risk_control_rules,
    demands: [startable, ...(waiting === undefined ? [] : [waiting])].map(({ config }) => demandsOf(config)),
  }
}
