/** The policy that decides about a node's tasks at this moment: that of its file, or of the bundle that it follows, and a version that waits. */
import type { Startable } from "../config/startup.ts"
import type { RulesInForce } from "../tasks/policyRequest.ts"
import { type AskedServers, withWaiting } from "./callbacks.ts"
import { type Demands, demandsOf } from "./operationOrders.ts"

export interface NodePolicy extends AskedServers, RulesInForce {
  /** The operations of the host that need orders of people, by the policy in force and by one that waits. */
  readonly demands: readonly Demands[]
  /** Callback servers of a bundle count at once; those of the host's own file only from the next start on. */
  readonly isOfBundle: boolean
}

type PolicySource = Pick<Startable, "config" | "callback">

/** The policy of a configuration; `waiting` is the configuration of a version that waits. */
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
