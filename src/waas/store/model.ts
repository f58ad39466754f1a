/** What WaaS keeps, as plain records: every field is public, nothing here can sign. REST shapes are in ../shapes.ts, tables in schema.ts. */
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

/** What a key may do: read reads; approve hands over words of people as well; operate signs and makes addresses too; admin changes vaults, groups and keys as well. */
export type ApiRole = "read" | "approve" | "operate" | "admin"

export interface ApiKey {
  /** Lower-case hex: 64 digits (ed25519) or 66 (secp256k1, compressed). */
  readonly publicKey: string
  readonly name: string
  readonly role: ApiRole
  /** IP addresses and networks (`10.0.0.0/8`) that it is used from; empty: from anywhere. */
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
  /** The time that its signing requests get to be approved and signed; absent: that of every other request. */
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
  /** What ranks its epochs: of the task that made the one in use, its time, and the epoch's id. Absent before any reshare. */
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
  /** The caller's idempotency key, and the digest of what came under it. */
  readonly requestId: string
  readonly fingerprint: string
  readonly groupId: string
  readonly curve: CurveType
  readonly signatureType: SignatureType
  readonly usedNodeIds: readonly string[]
  readonly messages: readonly SignMessage[]
  readonly status: SignStatus
}

/** A check-up that one node signs with its own share of each of the group's keys (formats.md 8). */
export interface ShareSignRequest extends RequestCommon {
  readonly shareSignRequestId: string
  readonly groupId: string
  readonly nodeId: string
  /** `0x` hex. */
  readonly message: string
  /** What the node's signatures must verify under, as its epoch's outcome had it. */
  readonly shareKeys: readonly ShareKey[]
  readonly status: SignStatus
}

/** One node's public share of one key. */
export interface ShareKey {
  readonly shareGroupId: string
  readonly curve: CurveType
  /** enc(S_i), hex. */
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

/** How far a node's database had come when it last connected: an older one is not let in again. */
export interface NodeFencingToken {
  readonly incarnation: number
  readonly boot: number
  /** Of that start of the node, hex: tells a restart from a clone that counted the same. */
  readonly bootId: string
  readonly generation: number
  /** What the node spoke then; absent where an earlier release of WaaS wrote it. */
  readonly versions?: NodeVersions
}

/** The latest that one participant said about a task. */
export interface NodeReport {
  readonly status: ReportStatus
  readonly attempt: number
  readonly approved: boolean
  readonly code: string
  readonly reason: string
  /** What the node read in the payloads, where it said so before and this report does not. */
  readonly read?: string
  /** SHA-256 of the outcome in canonical JSON, hex; empty without an outcome. */
  readonly outcomeDigest: string
  /** The outcome does not answer the task or does not verify. */
  readonly refused: boolean
  /** The incarnation of the database that it was said from; absent for 0. A node that was restored since may not have it any more. */
  readonly incarnation?: number
}

/** approving: waiting for every yes. ready: all said yes, the next attempt waits for all to be online. The rest is final. */
type WaasTaskState = "approving" | "ready" | "running" | "completed" | "rejected" | "failed" | "cancelled"

/** A node will be asked again from that moment on; how often it said later before; why. */
interface PutOff {
  readonly untilMs: number
  readonly times: number
  readonly code: string
}

/** The key that a KeySign signs with. */
export interface TaskKey {
  readonly shareGroupId: string
  readonly algorithm: Algorithm
}

interface AwaitedWords {
  /** Hex. */
  readonly epoch: string | undefined
  readonly words: readonly Awaited[]
}

export interface WaasTask {
  readonly taskId: string
  readonly request: { readonly kind: "tss" | "sign" | "shareSign"; readonly id: string }
  readonly type: TaskType
  /** The exact bytes that were signed and sent, and their SHA-256 in hex. */
  readonly document: Bytes
  readonly signature: Bytes
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
  /** Of its document; absent for 1. */
  readonly taskVersion?: 2 | 3
  /** Of version 3: so many of `nodeIds` sign. Absent where all take part. */
  readonly threshold?: number
  /** Of a KeySign: the key that signs, and whose turn it is in the queue. Absent where an earlier release wrote it. */
  readonly key?: TaskKey
  readonly vaultId?: string
  /** Of a KeySign: who was sent the document, and when. Absent: everybody was. */
  readonly asked?: Readonly<Record<string, number>>
  /** Nodes that said later. */
  readonly putOff?: Readonly<Record<string, PutOff>>
  /** Of version 3: who signs in the attempt that was started last. */
  readonly signers?: readonly string[]
  /** Of how many attempts each node was the reason that they ended. */
  readonly faults?: Readonly<Record<string, number>>
  /** Why attempts ended, the latest ones, for people. */
  readonly causes?: readonly string[]
  /** Of the attempt that was started last, where its suite has them: whoever is told of it again is told the same. */
  readonly terms?: StartTerms
  /** Nodes that wait for words of people, with the epoch that statements name there. */
  readonly awaits?: Readonly<Record<string, AwaitedWords>>
  /** Words of people, in the order in which they came: base64 of approvals/approver.ts's form. */
  readonly approvals?: readonly string[]
  /** Of a KeyShareSign task only. */
  readonly shareKeys?: readonly ShareKey[]
}

export type WebhookEndpointStatus = "STATUS_ACTIVE" | "STATUS_INACTIVE"

/** Fixes participants and threshold of the main groups of its vaults. */
export interface Project {
  readonly projectId: string
  readonly name: string
  readonly participants: number
  readonly threshold: number
  readonly createdMs: number
}

/** A name for addresses of one vault. */
export interface Wallet {
  readonly walletId: string
  readonly vaultId: string
  readonly name: string
  /** A deleted wallet is no longer shown, and its addresses are never given out again. */
  readonly deleted: boolean
  readonly createdMs: number
}

/** One address of a wallet: public, and derived again by whoever relies on it. */
export interface WalletAddress {
  readonly walletId: string
  readonly vaultId: string
  readonly chainId: string
  readonly address: string
  /** Canonical: `m/44/60/0/0/5`. */
  readonly path: string
  readonly encoding: string
  /** Extended public key at the path, and of the root. */
  readonly pubkey: string
  readonly rootPubkey: string
  /** Taproot only: the internal key, hex. */
  readonly xOnlyPubkey: string | undefined
  readonly createdMs: number
}

/** A transaction or signed message of a wallet, as the published objects have it (formats.md 7.4); signed by the request of its id. */
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
  /** Empty where the status says it all. */
  readonly subStatus: string
  readonly failedReason: string
  /** As the published objects spell them. */
  readonly source: Readonly<Record<string, unknown>>
  readonly destination: Readonly<Record<string, unknown>>
  /** Of a message: in the form that its kind has. Empty before it is signed. */
  readonly signature: string
  readonly description: string
  readonly categories: readonly string[]
  readonly createdMs: number
  readonly updatedMs: number
  /** What becomes of it once it is signed; absent for a message. */
  readonly process?: TransactionProcess
  /** Of a transfer. */
  readonly tokenId?: string
  /** Which group signs, and which of its nodes; absent: WaaS chooses. */
  readonly signers?: { readonly groupId: string; readonly nodeIds?: readonly string[] }
  /** Of an EVM transaction. */
  readonly draft?: EvmDraft
  /** Signed, `0x` hex, and its hash. */
  readonly rawTx?: string
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

/** Somebody's server that is told what happens (formats.md 7.5). */
export interface WebhookEndpoint {
  readonly endpointId: string
  readonly url: string
  readonly eventTypes: readonly string[]
  readonly description: string
  readonly status: WebhookEndpointStatus
  readonly createdMs: number
}

export type WebhookEventStatus = "Success" | "Retrying" | "Failed"

/** One event for one endpoint. Written with the change that it tells of. */
export interface WebhookEvent {
  readonly eventId: string
  readonly endpointId: string
  readonly url: string
  readonly type: string
  /** What it is about: events of one object arrive in order. */
  readonly objectId: string
  readonly data: Readonly<Record<string, unknown>>
  readonly status: WebhookEventStatus
  readonly retriesLeft: number
  /** When it is sent, or sent again; the past for at once. */
  readonly dueMs: number
  readonly createdMs: number
}

/** One attempt to deliver an event. */
export interface WebhookLog {
  readonly logId: string
  readonly eventId: string
  readonly endpointId: string
  readonly requestHeaders: Readonly<Record<string, string>>
  /** The body as it was sent. */
  readonly requestBody: string
  /** Undefined where no answer came. */
  readonly response: { readonly status: number; readonly body: string } | undefined
  readonly tookMs: number
  /** Empty if the endpoint took it. */
  readonly failure: string
  readonly createdMs: number
}
