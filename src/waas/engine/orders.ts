/** Orders of people to nodes (bundle.md 3): passed on as they are, and kept nowhere. */
import { LINK_WITH_APPROVALS, type NodeVersions } from "../../wire/versions.ts"
import type { RelayPort } from "./ports.ts"

/** False: the node is not here, or takes none. */
export function passOn(relay: RelayPort, { link }: NodeVersions, nodeId: string, order: string): boolean {
  const isHere = relay.online(nodeId) && link >= LINK_WITH_APPROVALS
  if (isHere) relay.send(nodeId, { kind: "order", order })
  return isHere
}
