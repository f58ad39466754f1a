/**
 * The calls about TSS requests, which make the keys of a key share holder group. KeyReshare is an addition to the vendor's types: with
 * the same group as source and target it gives the group's nodes new shares; with a New group of the same type as target, that group
 * takes the keys over under the same share group ids, and the source becomes Unavailable. A node that holds shares in another group of
 * the vault is refused as a member unless `allow_shared_nodes` is set.
 */
import { type Static, Type } from "@sinclair/typebox"
import type { ReshareWish } from "../engine/reshare.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { tssRequest } from "../shapes.ts"
import type { TssRequest } from "../store/model.ts"
import { approvalRoutes } from "./approvals.ts"
import { type ApiContext, groupIn, vaultOf } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, Id, NodeIdText, param, type Route, route, Words } from "./route.ts"
import { WaitQuery, waited } from "./wait.ts"

const REQUESTS = "/v2/wallets/mpc/vaults/:vault_id/tss_requests"

const NewTssRequest = closed({
  type: Type.Union([
    Type.Literal("KeyGen"),
    Type.Literal("KeyGenFromKeyGroup"),
    Type.Literal("Recovery"),
    Type.Literal("KeyReshare"),
  ]),
  target_key_share_holder_group_id: Id,
  source_key_share_holder_group: Type.Optional(
    closed({ key_share_holder_group_id: Id, tss_node_ids: Type.Optional(Type.Array(NodeIdText, { maxItems: 32 })) }),
  ),
  allow_shared_nodes: Type.Optional(Type.Boolean()),
  description: Type.Optional(Words(0, 512)),
})

export const tssRequestRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: REQUESTS,
    summary: "The TSS requests for a key share holder group, newest first",
    query: closed({ key_share_holder_group_id: Id, ...pageFields }),
    handle: async ({ params, query }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const { groupId } = await groupIn(api, vaultId, query.key_share_holder_group_id)
      return pageOf(await api.store.tssRequests({ vaultId, groupId }, pageQuery(query)), tssRequest)
    },
  }),
  route({
    method: "POST",
    path: REQUESTS,
    summary: "Ask nodes to make the keys of a group, or to deal the keys of one group to another, or to itself again",
    body: NewTssRequest,
    handle: async ({ params, body }) => {
      const vault = await vaultOf(api, param(params, "vault_id"))
      const group = await groupIn(api, vault.vaultId, body.target_key_share_holder_group_id)
      const reshare = reshareWish(body)
      if (reshare === undefined && group.type !== "MainGroup") {
        throw new ApiFailure(2029, `a ${group.type} gets its keys from the main group, by KeyGenFromKeyGroup`)
      }
      const deadlineMs = api.now() + api.keyGenDeadlineMs
      const description = body.description ?? ""
      return tssRequest(await api.engine.createTssRequest({ vault, group, reshare, description, deadlineMs }))
    },
  }),
  route({
    method: "GET",
    path: `${REQUESTS}/:tss_request_id`,
    summary: "One TSS request",
    query: WaitQuery,
    handle: async ({ params, query }) =>
      tssRequest(
        await waited(
          api,
          query,
          (request) => request.tssRequestId,
          () => requestIn(api, params),
        ),
      ),
  }),
  route({
    method: "POST",
    path: `${REQUESTS}/:tss_request_id/cancel`,
    summary: "Cancel a TSS request that is still open",
    handle: async ({ params }) => {
      const { tssRequestId } = await requestIn(api, params)
      const cancelled = await api.engine.cancelTssRequest(tssRequestId)
      // The published statuses have none for a cancelled request. This answer says that the cancellation succeeded (formats.md 7.4); the
      // request itself has the status KeyGeneratingFailed from now on.
      return { ...tssRequest(cancelled), status: "Success" }
    },
  }),
  ...approvalRoutes(api, `${REQUESTS}/:tss_request_id`, (params) => requestIn(api, params)),
]

function reshareWish(body: Static<typeof NewTssRequest>): ReshareWish | undefined {
  const source = body.source_key_share_holder_group
  if (body.type === "KeyGen") {
    if (source === undefined) return undefined
    throw new ApiFailure(2006, "body.source_key_share_holder_group: a KeyGen has no source")
  }
  if (source === undefined) throw new ApiFailure(2003, "body.source_key_share_holder_group is missing")
  return {
    type: body.type,
    sourceGroupId: source.key_share_holder_group_id,
    dealers: source.tss_node_ids,
    allowSharedNodes: body.allow_shared_nodes ?? false,
  }
}

async function requestIn(api: ApiContext, params: Readonly<Record<string, string>>): Promise<TssRequest> {
  const { vaultId } = await vaultOf(api, param(params, "vault_id"))
  const id = param(params, "tss_request_id")
  const request = await api.store.tssRequest(id)
  if (request?.vaultId !== vaultId) throw notFound("TSS request", id)
  return request
}
