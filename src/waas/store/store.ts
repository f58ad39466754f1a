/**
 * The store of WaaS as the rest of it sees it: records in, records out, and one atomic, durable commit. Asynchronous so
 * that a networked database can stand behind it; the SQLite one is sqlite.ts.
 */
import type { Bytes } from "../../bytes.ts"
import type { WaasToken } from "../../wire/waasToken.ts"
import type {
  ApiKey,
  GroupType,
  Holder,
  HolderGroup,
  NodeFencingToken,
  Organisation,
  Project,
  ShareSignRequest,
  SignRequest,
  TssRequest,
  Vault,
  VaultType,
  VerifiedCheckup,
  WaasTask,
  Wallet,
  WalletAddress,
  WalletTransaction,
} from "./model.ts"
import type {
  WebhookEndpoint,
  WebhookEndpointStatus,
  WebhookEvent,
  WebhookEventStatus,
  WebhookLog,
} from "./webhookModel.ts"

/** A position in a list: the row's number, or the far end. */
type PagePosition = number | "infinity"

export interface PageQuery {
  readonly limit: number
  /** Rows older than this one. Never together with `before`. */
  readonly after: number | undefined
  /** Rows newer than this one; "infinity" is the last page. */
  readonly before: PagePosition | undefined
}

/** Newest first. `before` and `after` are undefined where there is nothing in that direction. */
export interface Slice<T> {
  readonly items: readonly T[]
  readonly before: number | undefined
  readonly after: number | undefined
  readonly total: number
}

export interface HolderRow {
  readonly holder: Holder
  readonly groupId: string
}

/** One change; a record with a known id replaces the earlier one. */
export type StoreWrite =
  | { readonly put: "vault"; readonly record: Vault }
  | { readonly put: "group"; readonly record: HolderGroup }
  | { readonly put: "tssRequest"; readonly record: TssRequest }
  | { readonly put: "signRequest"; readonly record: SignRequest }
  | { readonly put: "shareSignRequest"; readonly record: ShareSignRequest }
  | { readonly put: "fencingToken"; readonly nodeId: string; readonly record: NodeFencingToken }
  /**
   * `live`: the engine still has something to do for it, and gets it back from `liveTasks` after a restart. `isRetired`: a power cut may
   * take this write back, for it says no more than that nothing is left to do, which the engine finds out once more.
   */
  | { readonly put: "task"; readonly record: WaasTask; readonly live: boolean; readonly isRetired?: true }
  /** That node is to be told of every completed set-up of that share group, since that one concerns it. The task is there already. */
  | {
      readonly put: "succession"
      readonly nodeId: string
      readonly taskId: string
      readonly type: "KeyGen" | "KeyReshare"
      readonly shareGroupId: string
    }
  /** A check-up under the epoch that this completed reshare made; the first of a node stays. */
  | { readonly put: "checkup"; readonly taskId: string; readonly record: VerifiedCheckup }
  | WebhookWrite
  | WalletWrite

export type WebhookWrite =
  | { readonly put: "webhookEndpoint"; readonly record: WebhookEndpoint }
  | { readonly put: "webhookEvent"; readonly record: WebhookEvent }
  | { readonly put: "webhookLog"; readonly record: WebhookLog }

export type WalletWrite =
  | { readonly put: "project"; readonly record: Project }
  | { readonly put: "wallet"; readonly record: Wallet }
  | { readonly put: "address"; readonly record: WalletAddress }
  | { readonly put: "transaction"; readonly record: WalletTransaction }

/** What transactions are asked for by; each list matches any of its values. */
export interface TransactionFilter {
  readonly requestId?: string
  readonly vaultId?: string
  readonly transactionIds?: readonly string[]
  readonly walletIds?: readonly string[]
  readonly chainIds?: readonly string[]
  readonly types?: readonly string[]
  readonly statuses?: readonly string[]
  readonly createdFromMs?: number
  readonly createdToMs?: number
}

/** Projects, wallets, their addresses and transactions. */
export interface WalletStore {
  project(projectId: string): Promise<Project | undefined>
  projects(page: PageQuery): Promise<Slice<Project>>
  wallet(walletId: string): Promise<Wallet | undefined>
  /** Without those that were deleted. */
  wallets(
    filter: { readonly vaultId?: string; readonly projectId?: string; readonly vaultType?: VaultType },
    page: PageQuery,
  ): Promise<Slice<Wallet>>
  addresses(
    filter: {
      readonly walletId: string
      readonly chainIds?: readonly string[]
      readonly addresses?: readonly string[]
    },
    page: PageQuery,
  ): Promise<Slice<WalletAddress>>
  /**
   * The first of `count` indices below `prefix` that no address of the vault ever had: durable when it resolves, and never
   * given out again, whatever becomes of them.
   */
  takeAddressIndices(vaultId: string, prefix: string, count: number): Promise<number>
  transaction(transactionId: string): Promise<WalletTransaction | undefined>
  transactionOf(requestId: string): Promise<WalletTransaction | undefined>
  transactions(filter: TransactionFilter, page: PageQuery): Promise<Slice<WalletTransaction>>
  /** Those that are Broadcasting or Confirming, oldest first, at most `limit`; made later than `after`, if it is given. */
  transactionsOnTheirWay(limit: number, after?: string): Promise<readonly WalletTransaction[]>
  /** The lowest nonce, `least` or above, that no transaction of the address holds. One that failed before a block had it holds none. */
  freeNonce(sender: Pick<WalletAddress, "walletId" | "chainId" | "address">, least: number): Promise<number>
}

/** Whom WaaS tells what happens, and what it still has to tell. */
export interface WebhookStore {
  webhookEndpoint(endpointId: string): Promise<WebhookEndpoint | undefined>
  webhookEndpoints(
    filter: { readonly status?: WebhookEndpointStatus; readonly type?: string },
    page: PageQuery,
  ): Promise<Slice<WebhookEndpoint>>
  /** All that are active. */
  activeWebhookEndpoints(): Promise<readonly WebhookEndpoint[]>
  webhookEvent(eventId: string): Promise<WebhookEvent | undefined>
  webhookEvents(
    filter: { readonly endpointId: string; readonly status?: WebhookEventStatus; readonly type?: string },
    page: PageQuery,
  ): Promise<Slice<WebhookEvent>>
  webhookLogs(filter: { readonly eventId: string }, page: PageQuery): Promise<Slice<WebhookLog>>
  /** What the endpoint is to be sent now, at most `limit`: of each object the oldest event under way, once it is due. */
  dueWebhookEvents(endpointId: string, nowMs: number, limit: number): Promise<readonly WebhookEvent[]>
  /** Forgets events that were made before `beforeMs`, with their logs. */
  forgetWebhookEvents(beforeMs: number): Promise<void>
}

/** That a request is there. */
export interface RequestSeen {
  readonly kind: WaasTask["request"]["kind"]
  readonly id: string
  readonly createdMs: number
}

export interface WaasStore extends WebhookStore, WalletStore {
  organisation(): Promise<Organisation>

  /** How far this database has come: one token for all that serve it (formats.md 14.1). */
  waasToken(): Promise<WaasToken>
  /** The next mark, in that incarnation if it is given and higher; on disk when the promise resolves. Returns the new token. */
  raiseWaasToken(next: { readonly markId: Bytes; readonly incarnation?: number }): Promise<WaasToken>

  /** All of it or nothing, on disk when the promise resolves. Rejects with E-WAA-006. */
  commit(writes: readonly StoreWrite[]): Promise<void>

  vault(vaultId: string): Promise<Vault | undefined>
  vaults(filter: { readonly type: VaultType; readonly projectId?: string }, page: PageQuery): Promise<Slice<Vault>>
  group(groupId: string): Promise<HolderGroup | undefined>
  groups(filter: { readonly vaultId: string; readonly type?: GroupType }, page: PageQuery): Promise<Slice<HolderGroup>>
  /** The vault's group of that type and status that was made last. */
  groupOf(vaultId: string, type: GroupType, status?: HolderGroup["status"]): Promise<HolderGroup | undefined>
  /** One row per node: its newest group. */
  holders(
    filter: { readonly vaultId: string; readonly groupIds?: readonly string[]; readonly nodeId?: string },
    page: PageQuery,
  ): Promise<Slice<HolderRow>>
  /** Every node that any group names. */
  nodeIds(): Promise<readonly string[]>
  tssRequest(tssRequestId: string): Promise<TssRequest | undefined>
  tssRequests(
    filter: { readonly vaultId: string; readonly groupId: string },
    page: PageQuery,
  ): Promise<Slice<TssRequest>>
  signRequest(signRequestId: string): Promise<SignRequest | undefined>
  signRequestOf(requestId: string): Promise<SignRequest | undefined>
  signRequests(filter: { readonly vaultId: string }, page: PageQuery): Promise<Slice<SignRequest>>
  /** Of all vaults, from old to new; at most so many of each kind. */
  newestRequests(most: number): Promise<readonly RequestSeen[]>
  shareSignRequest(shareSignRequestId: string): Promise<ShareSignRequest | undefined>
  shareSignRequests(filter: { readonly vaultId: string }, page: PageQuery): Promise<Slice<ShareSignRequest>>
  fencingToken(nodeId: string): Promise<NodeFencingToken | undefined>
  /** Of every node that ever connected, by node id. */
  fencingTokens(): Promise<ReadonlyMap<string, NodeFencingToken>>
  task(taskId: string): Promise<WaasTask | undefined>
  /** Those of this process (shared.ts), the oldest first. */
  liveTasks(): Promise<readonly WaasTask[]>
  /** Live tasks of every process with which nodes wait for people, of that vault or of set-ups of any; the newest, at most so many. */
  awaitingTasks(vaultId: string, most: number): Promise<readonly WaasTask[]>
  /** Set-ups, completed or not, of the reshared groups that this node is to be told of, in the order they were made. */
  successions(nodeId: string): Promise<readonly WaasTask[]>
  /** The nodes that are to be told of the set-ups of that share group. */
  toldOf(shareGroupId: string): Promise<readonly string[]>
  /** One per node, in the order they came. */
  checkups(taskId: string): Promise<readonly VerifiedCheckup[]>

  apiKey(publicKey: string): Promise<ApiKey | undefined>
  apiKeys(): Promise<readonly ApiKey[]>
  /** False if the key is known, revoked or not. */
  addApiKey(key: ApiKey): Promise<boolean>
  /** False if the key is unknown; a second revocation keeps the first moment. */
  revokeApiKey(publicKey: string, nowMs: number): Promise<boolean>

  /**
   * Remembers a used nonce durably; false if it is remembered already. What is older than `windowMs` is forgotten.
   */
  spendNonce(digest: string, nowMs: number, windowMs: number): Promise<boolean>

  /**
   * Forgets signing requests that ended before that moment, with their tasks: the oldest, at most so many. Resolves with how many
   * they were. Their request_id counts as new from then on.
   */
  forgetEnded(beforeMs: number, most: number): Promise<number>

  close(): Promise<void>
}
