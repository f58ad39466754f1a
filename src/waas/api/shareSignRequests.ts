/**
 * The calls about check-ups of key shares, an interface of our own: one node signs a message with its own shares of a group, and WaaS
 * verifies each signature under the public share that was recorded when the group was made.
 */
import { Type } from "@sinclair/typebox"
import { parseNodeId } from "../../wire/nodeId.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { shareSignRequest } from "../shapes.ts"
import type { ShareSignRequest } from "../store/model.ts"
import { type ApiContext, groupIn, vaultOf } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, Id, NodeIdText, param, type Route, route, Words } from "./route.ts"
import { WaitQuery, waited } from "./wait.ts"

const REQUESTS = "/v2/wallets/mpc/vaults/:vault_id/key_share_sign_requests"
/** An unanswered check-up expires after 48 h (formats.md 8). */
const DEADLINE_S = 48 * 3600

const NewShareSignRequest = closed({
  key_share_holder_group_id: Id,
  tss_node_id: NodeIdText,
  message: Type.String({
    pattern: "^0x(?:[0-9a-fA-F]{2}){1,4096}$",
    description: "1 to 4096 bytes; the node signs SHA-256 of them",
  }),
  description: Type.Optional(Words(0, 512)),
  deadline_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: DEADLINE_S })),
})

export const shareSignRequestRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: REQUESTS,
    summary: "The key share check-ups of a vault, newest first",
    query: closed(pageFields),
    handle: async ({ params, query }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const slice = await api.store.shareSignRequests({ vaultId }, pageQuery(query))
      const items = await Promise.all(slice.items.map((request) => answerOf(api, request)))
      return pageOf({ ...slice, items }, (item) => item)
    },
  }),
  route({
    method: "POST",
    path: REQUESTS,
    role: "operate",
    summary: "Ask one node to prove that it holds its key shares of a group",
    body: NewShareSignRequest,
    handle: async ({ params, body }) => {
      const vault = await vaultOf(api, param(params, "vault_id"))
      const group = await groupIn(api, vault.vaultId, body.key_share_holder_group_id)
      if (parseNodeId(body.tss_node_id) === undefined) throw new ApiFailure(2006, "body.tss_node_id is not a node id")
      const request = await api.engine.createShareSignRequest({
        vault,
        group,
        nodeId: body.tss_node_id,
        message: body.message.toLowerCase(),
        description: body.description ?? "",
        deadlineMs: api.now() + (body.deadline_seconds ?? DEADLINE_S) * 1000,
      })
      return answerOf(api, request)
    },
  }),
  route({
    method: "GET",
    path: `${REQUESTS}/:key_share_sign_request_id`,
    summary: "One key share check-up, with its signatures once they exist",
    query: WaitQuery,
    handle: async ({ params, query }) =>
      answerOf(
        api,
        await waited(
          api,
          query,
          (request) => request.shareSignRequestId,
          () => requestIn(api, params),
        ),
      ),
  }),
]

async function requestIn(api: ApiContext, params: Readonly<Record<string, string>>): Promise<ShareSignRequest> {
  const { vaultId } = await vaultOf(api, param(params, "vault_id"))
  const id = param(params, "key_share_sign_request_id")
  const request = await api.store.shareSignRequest(id)
  if (request?.vaultId !== vaultId) throw notFound("key share check-up", id)
  return request
}

const answerOf = async (api: ApiContext, request: ShareSignRequest): Promise<object> =>
  shareSignRequest(request, await api.engine.tasksOf(request))
