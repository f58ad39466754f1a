/** The calls about vaults and the organisation: `/organizations/info`, `/wallets/mpc/vaults`, `/wallets/mpc/cobo_key_share_holders`. */
import { Type } from "@sinclair/typebox"
import { ApiFailure } from "../failure.ts"
import { newUuid } from "../ids.ts"
import { mpcVault, orgInfo } from "../shapes.ts"
import type { Vault } from "../store/model.ts"
import { type ApiContext, vaultOf } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { projectOf } from "./projects.ts"
import { closed, Id, param, type Route, route, Words } from "./route.ts"

const VaultType = Type.Union([Type.Literal("Org-Controlled"), Type.Literal("User-Controlled")])
const Name = Words(1, 64)

export const vaultRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: "/v2/organizations/info",
    summary: "The organisation that this WaaS serves",
    handle: async () => orgInfo(await api.store.organisation(), api.organisationName),
  }),
  route({
    method: "GET",
    path: "/v2/wallets/mpc/cobo_key_share_holders",
    summary: "Key share holders of the operator of WaaS: none, because it holds no share of any key",
    handle: async () => [],
  }),
  route({
    method: "GET",
    path: "/v2/wallets/mpc/vaults",
    summary: "The vaults, newest first",
    query: closed({ vault_type: VaultType, project_id: Type.Optional(Id), ...pageFields }),
    handle: async ({ query }) => {
      const project = query.project_id === undefined ? {} : { projectId: query.project_id }
      return pageOf(await api.store.vaults({ type: query.vault_type, ...project }, pageQuery(query)), mpcVault)
    },
  }),
  route({
    method: "POST",
    path: "/v2/wallets/mpc/vaults",
    summary: "Make a vault",
    body: closed({ name: Name, vault_type: VaultType, project_id: Type.Optional(Id) }),
    handle: async ({ body }) => {
      const project = body.project_id === undefined ? undefined : await projectOf(api, body.project_id)
      const vault: Vault = {
        vaultId: newUuid(),
        projectId: project?.projectId,
        name: body.name,
        type: body.vault_type,
        rootKeys: [],
        createdMs: api.now(),
      }
      await api.store.commit([{ put: "vault", record: vault }])
      return mpcVault(vault)
    },
  }),
  route({
    method: "GET",
    path: "/v2/wallets/mpc/vaults/:vault_id",
    summary: "One vault, with its root keys once they are made",
    handle: async ({ params }) => mpcVault(await vaultOf(api, param(params, "vault_id"))),
  }),
  route({
    method: "PUT",
    path: "/v2/wallets/mpc/vaults/:vault_id",
    summary: "Rename a vault, or change how long its signing requests may take to be approved",
    body: closed({
      name: Type.Optional(Name),
      approval_deadline_seconds: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 604_800, description: "0: the limit of waas.toml; a day is 86400" }),
      ),
    }),
    handle: async ({ params, body: { name, approval_deadline_seconds: seconds } }) => {
      if (name === undefined && seconds === undefined) throw new ApiFailure(2003, "body.name is missing")
      const changed = (vault: Vault): Vault => {
        const { approvalDeadlineMs: before, ...rest } = vault
        const ms = seconds === undefined ? before : seconds * 1000
        return {
          ...rest,
          name: name ?? vault.name,
          ...(ms === undefined || ms === 0 ? {} : { approvalDeadlineMs: ms }),
        }
      }
      return mpcVault(await api.engine.changeVault(param(params, "vault_id"), changed))
    },
  }),
]
