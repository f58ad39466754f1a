/** Signed orders of people to nodes (bundle.md 3). WaaS passes them on unread, and stores none. */
import { LINK_WITH_APPROVALS, type NodeVersions } from "../../wire/versions.ts"
import type { RelayPort } from "./ports.ts"

/** Passes the order on. False if the node is offline, or its release takes no orders. */
export function passOn(relay: RelayPort, { link }: NodeVersions, nodeId: string, order: string): boolean {
  const isHere = relay.online(nodeId) && link >= LINK_WITH_APPROVALS
  if (isHere) relay.send(nodeId, { kind: "order", order })
  return isHere
}
