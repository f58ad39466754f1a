/**
 * What a node and its WaaS say to each other once connected: two closed unions. The reliable, numbered channel beneath
 * is wire/channel.ts's; the bytes of each frame are framesCodec's.
 */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Awaited } from "../policy/decision.ts"
import type { TaskType } from "./task.ts"
import type { SignedWaasToken } from "./waasToken.ts"

/** Bytes that WaaS signed with its Ed25519 key, over frame(tag; document). */
export interface SignedDocument {
  readonly document: Bytes
  readonly signature: Bytes
}

export type ToNode =
  /** A task document (wire/task.ts). */
  | { readonly kind: "task"; readonly task: SignedDocument }
  /** All participants approved: begin this attempt. Document: {task_id, digest, attempt}. */
  | { readonly kind: "start"; readonly start: SignedDocument }
  /** Document: {task_id, digest, reason}. Ends the task unless its result is already out. */
  | { readonly kind: "cancel"; readonly cancel: SignedDocument }
  /** One envelope between nodes, as the sender made it. */
  | { readonly kind: "envelope"; readonly taskId: string; readonly envelope: Bytes }
  /**
   * The acks of all participants of a finished set-up, from a node that has them to one that crashed before it did.
   * It proves itself (threshold.md 3.5), so WaaS does not sign it. Each ack is a whole envelope, ascending by party.
   */
  | { readonly kind: "certificate"; readonly taskId: string; readonly acks: readonly Bytes[] }
  /**
   * A finished reshare, to a node that lacks its certificate or took no part in it; also a finished key generation, to a node
   * that has an epoch which was dealt from it. The certificate in the outcome proves itself against the task's public inputs
   * and the attempt that it was made in.
   */
  | {
      readonly kind: "succession"
      readonly task: SignedDocument
      readonly attempt: number
      readonly outcome: GroupOutcome
    }
  /**
   * Share check-ups of members of one epoch (threshold.md 8, external form), to a node that may still hold a share of an older one.
   * Each verifies under the public share of its member, which the node has on record, so WaaS does not sign them.
   */
  | {
      readonly kind: "checkups"
      readonly groupId: string
      readonly epochId: Bytes
      readonly checkups: readonly MemberCheckup[]
    }
  /** WaaS has the outcome durably; the node may stop repeating it. */
  | { readonly kind: "outcomeStored"; readonly taskId: string }
  /**
   * A person's word on a task (approvals/approver.ts, encodeSignedStatement). It proves itself, so WaaS does not sign it. From link
   * version 4 on.
   */
  | { readonly kind: "approval"; readonly taskId: string; readonly signed: Bytes }
  /** A person's order to this node, and its signature (approvals/order.ts). It proves itself. From link version 4 on. */
  | { readonly kind: "order"; readonly order: string }
  /** A WaaS that lost its database asks for the groups that the node holds (formats.md 14). */
  | { readonly kind: "tellGroups" }
  /**
   * How far the database of WaaS has come, every few seconds, and why it takes no writes just now (code and reason; empty while it
   * does). From link version 4 on.
   */
  | Standing
  /** What a peer says of its log or of this node's (audit/peerMessage.ts), signed for this node; from link version 4 on. */
  | { readonly kind: "peer"; readonly sender: string; readonly message: Bytes }

export interface Standing {
  readonly kind: "standing"
  readonly token: SignedWaasToken
  readonly code: string
  readonly reason: string
}

/** What one member signed with its share: 1 to 4096 bytes, 64 bytes. */
export interface MemberCheckup {
  readonly party: PartyId
  readonly message: Bytes
  readonly signature: Bytes
}

/** TSSStatus numbers of formats.md 1.9 that a node reports. */
export type ReportStatus = 130 | 140 | 160 | 170 | 180 | 190

export type FromNode =
  /**
   * Progress and endings of a task. 130 approved=false: claimed, deciding; 130 approved=true: ready for `start`.
   * 140 with empty code: attempt begun. 140 with a code: that attempt ended without a result and the task stays open for a
   * `start` of a higher attempt until its deadline. 160, 170, 180 (code and reason) and 190 (outcome) are final and are
   * repeated until outcomeStored; a node that is sent a task or start again answers with its latest report.
   */
  | {
      readonly kind: "report"
      readonly taskId: string
      /** SHA-256 of the task document as received, hex. */
      readonly digest: string
      readonly type: TaskType
      readonly status: ReportStatus
      readonly attempt: number
      readonly approved: boolean
      readonly code: string
      readonly reason: string
      readonly outcome: TaskOutcome | undefined
    }
  /**
   * Not now, and no refusal (formats.md 12): the node took nothing up, and may be asked again. From link version 3 on; to a WaaS of
   * before the same is a report of status 160.
   */
  | Later
  /** How ready this node is; after each connection, and whenever it changes. From link version 3 on. */
  | Readiness
  /** The words of people that a task waits for; WaaS then brings those that it has. From link version 4 on. */
  | Awaits
  /** Public records of the groups that the node holds (keys/groupCodec.ts), in parts; each proves itself by its certificate. */
  | { readonly kind: "groups"; readonly records: readonly Bytes[]; readonly isLast: boolean }
  /** To one other node, if it is online; nothing is kept for it. From link version 4 on. */
  | { readonly kind: "peer"; readonly receiver: string; readonly message: Bytes }
  /** receiver undefined: to all other participants of the task. */
  | {
      readonly kind: "envelope"
      readonly taskId: string
      readonly receiver: string | undefined
      readonly envelope: Bytes
    }

export interface Later {
  readonly kind: "later"
  readonly taskId: string
  readonly digest: string
  readonly type: TaskType
  /** E-... and its sentence. */
  readonly code: string
  readonly reason: string
}

export interface Awaits {
  readonly kind: "awaits"
  readonly taskId: string
  readonly digest: string
  /** Of the share that signs, hex: statements name it. Undefined where none does. */
  readonly epoch: string | undefined
  readonly awaited: readonly Awaited[]
}

export interface Readiness {
  readonly kind: "readiness"
  /** Why the node carries out no task at all just now; both empty while it does. */
  readonly code: string
  readonly reason: string
  /** Tasks in work, and how many may be. */
  readonly open: number
  readonly most: number
  /** Groups whose key does not sign with an algorithm here, each once per algorithm; those that are not named do. */
  readonly blocked: readonly BlockedGroup[]
  /** Groups that are to be refreshed before long, or ECDSA with a member will end: each once. */
  readonly refresh: readonly string[]
}

export const ALGORITHMS = ["ecdsa", "eddsa", "bip340"] as const

export interface BlockedGroup {
  readonly groupId: string
  readonly algorithm: (typeof ALGORITHMS)[number]
  readonly code: string
}

export type GroupOutcome = Extract<TaskOutcome, { readonly type: "group" }>

/** What a finished task brought; JSON on the wire and in the journal. Hex without prefix unless said otherwise. */
export type TaskOutcome =
  | {
      readonly type: "group"
      readonly group_id: string
      readonly epoch_id: string
      readonly curve: "secp256k1" | "ed25519"
      readonly root_extended_public_key: string
      readonly threshold: number
      readonly participants: readonly {
        readonly node_id: string
        readonly share_id: string
        readonly share_public_key: string
      }[]
      /** Hex of the ack envelopes, ascending by party: byte-identical from every participant. */
      readonly certificate: readonly string[]
    }
  | {
      readonly type: "signatures"
      readonly signatures: readonly {
        readonly bip32_path: string
        readonly msg_hash: string
        readonly tweak: string
        readonly public_key: string
        readonly signature: string
        /** ECDSA: "00".."03"; otherwise empty. */
        readonly signature_recovery: string
      }[]
    }
  | {
      readonly type: "shareSignatures"
      readonly signatures: readonly {
        readonly group_id: string
        readonly signed_msg: string
        readonly msg_hash: string
        readonly signature: string
      }[]
    }

/** What a node says of one task. */
export type Report = Extract<FromNode, { readonly kind: "report" }>
