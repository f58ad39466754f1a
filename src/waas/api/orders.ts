/**
 * Passes signed orders of people to a node, unchanged (bundle.md 3). WaaS can withhold an order but cannot make one. The node decides
 * whether it counts, by its own file; the effect of a freeze shows in the node's readiness.
 */
import { Type } from "@sinclair/typebox"
import { readOrder, readSignedOrder } from "../../approvals/order.ts"
import { MAX_SIGNED_ORDER } from "../../approvals/orderLimits.ts"
import { isUnfit } from "../../approvals/statement.ts"
import { ApiFailure, notFound } from "../failure.ts"
import type { ApiContext } from "./context.ts"
import { closed, param, type Route, route } from "./route.ts"

export const orderRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "POST",
    path: "/v2/wallets/mpc/nodes/:tss_node_id/orders",
    role: "approve",
    summary: "Hand an order that a person signed to a node: freeze, unfreeze, veto",
    body: closed({
      order: Type.String({
        minLength: 1,
        maxLength: MAX_SIGNED_ORDER,
        description: "the order, and behind it the signature of `ssh-keygen -Y sign`",
      }),
    }),
    handle: async ({ params, body }) => {
      const nodeId = param(params, "tss_node_id")
      if (!api.engine.isKnownNode(nodeId)) throw notFound("node", nodeId)
      const signed = readSignedOrder(body.order)
      const order = isUnfit(signed) ? signed : readOrder(signed.statement)
      if (isUnfit(order)) throw new ApiFailure(2006, `body.order: ${order.problem}`)
      if (order.node !== nodeId) throw new ApiFailure(2006, `body.order: it is for ${order.node}`)
      if (order.notAfter * 1000 <= api.now()) throw new ApiFailure(2006, "body.order: its time is over")
      if (!api.engine.order(nodeId, body.order)) throw new ApiFailure(2029, `the node ${nodeId} cannot be reached now`)
      return { submitted: true }
    },
  }),
]
