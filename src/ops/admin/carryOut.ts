/** How a running node carries out an admin command whose password was already compared: with the same functions as without a node. */
import { randomUUID } from "node:crypto"
import { aboutShares } from "../../approvals/order.ts"
import type { Bytes } from "../../bytes.ts"
import { systemRng } from "../../crypto/random.ts"
import { CosignerError } from "../../errors.ts"
import type { PartyId } from "../../keys/party.ts"
import type { Store } from "../../store/store.ts"
import { signLocally } from "../../tasks/localShareSign.ts"
import { nodeIdOf, parseNodeId } from "../../wire/nodeId.ts"
import type { Freezing } from "../freezing.ts"
import { showAddress } from "../inventory/address.ts"
import { showEvents } from "../inventory/events.ts"
import { showGroups } from "../inventory/groups.ts"
import { requireHostMayUnfreeze, showPolicy } from "../inventory/policy.ts"
import { showSelf } from "../inventory/self.ts"
import { showSignature } from "../inventory/shareSignature.ts"
import type { Shown } from "../inventory/shown.ts"
import { pardonPeer, showStrikes } from "../inventory/strikes.ts"
import { showTasks } from "../inventory/tasks.ts"
import { parseWaasKey } from "../inventory/waasTrust.ts"
import type { NodePolicy } from "../nodePolicy.ts"
import { demandedOrders, spendOrders } from "../operationOrders.ts"
import type { Orders } from "../orders.ts"
import { NOTHING } from "./messages.ts"
import type { AdminCommand } from "./protocol.ts"

interface AdminNode {
  readonly store: Store
  readonly self: PartyId
  /** Records the decision durably; the link then changes over. */
  readonly trustWaas: (key: Bytes) => Shown
  /** The policy at this moment. */
  readonly policy: () => Pick<NodePolicy, "rules" | "also" | "demands">
  readonly freezing: Freezing
  readonly orders: Orders
}

/** Throws the error of the command. */
export function carryOut(node: AdminNode, command: AdminCommand): Shown {
  const { store, self, policy, freezing, orders, trustWaas } = node
  switch (command.command) {
    case "info":
      return showSelf(store)
    case "groups":
      return showGroups(store, self, command.group_id)
    case "address":
      return showAddress(store, command)
    case "tasks":
      return showTasks(store, command.task_id, command.limit)
    case "events":
      return showEvents(store, command.limit)
    case "strikes":
      return showStrikes(store)
    case "strikes pardon":
      return pardonPeer(store, partyOf(command.node_id), Date.now())
    case "share-sign":
      return showSignature(
        signLocally(
          {
            self,
            groups: store.groups,
            tasks: store.tasks,
            freezes: store.freezes,
            policy: policy(),
            rng: systemRng,
            taskId: `local-${randomUUID()}`,
            nowMs: Date.now(),
          },
          command.group_id,
          command.message,
        ),
      )
    case "freeze": {
      const { group_id: groupId = "", for_ms: forMs, reason } = command
      return freezing.freeze({ groupId, forMs, reason, by: "host" })
    }
    case "unfreeze":
      requireHostMayUnfreeze(store)
      return freezing.unfreeze(command.group_id)
    case "trust-waas":
      return trustWaas(keyOf(command.public_key))
    case "order":
      return orders.take(command.order)
    case "policy status":
      return showPolicy(store)
    case "export-share":
      return permitExport(node, command)
    case "change-password":
    case "backup":
      throw new CosignerError("E-CLI-001", { what: `${command.command} is not the main thread's` })
  }
}

/** The command itself exports; the node only decides whether it may. Throws E-APR-005 and E-APR-006. */
function permitExport(
  { store, self, policy }: Pick<AdminNode, "store" | "self" | "policy">,
  { group_ids, orders = [] }: Extract<AdminCommand, { readonly command: "export-share" }>,
): Shown {
  const about = aboutShares(group_ids)
  const operation = { kind: "export-share", about, nodeId: nodeIdOf(self), nowMs: Date.now() } as const
  spendOrders(store, operation, demandedOrders(operation, policy().demands, orders))
  return NOTHING
}

function keyOf(publicKey: string): Bytes {
  const key = parseWaasKey(publicKey)
  if (key === undefined) throw new CosignerError("E-ADM-006", { problem: "the public key is none" })
  return key
}

function partyOf(nodeId: string): PartyId {
  const party = parseNodeId(nodeId)
  if (party === undefined) throw new CosignerError("E-ADM-006", { problem: "the node id is none" })
  return party
}
