/**
 * A typed client of the REST API, on top of signedCall.ts. `cosigner demo` and tests use it, and it shows how to call WaaS in the
 * fewest lines.
 */

import type { SignedJson } from "../approvals/json.ts"
import type { SignatureType } from "../wire/task.ts"
import { type ClientOptions, type Query, type SignedCall, signedCaller } from "./signedCall.ts"
import type { CurveType, GroupType, SignStatus, TssRequestStatus, VaultType } from "./store/model.ts"

export interface Page<T> {
  readonly data: readonly T[]
  readonly pagination: { readonly before: string; readonly after: string; readonly total_count: number }
}

export interface ProjectObject {
  readonly project_id: string
  readonly name: string
  readonly participants: number
  readonly threshold: number
  readonly created_timestamp: number
}

export interface VaultObject {
  readonly vault_id: string
  readonly name: string
  readonly type: VaultType
  readonly root_pubkeys: readonly { readonly root_pubkey: string; readonly curve: CurveType }[]
  readonly created_timestamp: number
}

export interface WalletObject {
  readonly wallet_id: string
  readonly wallet_type: string
  readonly wallet_subtype: string
  readonly name: string
  readonly vault_id: string
}

export interface AddressObject {
  readonly address: string
  readonly chain_id: string
  readonly path: string
  readonly encoding: string
  readonly pubkey: string
  readonly root_pubkey: string
}

interface ChainObject {
  readonly chain_id: string
  readonly caip2_chain_id: string
}

interface NewAddresses {
  readonly chain_id: string
  readonly count: number
  readonly encoding?: string
}

export interface HolderObject {
  readonly name: string
  readonly type: string
  readonly tss_node_id: string
  readonly online: boolean
  readonly signer: boolean
  readonly status: string
}

export interface GroupObject {
  readonly key_share_holder_group_id: string
  readonly type: GroupType
  readonly status: "New" | "Valid" | "Unavailable"
  readonly participants: number
  readonly threshold: number
  readonly key_share_holders: readonly HolderObject[]
  readonly tss_key_share_groups: readonly {
    readonly tss_key_share_group_id: string
    readonly curve: CurveType
    readonly root_pubkey: string
  }[]
  readonly created_timestamp: number
}

export interface TssRequestObject {
  readonly tss_request_id: string
  readonly type: string
  readonly status: TssRequestStatus
  readonly target_key_share_holder_group_id: string
  readonly description: string
  readonly created_timestamp: number
  readonly failed_reason?: string
}

export interface SignatureObject {
  readonly bip32_path: string
  readonly msg_hash: string
  readonly tweak: string
  readonly public_key: string
  readonly signature: string
  readonly signature_recovery: string
}

export interface SignRequestObject {
  readonly sign_request_id: string
  readonly request_id: string
  readonly vault_id: string
  readonly key_share_holder_group_id: string
  readonly used_tss_node_ids: readonly string[]
  readonly curve: CurveType
  readonly signature_type: SignatureType
  readonly status: SignStatus
  readonly signatures: readonly SignatureObject[]
  readonly failed_reason: string
  readonly awaits_approval?: boolean
  /** What keeps the request from going on, as text for people: nodes, and what each of them lacks. */
  readonly waiting_for?: readonly string[]
  readonly description: string
  readonly created_timestamp: number
  readonly updated_timestamp: number
}

/** The tasks of a request, for people to judge. Only signatures prove anything; check everything else against the document. */
export interface ApprovalsObject {
  readonly tasks: readonly {
    readonly task_id: string
    /** The exact bytes of the task document, as text. */
    readonly document: string
    readonly state: string
    readonly deadline_timestamp: number
    readonly awaited: readonly {
      readonly tss_node_id: string
      readonly epoch?: string
      readonly request: boolean
      readonly groups: readonly {
        readonly group: string
        readonly min: number
        readonly approved_by: readonly string[]
      }[]
    }[]
    readonly approvals: readonly (SignedJson & { readonly approver: string; readonly decision: string })[]
  }[]
}

/** Each entry has one of the two ids. */
interface AwaitingObject {
  readonly requests: readonly { readonly sign_request_id?: string; readonly tss_request_id?: string }[]
}

/** A check-up of one node: its signatures over the message, one with its share of each key of the group. */
export interface CheckupObject {
  readonly key_share_sign_request_id: string
  readonly key_share_holder_group_id: string
  readonly tss_node_id: string
  readonly message: string
  readonly status: SignStatus
  readonly shares: readonly {
    readonly tss_key_share_group_id: string
    readonly curve: CurveType
    readonly share_public_key: string
    readonly msg_hash: string
    readonly signature: string
  }[]
  readonly failed_reason: string
}

interface NewCheckup {
  readonly key_share_holder_group_id: string
  readonly tss_node_id: string
  readonly message: string
  readonly deadline_seconds?: number
}

interface NewGroup {
  readonly key_share_holder_group_type: GroupType
  readonly participants: number
  readonly threshold: number
  readonly key_share_holders: readonly {
    readonly name: string
    readonly type: "API" | "Mobile"
    readonly tss_node_id: string
    readonly signer: boolean
  }[]
}

export interface SignRequestInput {
  readonly request_id: string
  readonly curve: CurveType
  readonly signature_type: SignatureType
  readonly key_share_holder_group_id?: string
  readonly used_tss_node_ids?: readonly string[]
  readonly messages: readonly {
    readonly bip32_path: string
    /** May be absent if the payload determines it. */
    readonly msg_hash?: string
    readonly tweak?: string
    readonly payload?: number
    readonly input?: number
  }[]
  /** `data` is base64. */
  readonly payloads?: readonly { readonly format: string; readonly data: string }[]
  readonly extra_info?: Readonly<Record<string, unknown>>
  readonly description?: string
  readonly deadline_seconds?: number
}

interface NewReshare {
  readonly type: "KeyGenFromKeyGroup" | "Recovery" | "KeyReshare"
  readonly target_key_share_holder_group_id: string
  readonly source_key_share_holder_group: {
    readonly key_share_holder_group_id: string
    readonly tss_node_ids?: readonly string[]
  }
  readonly allow_shared_nodes?: boolean
  readonly description?: string
}

export interface Client {
  readonly organisation: () => Promise<{ readonly org_id: string; readonly name: string }>
  readonly vaults: (query: Query) => Promise<Page<VaultObject>>
  readonly vault: (vaultId: string) => Promise<VaultObject>
  readonly createVault: (name: string, projectId?: string) => Promise<VaultObject>
  readonly renameVault: (vaultId: string, name: string) => Promise<VaultObject>
  readonly projects: (query: Query) => Promise<Page<ProjectObject>>
  readonly project: (projectId: string) => Promise<ProjectObject>
  readonly createProject: (
    project: Pick<ProjectObject, "name" | "participants" | "threshold">,
  ) => Promise<ProjectObject>
  readonly renameProject: (projectId: string, name: string) => Promise<ProjectObject>
  /** `records` are what import-share wrote at each node. */
  readonly importGroup: (vaultId: string, records: readonly unknown[]) => Promise<GroupObject>
  readonly createGroup: (vaultId: string, group: NewGroup) => Promise<GroupObject>
  readonly group: (vaultId: string, groupId: string) => Promise<GroupObject>
  readonly groups: (vaultId: string, query: Query) => Promise<Page<GroupObject>>
  readonly holders: (vaultId: string, query: Query) => Promise<Page<HolderObject>>
  readonly createKeyGen: (vaultId: string, groupId: string, description: string) => Promise<TssRequestObject>
  readonly tssRequest: (vaultId: string, id: string) => Promise<TssRequestObject>
  readonly tssApprovals: (vaultId: string, id: string) => Promise<ApprovalsObject>
  readonly approveTss: (vaultId: string, id: string, signed: SignedJson) => Promise<ApprovalsObject>
  readonly cancelTssRequest: (vaultId: string, id: string) => Promise<TssRequestObject>
  readonly createReshare: (vaultId: string, reshare: NewReshare) => Promise<TssRequestObject>
  readonly createSignRequest: (vaultId: string, request: SignRequestInput) => Promise<SignRequestObject>
  /** Asks one node for a check-up of its shares of a group. */
  readonly createCheckup: (vaultId: string, checkup: NewCheckup) => Promise<CheckupObject>
  readonly checkup: (vaultId: string, id: string) => Promise<CheckupObject>
  /** `wait`: seconds (at most 50) that the server holds the answer back for the request to end. */
  readonly signRequest: (vaultId: string, id: string, wait?: number) => Promise<SignRequestObject>
  readonly signRequests: (vaultId: string, query: Query) => Promise<Page<SignRequestObject>>
  readonly cancelSignRequest: (vaultId: string, id: string) => Promise<SignRequestObject>
  /** Requests that wait for people, newest first. */
  readonly awaiting: (vaultId: string) => Promise<AwaitingObject>
  readonly approvals: (vaultId: string, signRequestId: string) => Promise<ApprovalsObject>
  /** Hands over a statement that a person signed. */
  readonly approve: (vaultId: string, signRequestId: string, signed: SignedJson) => Promise<ApprovalsObject>
  readonly createWallet: (vaultId: string, name: string) => Promise<WalletObject>
  readonly renameWallet: (walletId: string, name: string) => Promise<WalletObject>
  readonly wallet: (walletId: string) => Promise<WalletObject>
  readonly wallets: (query: Query) => Promise<Page<WalletObject>>
  readonly createAddresses: (walletId: string, wanted: NewAddresses) => Promise<readonly AddressObject[]>
  readonly addresses: (walletId: string, query: Query) => Promise<Page<AddressObject>>
  readonly chain: (chainId: string) => Promise<ChainObject>
  /** Any other endpoint. */
  readonly call: SignedCall
}

/** Calls reject with E-WAA-012 if the server answers with an error, and with E-WAA-013 if there is no usable answer. */
export function createClient(options: ClientOptions): Client {
  const call = signedCaller(options)
  // Answers are not checked against a schema: the server of this program makes them (shapes.ts), and signs them.
  const ask = async <T>(...args: Parameters<SignedCall>): Promise<T> => (await call(...args)) as T
  const vaults = "/wallets/mpc/vaults"
  const projects = "/wallets/mpc/projects"
  return {
    organisation: () => ask("GET", "/organizations/info"),
    vaults: (query) => ask("GET", vaults, { vault_type: "Org-Controlled", ...query }),
    vault: (id) => ask("GET", `${vaults}/${id}`),
    createVault: (name, project) => {
      const kind = { name, vault_type: "Org-Controlled" }
      return ask("POST", vaults, {}, project === undefined ? kind : { ...kind, project_id: project })
    },
    renameVault: (id, name) => ask("PUT", `${vaults}/${id}`, {}, { name }),
    projects: (query) => ask("GET", projects, query),
    project: (id) => ask("GET", `${projects}/${id}`),
    createProject: (project) => ask("POST", projects, {}, project),
    renameProject: (id, name) => ask("PUT", `${projects}/${id}`, {}, { name }),
    importGroup: (id, records) => ask("POST", `${vaults}/${id}/key_share_holder_groups/import`, {}, { records }),
    createGroup: (id, group) => ask("POST", `${vaults}/${id}/key_share_holder_groups`, {}, group),
    group: (id, groupId) => ask("GET", `${vaults}/${id}/key_share_holder_groups/${groupId}`),
    groups: (id, query) => ask("GET", `${vaults}/${id}/key_share_holder_groups`, query),
    holders: (id, query) => ask("GET", `${vaults}/${id}/key_share_holders`, query),
    createKeyGen: (id, groupId, description) => {
      const body = { type: "KeyGen", target_key_share_holder_group_id: groupId, description }
      return ask("POST", `${vaults}/${id}/tss_requests`, {}, body)
    },
    createReshare: (id, reshare) => ask("POST", `${vaults}/${id}/tss_requests`, {}, reshare),
    tssRequest: (id, request) => ask("GET", `${vaults}/${id}/tss_requests/${request}`),
    tssApprovals: (id, request) => ask("GET", `${vaults}/${id}/tss_requests/${request}/approvals`),
    approveTss: (id, request, signed) => ask("POST", `${vaults}/${id}/tss_requests/${request}/approvals`, {}, signed),
    cancelTssRequest: (id, request) => ask("POST", `${vaults}/${id}/tss_requests/${request}/cancel`),
    createSignRequest: (id, request) => ask("POST", `${vaults}/${id}/sign_requests`, {}, request),
    createCheckup: (id, checkup) => ask("POST", `${vaults}/${id}/key_share_sign_requests`, {}, checkup),
    checkup: (id, request) => ask("GET", `${vaults}/${id}/key_share_sign_requests/${request}`),
    signRequest: (id, request, wait) =>
      ask("GET", `${vaults}/${id}/sign_requests/${request}`, wait === undefined ? {} : { wait: String(wait) }),
    signRequests: (id, query) => ask("GET", `${vaults}/${id}/sign_requests`, query),
    awaiting: (id) => ask("GET", `${vaults}/${id}/approvals`),
    approvals: (id, request) => ask("GET", `${vaults}/${id}/sign_requests/${request}/approvals`),
    approve: (id, request, signed) => ask("POST", `${vaults}/${id}/sign_requests/${request}/approvals`, {}, signed),
    cancelSignRequest: (id, request) => ask("POST", `${vaults}/${id}/sign_requests/${request}/cancel`),
    createWallet: (id, name) => {
      const kind = { wallet_type: "MPC", wallet_subtype: "Org-Controlled" }
      return ask("POST", "/wallets", {}, { ...kind, name, vault_id: id })
    },
    renameWallet: (id, name) => ask("PUT", `/wallets/${id}`, {}, { wallet_type: "MPC", name }),
    wallet: (id) => ask("GET", `/wallets/${id}`),
    wallets: (query) => ask("GET", "/wallets", query),
    createAddresses: (id, wanted) => ask("POST", `/wallets/${id}/addresses`, {}, wanted),
    addresses: (id, query) => ask("GET", `/wallets/${id}/addresses`, query),
    chain: (id) => ask("GET", `/wallets/chains/${encodeURIComponent(id)}`),
    call,
  }
}
