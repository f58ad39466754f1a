/**
 * The store of WaaS as the rest of WaaS sees it: it reads records, and writes them in atomic, durable commits. records.ts implements it,
 * over SQLite (sqlite.ts) or Postgres (postgres.ts).
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

/** A position in a list: a row's `seq`, or the oldest end. */
type PagePosition = number | "infinity"

export interface PageQuery {
  readonly limit: number
  /** Rows older than this one. Never together with `before`. */
  readonly after: number | undefined
  /** Rows newer than this one; "infinity" is the last page. */
  readonly before: PagePosition | undefined
}

/** One page of a list, newest first. */
export interface Slice<T> {
  readonly items: readonly T[]
  /** For the page of newer rows; undefined if there are none. */
  readonly before: number | undefined
  /** For the page of older rows; undefined if there are none. */
  readonly after: number | undefined
  /** How many rows the list has, counted up to MOST_COUNTED (rows.ts). */
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
   * `live`: the engine still has something to do for the task, and gets it from `liveTasks` after a restart. `isRetired`: a power cut may
   * undo this write, because it says only that nothing is left to do, which the engine would find out again.
   */
  | { readonly put: "task"; readonly record: WaasTask; readonly live: boolean; readonly isRetired?: true }
  /** The node follows the share group: it is sent the certificate of every completed set-up of it. The task must be stored already. */
  | {
      readonly put: "succession"
      readonly nodeId: string
      readonly taskId: string
      readonly type: "KeyGen" | "KeyReshare"
      readonly shareGroupId: string
    }
  /** A check-up under the epoch that the task, a completed reshare, made. The first one of a node is kept. */
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

/** Which transactions to list: those that match every given field. A list matches any of its values. */
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
  /** Wallets that were not deleted. */
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
   * Takes `count` consecutive address indices below the path `prefix`, which no address of the vault ever had. Returns the first. Durable
   * when it resolves: the indices are never given out again, whether or not addresses are made of them.
   */
  takeAddressIndices(vaultId: string, prefix: string, count: number): Promise<number>
  transaction(transactionId: string): Promise<WalletTransaction | undefined>
  /** The transaction that came under the caller's request_id. */
  transactionOf(requestId: string): Promise<WalletTransaction | undefined>
  transactions(filter: TransactionFilter, page: PageQuery): Promise<Slice<WalletTransaction>>
  /** Transactions that are Broadcasting or Confirming, oldest first, at most `limit`; only those made after the transaction `after`. */
  transactionsOnTheirWay(limit: number, after?: string): Promise<readonly WalletTransaction[]>
  /** The lowest nonce, `least` or above, that no transaction of the address holds. One that failed outside a block holds none. */
  freeNonce(sender: Pick<WalletAddress, "walletId" | "chainId" | "address">, least: number): Promise<number>
}

/** Webhook endpoints, the events for them, and attempts to deliver those. */
export interface WebhookStore {
  webhookEndpoint(endpointId: string): Promise<WebhookEndpoint | undefined>
  webhookEndpoints(
    filter: { readonly status?: WebhookEndpointStatus; readonly type?: string },
    page: PageQuery,
  ): Promise<Slice<WebhookEndpoint>>
  /** All endpoints that are active. */
  activeWebhookEndpoints(): Promise<readonly WebhookEndpoint[]>
  webhookEvent(eventId: string): Promise<WebhookEvent | undefined>
  webhookEvents(
    filter: { readonly endpointId: string; readonly status?: WebhookEventStatus; readonly type?: string },
    page: PageQuery,
  ): Promise<Slice<WebhookEvent>>
  webhookLogs(filter: { readonly eventId: string }, page: PageQuery): Promise<Slice<WebhookLog>>
  /** The events to send to the endpoint now, at most `limit`: of each object only the oldest undelivered event, if it is due. */
  dueWebhookEvents(endpointId: string, nowMs: number, limit: number): Promise<readonly WebhookEvent[]>
  /** Deletes events that were made before `beforeMs`, with their logs. */
  forgetWebhookEvents(beforeMs: number): Promise<void>
}

/** A request in the list of the newest ones. */
export interface RequestSeen {
  readonly kind: WaasTask["request"]["kind"]
  readonly id: string
  readonly createdMs: number
}

export interface WaasStore extends WebhookStore, WalletStore {
  organisation(): Promise<Organisation>

  /** The token of this database, which tells how far it has come; one for all processes that serve it (formats.md 14.1). */
  waasToken(): Promise<WaasToken>
  /** Raises the mark by one, and the incarnation to a given one that is higher. Durable when it resolves. Returns the new token. */
  raiseWaasToken(next: { readonly markId: Bytes; readonly incarnation?: number }): Promise<WaasToken>

  /**
   * Writes all records or none; durable when it resolves. Rejects with E-WAA-006 (SQLite), or with E-WAA-070, E-WAA-071, E-WAA-074 or
   * E-WAA-086 (Postgres).
   */
  commit(writes: readonly StoreWrite[]): Promise<void>

  vault(vaultId: string): Promise<Vault | undefined>
  vaults(filter: { readonly type: VaultType; readonly projectId?: string }, page: PageQuery): Promise<Slice<Vault>>
  group(groupId: string): Promise<HolderGroup | undefined>
  groups(filter: { readonly vaultId: string; readonly type?: GroupType }, page: PageQuery): Promise<Slice<HolderGroup>>
  /** The newest group of the vault with that type and, if given, status. */
  groupOf(vaultId: string, type: GroupType, status?: HolderGroup["status"]): Promise<HolderGroup | undefined>
  /** One row per node, with the newest of its groups that match. */
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
  /** The signing request that came under the caller's request_id. */
  signRequestOf(requestId: string): Promise<SignRequest | undefined>
  signRequests(filter: { readonly vaultId: string }, page: PageQuery): Promise<Slice<SignRequest>>
  /** The newest requests of all vaults, at most `most` of each kind, sorted from old to new. */
  newestRequests(most: number): Promise<readonly RequestSeen[]>
  shareSignRequest(shareSignRequestId: string): Promise<ShareSignRequest | undefined>
  shareSignRequests(filter: { readonly vaultId: string }, page: PageQuery): Promise<Slice<ShareSignRequest>>
  fencingToken(nodeId: string): Promise<NodeFencingToken | undefined>
  /** The tokens of all nodes that ever connected, by node id. */
  fencingTokens(): Promise<ReadonlyMap<string, NodeFencingToken>>
  task(taskId: string): Promise<WaasTask | undefined>
  /** The live tasks that this process works on (shared.ts), the oldest first. */
  liveTasks(): Promise<readonly WaasTask[]>
  /** Live tasks of all processes for which nodes wait for approvers: those of the vault, and set-ups of any vault. The newest `most`. */
  awaitingTasks(vaultId: string, most: number): Promise<readonly WaasTask[]>
  /** All set-ups, completed or not, of the reshared share groups that the node follows, in the order in which they were made. */
  successions(nodeId: string): Promise<readonly WaasTask[]>
  /** The nodes that follow the share group. */
  followersOf(shareGroupId: string): Promise<readonly string[]>
  /** The check-ups of the epoch that the task made: one per node, in the order in which they came. */
  checkups(taskId: string): Promise<readonly VerifiedCheckup[]>

  apiKey(publicKey: string): Promise<ApiKey | undefined>
  apiKeys(): Promise<readonly ApiKey[]>
  /** False if the key is known, revoked or not. */
  addApiKey(key: ApiKey): Promise<boolean>
  /** False if the key is unknown. A second revocation keeps the time of the first. */
  revokeApiKey(publicKey: string, nowMs: number): Promise<boolean>

  /**
   * Remembers the digest of a used nonce; false if it is remembered already. Durable before any later write is. Forgets digests that are
   * older than `windowMs`.
   */
  spendNonce(digest: string, nowMs: number, windowMs: number): Promise<boolean>

  /**
   * Deletes signing requests that ended before `beforeMs`, with their tasks: the oldest, at most `most`. Returns how many. A request_id of
   * theirs counts as new from then on.
   */
  forgetEnded(beforeMs: number, most: number): Promise<number>

  close(): Promise<void>
}
