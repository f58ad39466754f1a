/**
 * The request that the embedded rules judge: a closed, parsed form of a task, completed from this node's own records. It
 * is data; tasks/policyRequest.ts makes it from a task document. Names are those of the TOML.
 */
import type { CurveName } from "../crypto/curve.ts"
import type { Reading } from "../intent/reading.ts"

/** The sections of [embedded_risk_control_rules]. */
export const SECTIONS = ["key_gen", "key_sign", "key_reshare", "key_share_sign"] as const
export type Section = (typeof SECTIONS)[number]

export const SIGNATURE_TYPES = ["ECDSA", "EdDSA", "Schnorr"] as const
export type SignatureName = (typeof SIGNATURE_TYPES)[number]

export const CURVES = ["secp256k1", "ed25519"] as const satisfies readonly CurveName[]

interface CommonRequest {
  readonly taskId: string
  /** Context that WaaS states. Rules may ask for its presence, but must not rely on its truth. */
  readonly extraInfo: Readonly<Record<string, unknown>>
}

interface KeyGenRequest extends CommonRequest {
  readonly type: "key_gen"
  readonly groupId: string
  readonly curve: CurveName
  readonly threshold: number
  readonly nodeIds: readonly string[]
}

export interface KeySignRequest extends CommonRequest {
  readonly type: "key_sign"
  readonly groupId: string
  /** xpub or cpub, from this node's own record of the group. */
  readonly rootPubKey: string
  /** The key itself, whatever group holds it: curve and root public key, `secp256k1/02ab...`. */
  readonly rootKey: string
  readonly curve: CurveName
  readonly signatureType: SignatureName
  readonly usedNodeIds: readonly string[]
  readonly messages: readonly KeySignMessage[]
  /** The readings of the task's payloads. This node made each of them, and compared it with the messages that name it. */
  readonly intents: readonly Intent[]
}

interface KeySignMessage {
  readonly path: readonly number[]
  /** `0x` hex of what will be signed: a digest, or for EdDSA the message. */
  readonly hash: string
  /** The intent that it belongs to. Absent: only the hash is known. */
  readonly payload?: number
}

/** A reading, and what this node itself knows about the accounts in it. */
export interface Intent {
  readonly reading: Reading
  /** By account, in the spelling of the reading. It holds nothing that the task only states. */
  readonly accounts: ReadonlyMap<string, KnownAccount>
}

export interface KnownAccount {
  /** The path of the group's key to this address, derived by this node. */
  readonly ownPath?: readonly number[]
  /** Solana: the owner of the associated token account, derived by this node. */
  readonly owner?: string
}

interface KeyReshareRequest extends CommonRequest {
  readonly type: "key_reshare"
  readonly oldGroupId: string
  readonly newGroupId: string
  readonly rootPubKey: string
  readonly curve: CurveName
  readonly usedNodeIds: readonly string[]
  readonly oldThreshold: number
  readonly newThreshold: number
  readonly newNodeIds: readonly string[]
}

interface KeyShareSignRequest extends CommonRequest {
  readonly type: "key_share_sign"
  /** One entry for each message that is to be signed with a share. */
  readonly groupIds: readonly string[]
}

export type PolicyRequest = KeyGenRequest | KeySignRequest | KeyReshareRequest | KeyShareSignRequest

/** The requests that the rules of a section judge. */
export type RequestOf<K extends Section> = Extract<PolicyRequest, { readonly type: K }>

/** A task that cannot be turned into a request. It is rejected without evaluating any rule. */
export interface UnreadableRequest {
  readonly type: "unreadable"
  readonly taskId: string
  readonly problem: string
}
