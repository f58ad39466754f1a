/**
 * The calls about key share holder groups and their holders. Departures from the vendor's rules (formats.md 7.4): WaaS adds no holder of
 * its operator to a group, so `participants` counts exactly the listed ones; and any t-of-n from 2-of-2 to 32-of-32 is allowed.
 */
import { type Static, Type } from "@sinclair/typebox"
import { parseNodeId } from "../../wire/nodeId.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { newUuid } from "../ids.ts"
import { keyShareHolder, keyShareHolderGroup } from "../shapes.ts"
import type { Holder, HolderGroup } from "../store/model.ts"
import type { HolderRow, PageQuery } from "../store/store.ts"
import { type ApiContext, groupIn, vaultOf } from "./context.ts"
import { importedHolders } from "./importedGroup.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { projectOf, requireProjectScheme } from "./projects.ts"
import { closed, NodeIdText, param, type Route, route, Words } from "./route.ts"

const MAX_HOLDERS = 32
const GROUPS = "/v2/wallets/mpc/vaults/:vault_id/key_share_holder_groups"
const HOLDERS = "/v2/wallets/mpc/vaults/:vault_id/key_share_holders"

const GroupTypeWord = Type.Union([
  Type.Literal("MainGroup"),
  Type.Literal("SigningGroup"),
  Type.Literal("RecoveryGroup"),
])

const NewGroup = closed({
  key_share_holder_group_type: GroupTypeWord,
  participants: Type.Integer({ minimum: 2, maximum: MAX_HOLDERS }),
  threshold: Type.Integer({ minimum: 2, maximum: MAX_HOLDERS }),
  key_share_holders: Type.Array(
    closed({
      name: Words(1, 64),
      type: Type.Union([Type.Literal("API"), Type.Literal("Mobile")]),
      tss_node_id: NodeIdText,
      signer: Type.Optional(Type.Boolean()),
    }),
    { minItems: 2, maxItems: MAX_HOLDERS },
  ),
})

export const groupRoutes = (api: ApiContext): readonly Route[] => [
  ...groupReads(api),
  ...groupChanges(api),
  ...holderRoutes(api),
]

const groupReads = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: GROUPS,
    summary: "The key share holder groups of a vault, newest first",
    query: closed({ key_share_holder_group_type: Type.Optional(GroupTypeWord), ...pageFields }),
    handle: async ({ params, query }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const { key_share_holder_group_type: type } = query
      const filter = type === undefined ? { vaultId } : { vaultId, type }
      return pageOf(await api.store.groups(filter, pageQuery(query)), (group) => keyShareHolderGroup(group, api.online))
    },
  }),
  route({
    method: "GET",
    path: `${GROUPS}/:group_id`,
    summary: "One key share holder group",
    handle: async ({ params }) => {
      const group = await groupIn(api, param(params, "vault_id"), param(params, "group_id"))
      return keyShareHolderGroup(group, api.online)
    },
  }),
]

const groupChanges = (api: ApiContext): readonly Route[] => [
  route({
    method: "POST",
    path: `${GROUPS}/import`,
    summary:
      "The vault's main group as its nodes took it over from recovery files: the records that import-share wrote on each",
    body: closed({
      records: Type.Array(
        closed({
          node_id: NodeIdText,
          group: Type.String({ pattern: "^[0-9a-f]+$", maxLength: 32_768 }),
          signature: Type.String({ pattern: "^[0-9a-f]{128}$" }),
        }),
        { minItems: 2, maxItems: 2 * MAX_HOLDERS },
      ),
    }),
    handle: async ({ params, body }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const group = await api.engine.importGroup(importedHolders(vaultId, body.records, api.now()))
      return keyShareHolderGroup(group, api.online)
    },
  }),
  route({
    method: "POST",
    path: GROUPS,
    summary: "Make a key share holder group; its keys are then made by a TSS request",
    body: NewGroup,
    handle: async ({ params, body }) => {
      const { vaultId, projectId } = await vaultOf(api, param(params, "vault_id"))
      const made = newGroup(vaultId, body, api.now())
      if (projectId !== undefined) requireProjectScheme(await projectOf(api, projectId), made)
      const group = await api.engine.createGroup(made)
      return keyShareHolderGroup(group, api.online)
    },
  }),
  route({
    method: "PUT",
    path: `${GROUPS}/:group_id`,
    summary: "Upgrade a signing group to the main group; the original is invalidated unless it is to be converted",
    body: closed({
      update_key_share_holder_group_action: Type.Literal("UpgradeToMainGroup"),
      original_main_group_handling: Type.Optional(
        Type.Union([Type.Literal("Invalidate"), Type.Literal("ConvertToSigningGroup")]),
      ),
    }),
    handle: async ({ params, body }) => {
      const { groupId } = await groupIn(api, param(params, "vault_id"), param(params, "group_id"))
      const group = await api.engine.upgradeToMain(groupId, body.original_main_group_handling ?? "Invalidate")
      return keyShareHolderGroup(group, api.online)
    },
  }),
  route({
    method: "POST",
    path: `${GROUPS}/:group_id/delete`,
    summary: "Delete a key share holder group that is not the main group; its nodes keep their shares",
    handle: async ({ params }) => {
      const { groupId } = await groupIn(api, param(params, "vault_id"), param(params, "group_id"))
      await api.engine.deleteGroup(groupId)
      return { submitted: true }
    },
  }),
]

const holderRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: HOLDERS,
    summary: "The nodes of a vault's groups, one entry per node",
    query: closed({
      key_share_holder_group_ids: Type.Optional(
        Type.String({ pattern: "^[A-Za-z0-9-]+(?:,[A-Za-z0-9-]+)*$", maxLength: 4096 }),
      ),
      ...pageFields,
    }),
    handle: async ({ params, query }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const ids = query.key_share_holder_group_ids?.split(",")
      const filter = ids === undefined ? { vaultId } : { vaultId, groupIds: ids }
      return holderPage(api, filter, pageQuery(query))
    },
  }),
  route({
    method: "GET",
    path: `${HOLDERS}/:tss_node_id`,
    summary: "One node of a vault's groups, and whether it is online",
    handle: async ({ params }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const nodeId = param(params, "tss_node_id")
      const found = await api.store.holders({ vaultId, nodeId }, { limit: 1, after: undefined, before: undefined })
      const row = found.items[0]
      if (row === undefined) throw notFound("key share holder", nodeId)
      return shapeOf(api, row, await validGroupIds(api, [row]))
    },
  }),
]

async function holderPage(
  api: ApiContext,
  filter: Parameters<ApiContext["store"]["holders"]>[0],
  query: PageQuery,
): Promise<object> {
  const slice = await api.store.holders(filter, query)
  const valid = await validGroupIds(api, slice.items)
  return pageOf(slice, (row) => shapeOf(api, row, valid))
}

const shapeOf = (api: ApiContext, { holder, groupId }: HolderRow, valid: ReadonlySet<string>): object =>
  keyShareHolder(holder, api.online(holder.nodeId), valid.has(groupId))

async function validGroupIds(api: ApiContext, rows: readonly HolderRow[]): Promise<ReadonlySet<string>> {
  const ids = [...new Set(rows.map(({ groupId }) => groupId))]
  const groups = await Promise.all(ids.map((id) => api.store.group(id)))
  return new Set(groups.flatMap((group) => (group?.status === "Valid" ? [group.groupId] : [])))
}

function newGroup(vaultId: string, body: Static<typeof NewGroup>, createdMs: number): HolderGroup {
  const holders = body.key_share_holders.map(
    (holder): Holder => ({
      name: holder.name,
      type: holder.type,
      nodeId: holder.tss_node_id,
      signer: holder.signer ?? false,
    }),
  )
  if (holders.length !== body.participants) {
    throw new ApiFailure(2006, `body.participants is ${body.participants}, and ${holders.length} holders are listed`)
  }
  if (body.threshold > body.participants) throw new ApiFailure(2006, "body.threshold is more than body.participants")
  for (const [index, { nodeId }] of holders.entries()) {
    const at = `body.key_share_holders.${index}.tss_node_id`
    if (parseNodeId(nodeId) === undefined) throw new ApiFailure(2006, `${at} is not a node id; is it mistyped?`)
    if (holders.findIndex((other) => other.nodeId === nodeId) !== index) {
      throw new ApiFailure(2006, `${at} is listed twice`)
    }
  }
  return {
    groupId: newUuid(),
    vaultId,
    type: body.key_share_holder_group_type,
    status: "New",
    threshold: body.threshold,
    holders,
    shareGroups: [],
    createdMs,
  }
}
