/** What the endpoints work with. */
import type { Fetch } from "../../outbound.ts"
import type { Engine } from "../engine/engine.ts"
import { notFound } from "../failure.ts"
import type { HolderGroup, Vault } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import type { Chains } from "../wallets/chains.ts"
import type { AssetToken } from "../wallets/tokens.ts"

export interface ApiContext {
  readonly store: WaasStore
  readonly engine: Engine
  readonly shared: SharedStore
  readonly now: () => number
  readonly online: (nodeId: string) => boolean
  readonly organisationName: string
  /** What wallets may use. */
  readonly chains: Chains
  /** What transfers may name. */
  readonly tokens: readonly AssetToken[]
  /** To endpoints of chains. */
  readonly fetch: Fetch
  /** Whom webhooks may be sent to; empty: nobody. */
  readonly webhookHosts: readonly string[]
  /** Time from a request to its end, at most, unless a signing request says less. */
  readonly keyGenDeadlineMs: number
  readonly signDeadlineMs: number
}

/** Throws 2028. */
export async function vaultOf(api: ApiContext, vaultId: string): Promise<Vault> {
  const vault = await api.store.vault(vaultId)
  if (vault === undefined) throw notFound("vault", vaultId)
  return vault
}

/** A group of that vault. Throws 2028. */
export async function groupIn(api: ApiContext, vaultId: string, groupId: string): Promise<HolderGroup> {
  const group = await api.store.group(groupId)
  if (group?.vaultId !== vaultId) throw notFound("key share holder group", groupId)
  return group
}
