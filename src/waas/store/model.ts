/** The records that WaaS stores. All of it is public, and none of it can sign. REST shapes are in ../shapes.ts, tables in schema.ts. */
import type { Bytes } from "../../bytes.ts"
import type { Algorithm } from "../../mpc/session.ts"
import type { Awaited } from "../../policy/decision.ts"
import type { ReportStatus, TaskOutcome } from "../../wire/frames.ts"
import type { StartTerms } from "../../wire/signed.ts"
import type { SignatureType, SignMessage, TaskType } from "../../wire/task.ts"
import type { NodeVersions } from "../../wire/versions.ts"

/** A curve as the REST objects spell it. */
export type CurveType = "SECP256K1" | "ED25519"

export interface Organisation {
  readonly orgId: string
  readonly bizOrgId: number
  readonly createdMs: number
}

/**
 * What an API key may do; each role may do all that the one before it may. read: read. approve: hand over approvers' statements and orders.
 * operate: sign, and make addresses. admin: change vaults and groups, and make their keys.
 */
export type ApiRole = "read" | "approve" | "operate" | "admin"

export interface ApiKey {
  /** Lower-case hex: 64 digits (ed25519) or 66 (secp256k1, compressed). */
  readonly publicKey: string
  readonly name: string
  readonly role: ApiRole
  /** IP addresses and networks (`10.0.0.0/8`) from which it may be used; empty: from anywhere. */
  readonly addresses: readonly string[]
  readonly createdMs: number
  readonly revokedMs: number | undefined
}

export type VaultType = "Org-Controlled" | "User-Controlled"

export interface RootKey {
  readonly curve: CurveType
  /** xpub or cpub. */
  readonly rootPubkey: string
}

export interface Vault {
  readonly vaultId: string
  readonly projectId: string | undefined
  readonly name: string
  readonly type: VaultType
  /** Empty until the main group is Valid; from then on fixed. */
  readonly rootKeys: readonly RootKey[]
  /** How long its signing requests may take to be approved and signed; absent: as long as other requests. */
  readonly approvalDeadlineMs?: number
  readonly createdMs: number
}

export type GroupType = "MainGroup" | "SigningGroup" | "RecoveryGroup"

export interface Holder {
  readonly name: string
  readonly type: "API" | "Mobile"
  readonly nodeId: string
  readonly signer: boolean
}

/** A group as the nodes know it. */
export interface ShareGroup extends RootKey {
  readonly shareGroupId: string
  /** The rank of the epoch in use: when the task that made it was created, then the epoch's id (hex). Absent before any reshare. */
  readonly epoch?: { readonly createdMs: number; readonly epochId: string }
}

/** A key share holder group: nodes that hold the vault's root keys together. */
export interface HolderGroup {
  readonly groupId: string
  readonly vaultId: string
  readonly type: GroupType
  readonly status: "New" | "Valid" | "Unavailable"
  readonly threshold: number
  readonly holders: readonly Holder[]
  /** One per curve, once Valid. */
  readonly shareGroups: readonly ShareGroup[]
  readonly createdMs: number
}

export type TssRequestStatus =
  | "PendingKeyHolderConfirmation"
  | "KeyHolderConfirmationFailed"
  | "KeyGenerating"
  | "MPCProcessing"
  | "KeyGeneratingFailed"
  | "Success"

interface RequestCommon {
  readonly vaultId: string
  readonly description: string
  readonly taskIds: readonly string[]
  /** Empty unless the request failed: E-… code and sentence. */
  readonly code: string
  readonly reason: string
  readonly createdMs: number
  readonly updatedMs: number
}

/**
 * KeyGen: the first main group's keys. KeyGenFromKeyGroup: the main group makes a signing or recovery group. Recovery: a
 * recovery group makes a new main group. KeyReshare is ours: the shares of a group are replaced, for the same nodes or others.
 */
export type TssRequestType = "KeyGen" | "KeyGenFromKeyGroup" | "Recovery" | "KeyReshare"

export interface TssRequest extends RequestCommon {
  readonly tssRequestId: string
  readonly type: TssRequestType
  /** The group whose shares are dealt again, and the nodes that deal; absent in a KeyGen. */
  readonly source?: { readonly groupId: string; readonly nodeIds: readonly string[] }
  readonly targetGroupId: string
  readonly status: TssRequestStatus
}

/** The names of TSSStatus (formats.md 1.9) that a caller can meet. */
export type SignStatus = "Initializing" | "Approving" | "Processing" | "Declined" | "Failed" | "Canceled" | "Completed"

export interface SignRequest extends RequestCommon {
  readonly signRequestId: string
  /** The caller's idempotency key. */
  readonly requestId: string
  /** Digest of what the caller asked for under `requestId`: another request under the same key is refused. */
  readonly fingerprint: string
  readonly groupId: string
  readonly curve: CurveType
  readonly signatureType: SignatureType
  readonly usedNodeIds: readonly string[]
  readonly messages: readonly SignMessage[]
  readonly status: SignStatus
}

/** A check-up: one node signs a message with its own share of each of the group's keys (formats.md 8). */
export interface ShareSignRequest extends RequestCommon {
  readonly shareSignRequestId: string
  readonly groupId: string
  readonly nodeId: string
  /** `0x` hex. */
  readonly message: string
  /** The public key shares under which the node's signatures must verify. */
  readonly shareKeys: readonly ShareKey[]
  readonly status: SignStatus
}

/** One node's public share of one key. */
export interface ShareKey {
  readonly shareGroupId: string
  readonly curve: CurveType
  /** enc(S_i), the encoded public key share, hex. */
  readonly publicKey: string
  /** The task of the reshare that made the epoch of this share; absent where no reshare made it. */
  readonly madeBy?: string
}

/** A verified check-up by a member of an epoch that a reshare made. */
export interface VerifiedCheckup {
  readonly nodeId: string
  readonly message: Bytes
  readonly signature: Bytes
}

/** How far a node's database had come when the node last connected: a node with an older one is not admitted again (fencing.ts). */
export interface NodeFencingToken {
  /** Raised by an operator's restore or accepted rollback. */
  readonly incarnation: number
  /** Counts starts of the node. */
  readonly boot: number
  /** Random for each start, hex: tells a restart from a clone with the same `boot`. */
  readonly bootId: string
  /** Counts commits of the node's database. */
  readonly generation: number
  /** The protocol versions that the node told then; absent where an earlier release of WaaS wrote the token. */
  readonly versions?: NodeVersions
}

/** The latest report of one participant on a task. */
export interface NodeReport {
  readonly status: ReportStatus
  readonly attempt: number
  readonly approved: boolean
  readonly code: string
  readonly reason: string
  /** The reading of the payloads that an earlier report named, where this one does not (quorum.ts). */
  readonly read?: string
  /** SHA-256 of the outcome in canonical JSON, hex; empty without an outcome. */
  readonly outcomeDigest: string
  /** The outcome does not answer the task or does not verify. */
  readonly refused: boolean
  /** The incarnation of the node's database then; absent for 0. A node that was restored since may have lost what it reported. */
  readonly incarnation?: number
}

/**
 * approving: waits for approvals of its nodes. ready: enough approved, and the next attempt waits for its pause or for nodes. running: an
 * attempt is under way. The rest is final.
 */
type WaasTaskState = "approving" | "ready" | "running" | "completed" | "rejected" | "failed" | "cancelled"

/** A node said "later". */
interface PutOff {
  /** From when on the node is asked again. */
  readonly untilMs: number
  /** How often it said so. */
  readonly times: number
  /** Why. Empty where WaaS itself set the time, having just asked the node. */
  readonly code: string
}

/** The key that a KeySign signs with. */
export interface TaskKey {
  readonly shareGroupId: string
  readonly algorithm: Algorithm
}

interface AwaitedWords {
  /** The epoch that statements must name, hex. */
  readonly epoch: string | undefined
  readonly words: readonly Awaited[]
}

export interface WaasTask {
  readonly taskId: string
  readonly request: { readonly kind: "tss" | "sign" | "shareSign"; readonly id: string }
  readonly type: TaskType
  /** The exact bytes that were signed and sent. */
  readonly document: Bytes
  readonly signature: Bytes
  /** SHA-256 of the document, hex. */
  readonly digest: string
  /** The participants. */
  readonly nodeIds: readonly string[]
  readonly createdMs: number
  readonly deadlineMs: number
  readonly state: WaasTaskState
  /** The highest attempt that was started; 0 before the first. */
  readonly attempt: number
  /** When the running attempt began, or the earliest moment for the next one. */
  readonly attemptMs: number
  readonly code: string
  readonly reason: string
  /** The accepted result; on a task that did not complete, signatures that came too late. */
  readonly outcome: TaskOutcome | undefined
  readonly reports: Readonly<Record<string, NodeReport>>
  /** The version of the document; absent for 1. */
  readonly taskVersion?: 2 | 3
  /** Version 3: how many of `nodeIds` sign. Absent where all of them take part. */
  readonly threshold?: number
  /** KeySign: the key that signs. Absent where an earlier release wrote the task. */
  readonly key?: TaskKey
  /** KeySign: the vault whose turn in the queue the task takes. Absent where an earlier release wrote the task. */
  readonly vaultId?: string
  /** KeySign: which nodes were sent the document, and when (ms). Absent: all were. */
  readonly asked?: Readonly<Record<string, number>>
  /** Nodes that are asked again later. */
  readonly putOff?: Readonly<Record<string, PutOff>>
  /** Version 3: the signers of the attempt that was started last. */
  readonly signers?: readonly string[]
  /** How many failed attempts each node was blamed for. */
  readonly faults?: Readonly<Record<string, number>>
  /** Why the latest attempts ended, for people. */
  readonly causes?: readonly string[]
  /** The terms of the attempt that was started last, if its suite has any: a repeated start must say the same. */
  readonly terms?: StartTerms
  /** What each node that waits for approvers waits for. */
  readonly awaits?: Readonly<Record<string, AwaitedWords>>
  /** Approvers' signed statements in the order in which they came, each base64 of approvals/approver.ts's encoding. */
  readonly approvals?: readonly string[]
  /** KeyShareSign: the public key shares under which the signatures must verify. */
  readonly shareKeys?: readonly ShareKey[]
}

/** A project of vaults. It fixes the number of participants and the threshold of their main groups. */
export interface Project {
  readonly projectId: string
  readonly name: string
  readonly participants: number
  readonly threshold: number
  readonly createdMs: number
}

/** A named set of addresses of one vault. */
export interface Wallet {
  readonly walletId: string
  readonly vaultId: string
  readonly name: string
  /** A deleted wallet is no longer shown, and its addresses are never given out again. */
  readonly deleted: boolean
  readonly createdMs: number
}

/** One address of a wallet. Whoever relies on it derives it again: the record is no proof. */
export interface WalletAddress {
  readonly walletId: string
  readonly vaultId: string
  readonly chainId: string
  readonly address: string
  /** Canonical: `m/44/60/0/0/5`. */
  readonly path: string
  readonly encoding: string
  /** Extended public key at the path. */
  readonly pubkey: string
  /** Extended public key of the root. */
  readonly rootPubkey: string
  /** Taproot only: the internal key, hex. */
  readonly xOnlyPubkey: string | undefined
  readonly createdMs: number
}

/** A transaction or signed message of a wallet (formats.md 7.4). The signing request that signs it has the same id. */
export interface WalletTransaction {
  readonly transactionId: string
  readonly requestId: string
  /** Digest of what came under the request id. */
  readonly fingerprint: string
  readonly walletId: string
  readonly vaultId: string
  readonly chainId: string
  readonly type: TransactionKind
  readonly status: TransactionStatus
  /** Empty where `status` needs no more detail. */
  readonly subStatus: string
  readonly failedReason: string
  /** In the form of the published objects, like `destination`. */
  readonly source: Readonly<Record<string, unknown>>
  readonly destination: Readonly<Record<string, unknown>>
  /** Of a message, in the form of its kind; empty until it is signed. */
  readonly signature: string
  readonly description: string
  readonly categories: readonly string[]
  readonly createdMs: number
  readonly updatedMs: number
  /** How far WaaS takes the transaction by itself; absent for a message. */
  readonly process?: TransactionProcess
  /** The token of a transfer. */
  readonly tokenId?: string
  /** The group that signs, and which of its nodes; absent: WaaS chooses. */
  readonly signers?: { readonly groupId: string; readonly nodeIds?: readonly string[] }
  /** EVM transactions only. */
  readonly draft?: EvmDraft
  /** The signed transaction, `0x` hex. */
  readonly rawTx?: string
  /** The hash of `rawTx`. */
  readonly transactionHash?: string
  readonly block?: { readonly number: number; readonly hash: string }
}

export type TransactionKind = "MessageSign" | "Withdrawal" | "ContractCall"
type TransactionProcess = "AutoProcess" | "BuildOnly" | "SignOnly"
export type TransactionStatus =
  | "Submitted"
  | "PendingSignature"
  | "Broadcasting"
  | "Confirming"
  | "Completed"
  | "Failed"
  | "Rejected"

/** An unsigned EVM transaction; numbers in decimal digits. */
export interface EvmDraft {
  readonly nonce: number
  readonly maxFeePerGas: string
  readonly maxPriorityFeePerGas: string
  readonly gasLimit: string
  /** `0x` hex. */
  readonly unsigned: string
}
