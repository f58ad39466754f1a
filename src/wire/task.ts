/**
 * What WaaS asks of a node: the task document. The document's bytes are signed by WaaS and hashed by the node as they
 * travelled, never re-encoded: the digest names exactly what was asked.
 */
import type { CurveName } from "../crypto/curve.ts"

export type TaskType = "KeyGen" | "KeySign" | "KeyReshare" | "KeyShareSign"

/** 1 ECDSA, 2 EdDSA, 3 BIP-340 Schnorr: the numbers of the callback formats. */
export type SignatureType = 1 | 2 | 3

interface TaskCommon {
  readonly version: 1
  readonly task_id: string
  /** The id of the request at WaaS that this task belongs to. */
  readonly biz_task_id: string
  readonly created_ms: number
  /** After this moment (ms since 1970) no node begins or continues the task. */
  readonly deadline_ms: number
  /** Context for rules and callback servers (compat.md 1.8); opaque here, and never the source of what is signed. */
  readonly extra_info: Readonly<Record<string, unknown>>
}

export interface KeyGenTask extends TaskCommon {
  readonly type: "KeyGen"
  readonly group_id: string
  readonly curve: CurveName
  readonly threshold: number
  /** All members of the new group. */
  readonly node_ids: readonly string[]
}

export interface SignMessage {
  /** `m/44/60/0/0/5`, non-hardened. */
  readonly bip32_path: string
  /** `0x` hex. 32-byte hash for ECDSA and Schnorr; the whole message for EdDSA. */
  readonly msg_hash: string
  /** `0x` hex of the Taproot merkle root, or empty. See keys/path for what each algorithm allows. */
  readonly tweak: string
}

export interface KeySignTask extends TaskCommon {
  readonly type: "KeySign"
  readonly group_id: string
  /** xpub or cpub of the group; must equal the node's own record. */
  readonly root_pub_key: string
  readonly used_node_ids: readonly string[]
  readonly signature_type: SignatureType
  readonly messages: readonly SignMessage[]
}

export interface KeyReshareTask extends TaskCommon {
  readonly type: "KeyReshare"
  readonly mode: "extend" | "replace"
  readonly old_group_id: string
  readonly new_group_id: string
  readonly root_pub_key: string
  readonly curve: CurveName
  readonly old_threshold: number
  /** The dealers. */
  readonly used_node_ids: readonly string[]
  readonly new_threshold: number
  readonly new_node_ids: readonly string[]
}

export interface KeyShareSignTask extends TaskCommon {
  readonly type: "KeyShareSign"
  readonly node_id: string
  readonly details: readonly { readonly group_id: string; readonly message: string }[]
}

export type Task = KeyGenTask | KeySignTask | KeyReshareTask | KeyShareSignTask
