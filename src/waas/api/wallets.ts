/**
 * The calls about wallets, their addresses, and chains. A wallet is a named set of addresses of one vault. The index in an address's path
 * comes from a counter of the vault, so that two wallets of a vault never have the same address.
 */
import { type Static, Type } from "@sinclair/typebox"
import { formatPath } from "../../keys/path.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { newUuid } from "../ids.ts"
import { addressInfo, chainInfo, type JsonObject, walletInfo } from "../shapes.ts"
import type { Vault, VaultType, Wallet, WalletAddress } from "../store/model.ts"
import { addressesAt, ENCODINGS, encodingOn, pathPrefix } from "../wallets/addresses.ts"
import type { Chain } from "../wallets/chains.ts"
import { type ApiContext, vaultOf } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { projectOf } from "./projects.ts"
import { closed, Id, notServed, param, type Route, route, Words } from "./route.ts"

const WALLETS = "/v2/wallets"
const WALLET = `${WALLETS}/:wallet_id`
const Name = Words(1, 64)
const Kind = Type.Union([Type.Literal("MPC"), Type.Literal("Custodial"), Type.Literal("Exchange")])
const Subtype = Type.Union([Type.Literal("Org-Controlled"), Type.Literal("User-Controlled")])
const Names = Type.String({ minLength: 1, maxLength: 8192, description: "separated by commas" })

/** The largest index that is not hardened (BIP-32). */
const LAST_INDEX = 0x7fff_ffff

export const walletRoutes = (api: ApiContext): readonly Route[] => [
  ...chainRoutes(api),
  ...walletReads(api),
  ...walletChanges(api),
  ...addressRoutes(api),
  ...[
    `${WALLET}/tokens`,
    `${WALLET}/tokens/:token_id`,
    `${WALLET}/addresses/:address/tokens`,
    `${WALLET}/chains/:chain_id/account/balances`,
    `${WALLET}/utxos`,
  ].map((path) => notServed("GET", path, "WaaS does not watch chains, and so knows no balances")),
]

const chainQuery = {
  wallet_type: Type.Optional(Kind),
  wallet_subtype: Type.Optional(Type.String({ maxLength: 32 })),
  ...pageFields,
  limit: Type.Optional(Type.String({ pattern: "^[1-9][0-9]{0,2}$", description: "1 to 500; all are on one page" })),
}

const chainRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: `${WALLETS}/chains`,
    summary: "The chains that this WaaS knows",
    query: closed({ chain_ids: Type.Optional(Names), ...chainQuery }),
    handle: async ({ query }) => {
      const asked = query.chain_ids?.split(",")
      return onePage(api.chains.supported.filter(({ chainId }) => asked?.includes(chainId) ?? true).map(chainInfo))
    },
  }),
  route({
    method: "GET",
    path: `${WALLETS}/enabled_chains`,
    summary: "The chains that wallets may use: waas.chains of the configuration",
    query: closed(chainQuery),
    handle: async ({ query }) =>
      onePage(query.wallet_type === undefined || query.wallet_type === "MPC" ? api.chains.enabled.map(chainInfo) : []),
  }),
  route({
    method: "GET",
    path: `${WALLETS}/chains/:chain_id`,
    summary: "One chain",
    handle: async ({ params }) => {
      const id = param(params, "chain_id")
      const chain = api.chains.supported.find(({ chainId }) => chainId === id)
      if (chain === undefined) throw notFound("chain", id)
      return chainInfo(chain)
    },
  }),
]

const onePage = (data: readonly JsonObject[]): JsonObject => ({
  data,
  pagination: { before: "", after: "", total_count: data.length },
})

const walletReads = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: WALLETS,
    summary: "The wallets, newest first",
    query: closed({
      wallet_type: Type.Optional(Kind),
      wallet_subtype: Type.Optional(Type.String({ maxLength: 32 })),
      project_id: Type.Optional(Id),
      vault_id: Type.Optional(Id),
      ...pageFields,
    }),
    handle: async ({ query }) => {
      const subtype = query.wallet_subtype
      const vaultType: VaultType | undefined =
        subtype === "Org-Controlled" || subtype === "User-Controlled" ? subtype : undefined
      // The published service has further kinds of wallets; WaaS has none of them.
      const isOther = (query.wallet_type ?? "MPC") !== "MPC" || (subtype !== undefined && vaultType === undefined)
      if (isOther) return onePage([])
      const filter = {
        ...(query.vault_id === undefined ? {} : { vaultId: query.vault_id }),
        ...(query.project_id === undefined ? {} : { projectId: query.project_id }),
        ...(vaultType === undefined ? {} : { vaultType }),
      }
      const slice = await api.store.wallets(filter, pageQuery(query))
      const items = await Promise.all(slice.items.map((wallet) => walletShape(api, wallet)))
      return pageOf({ ...slice, items }, (item) => item)
    },
  }),
  route({
    method: "GET",
    path: WALLET,
    summary: "One wallet",
    handle: async ({ params }) => walletShape(api, await walletOf(api, params)),
  }),
]

const walletChanges = (api: ApiContext): readonly Route[] => [
  route({
    method: "POST",
    path: WALLETS,
    summary: "Make a wallet of a vault",
    body: closed({
      name: Name,
      wallet_type: Type.Literal("MPC"),
      wallet_subtype: Subtype,
      vault_id: Id,
      enable_auto_sweep: Type.Optional(Type.Literal(false)),
    }),
    handle: async ({ body }) => {
      const vault = await vaultOf(api, body.vault_id)
      if (vault.type !== body.wallet_subtype) {
        throw new ApiFailure(2006, `body.wallet_subtype: the vault ${vault.vaultId} is ${vault.type}`)
      }
      const wallet: Wallet = {
        walletId: newUuid(),
        vaultId: vault.vaultId,
        name: body.name,
        deleted: false,
        createdMs: api.now(),
      }
      await api.store.commit([{ put: "wallet", record: wallet }])
      return walletShape(api, wallet)
    },
  }),
  route({
    method: "PUT",
    path: WALLET,
    summary: "Rename a wallet",
    body: closed({
      wallet_type: Type.Literal("MPC"),
      name: Type.Optional(Name),
      enable_auto_sweep: Type.Optional(Type.Literal(false)),
    }),
    handle: async ({ params, body }) => {
      const renamed = await changeWallet(api, params, (before) => ({ ...before, name: body.name ?? before.name }))
      return walletShape(api, renamed)
    },
  }),
  route({
    method: "POST",
    path: `${WALLET}/delete`,
    summary: "Delete a wallet: it is no longer shown; the vault keeps the keys of its addresses",
    handle: async ({ params }) => {
      await changeWallet(api, params, (before) => ({ ...before, deleted: true }))
      return { submitted: true }
    },
  }),
]

/** Changes the wallet, one change at a time: renaming must not bring back a wallet that was deleted meanwhile. Throws 2028. */
const changeWallet = (
  api: ApiContext,
  params: Readonly<Record<string, string>>,
  change: (before: Wallet) => Wallet,
): Promise<Wallet> =>
  api.shared.exclusively(`wallet ${param(params, "wallet_id")}`, async () => {
    const changed = change(await walletOf(api, params))
    await api.store.commit([{ put: "wallet", record: changed }])
    return changed
  })

const NewAddresses = closed({
  chain_id: Type.String({ minLength: 1, maxLength: 64 }),
  count: Type.Integer({ minimum: 1, maximum: 50 }),
  encoding: Type.Optional(Type.Union(ENCODINGS.map((encoding) => Type.Literal(encoding)))),
})

const addressRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: `${WALLET}/addresses`,
    summary: "The addresses of a wallet, newest first",
    query: closed({ chain_ids: Type.Optional(Names), addresses: Type.Optional(Names), ...pageFields }),
    handle: async ({ params, query }) => {
      const { walletId } = await walletOf(api, params)
      const filter = {
        walletId,
        ...(query.chain_ids === undefined ? {} : { chainIds: query.chain_ids.split(",") }),
        ...(query.addresses === undefined ? {} : { addresses: query.addresses.split(",") }),
      }
      return pageOf(await api.store.addresses(filter, pageQuery(query)), addressInfo)
    },
  }),
  route({
    method: "POST",
    path: `${WALLET}/addresses`,
    role: "operate",
    summary: "Make addresses of a wallet, each at a path that was never used",
    body: NewAddresses,
    handle: async ({ params, body }) => (await newAddresses(api, await walletOf(api, params), body)).map(addressInfo),
  }),
]

async function newAddresses(
  api: ApiContext,
  wallet: Wallet,
  body: Static<typeof NewAddresses>,
): Promise<readonly WalletAddress[]> {
  const chain = enabledChain(api, body.chain_id)
  const encoding = encodingOn(chain, body.encoding)
  if (encoding === undefined)
    throw new ApiFailure(2006, `body.encoding: ${chain.chainId} has no ${body.encoding} addresses`)
  const rootPubkey = rootFor(await vaultOf(api, wallet.vaultId), chain)
  const prefix = pathPrefix(chain, encoding)
  const first = await api.store.takeAddressIndices(wallet.vaultId, formatPath(prefix), body.count)
  if (first + body.count - 1 > LAST_INDEX)
    throw new ApiFailure(2029, "the vault has no unused paths left for such addresses")
  const indices = Array.from({ length: body.count }, (_, nth) => first + nth)
  const records = addressesAt(rootPubkey, chain, encoding, prefix, indices).map(
    (derived, nth): WalletAddress => ({
      ...{ walletId: wallet.walletId, vaultId: wallet.vaultId, chainId: chain.chainId },
      ...derived,
      ...{ path: formatPath([...prefix, first + nth]), encoding, rootPubkey, createdMs: api.now() },
    }),
  )
  await api.store.commit(records.map((record) => ({ put: "address", record })))
  return records
}

/** The chain. Throws 2006 if it is not enabled. */
export function enabledChain(api: ApiContext, chainId: string): Chain {
  const chain = api.chains.enabled.find((enabled) => enabled.chainId === chainId)
  if (chain !== undefined) return chain
  throw new ApiFailure(2006, `body.chain_id: ${JSON.stringify(chainId)} is not enabled; see /v2/wallets/enabled_chains`)
}

/** The vault's root public key on the chain's curve. Throws 2029 if it has none yet. */
function rootFor(vault: Vault, { curve }: Chain): string {
  const root = vault.rootKeys.find((key) => key.curve.toLowerCase() === curve)
  if (root === undefined) throw new ApiFailure(2029, `the vault ${vault.vaultId} has no key on ${curve} yet`)
  return root.rootPubkey
}

const walletOf = (api: ApiContext, params: Readonly<Record<string, string>>): Promise<Wallet> =>
  shownWallet(api, param(params, "wallet_id"))

/** The wallet. Throws 2028 if there is none, or if it was deleted. */
export async function shownWallet(api: ApiContext, id: string): Promise<Wallet> {
  const wallet = await api.store.wallet(id)
  if (wallet === undefined || wallet.deleted) throw notFound("wallet", id)
  return wallet
}

export async function walletShape(api: ApiContext, wallet: Wallet): Promise<JsonObject> {
  const vault = await vaultOf(api, wallet.vaultId)
  const project = vault.projectId === undefined ? undefined : await projectOf(api, vault.projectId)
  return walletInfo(wallet, vault, (await api.store.organisation()).orgId, project)
}
