/** What the endpoints work with: the store, the engine and settings; and the look-ups that many endpoints share. */
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
  /** The chains that wallets may use. */
  readonly chains: Chains
  /** The assets that transfers may name. */
  readonly tokens: readonly AssetToken[]
  /** For requests to the endpoints of chains. */
  readonly fetch: Fetch
  /** The hosts that webhooks may be sent to; empty: webhooks are off. */
  readonly webhookHosts: readonly string[]
  /** Limits from a request to its end. A signing request or its vault may set another one than signDeadlineMs. */
  readonly keyGenDeadlineMs: number
  readonly signDeadlineMs: number
}

/** The vault. Throws 2028 if there is none. */
export async function vaultOf(api: ApiContext, vaultId: string): Promise<Vault> {
  const vault = await api.store.vault(vaultId)
  if (vault === undefined) throw notFound("vault", vaultId)
  return vault
}

/** The group. Throws 2028 if there is none, or if it belongs to another vault. */
export async function groupIn(api: ApiContext, vaultId: string, groupId: string): Promise<HolderGroup> {
  const group = await api.store.group(groupId)
  if (group?.vaultId !== vaultId) throw notFound("key share holder group", groupId)
  return group
}
