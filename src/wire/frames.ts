/**
 * The frames that a node and its WaaS exchange once they are connected (formats.md 13.2): two closed unions. channel.ts owns their
 * numbering and delivery, framesCodec.ts their bytes.
 */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Awaited } from "../policy/decision.ts"
import type { TaskType } from "./task.ts"
import type { SignedWaasToken } from "./waasToken.ts"

/** A document and WaaS's Ed25519 signature (64 bytes) over frame(tag; document). */
export interface SignedDocument {
  readonly document: Bytes
  readonly signature: Bytes
}

export type ToNode =
  /** A task document (wire/task.ts). */
  | { readonly kind: "task"; readonly task: SignedDocument }
  /** Begin this attempt: enough participants have approved. The document is a StartDocument (signed.ts). */
  | { readonly kind: "start"; readonly start: SignedDocument }
  /** Ends the task, unless its result exists already. The document is a CancelDocument (signed.ts). */
  | { readonly kind: "cancel"; readonly cancel: SignedDocument }
  /** One envelope from another node (mpc/envelope.ts), unchanged. */
  | { readonly kind: "envelope"; readonly taskId: string; readonly envelope: Bytes }
  /**
   * The acks of all participants of a finished set-up, for a node that crashed before it had them. The acks prove themselves
   * (threshold.md 3.5), so WaaS does not sign the frame. Each ack is a whole envelope; they ascend by party.
   */
  | { readonly kind: "certificate"; readonly taskId: string; readonly acks: readonly Bytes[] }
  /**
   * A finished reshare, for a node that lacks its certificate or took no part in it. Also a finished key generation, for a node that
   * holds an epoch that was dealt from it. The node verifies the certificate in the outcome against the task's public inputs and the
   * attempt that made it.
   */
  | {
      readonly kind: "succession"
      readonly task: SignedDocument
      readonly attempt: number
      readonly outcome: GroupOutcome
    }
  /**
   * Share check-ups of members of one epoch (threshold.md 8, external form), for a node that may still hold a share of an older one.
   * Each verifies under its member's public share, which the node has on record, so WaaS does not sign them.
   */
  | {
      readonly kind: "checkups"
      readonly groupId: string
      readonly epochId: Bytes
      readonly checkups: readonly MemberCheckup[]
    }
  /** WaaS has stored the outcome durably; the node stops repeating it. */
  | { readonly kind: "outcomeStored"; readonly taskId: string }
  /**
   * A person's signed statement about a task (approvals/approver.ts, encodeSignedStatement). The node verifies the person's signature,
   * so WaaS does not sign the frame. From link version 4 on.
   */
  | { readonly kind: "approval"; readonly taskId: string; readonly signed: Bytes }
  /** A person's order to this node with the person's signature (approvals/order.ts), which the node verifies. From link version 4 on. */
  | { readonly kind: "order"; readonly order: string }
  /** WaaS lost its database and asks for the groups that the node holds (formats.md 14). */
  | { readonly kind: "tellGroups" }
  /**
   * Sent every few seconds: how far the database of WaaS has come, and why it takes no writes now (code and reason, both empty while
   * it takes them). From link version 4 on.
   */
  | Standing
  /** A peer's message about its audit log or this node's (audit/peerMessage.ts), signed by the peer. From link version 4 on. */
  | { readonly kind: "peer"; readonly sender: string; readonly message: Bytes }

export interface Standing {
  readonly kind: "standing"
  readonly token: SignedWaasToken
  readonly code: string
  readonly reason: string
}

/** A message (1 to 4096 bytes) and the signature (64 bytes) that one member made over it with its share. */
export interface MemberCheckup {
  readonly party: PartyId
  readonly message: Bytes
  readonly signature: Bytes
}

/** The TSSStatus numbers of formats.md 1.9 that a node reports. */
export type ReportStatus = 130 | 140 | 160 | 170 | 180 | 190

export type FromNode =
  /**
   * Progress or end of a task. 130 with approved=false: the node has claimed the task and is deciding. 130 with approved=true: it is
   * ready for `start`. 140 with an empty code: the attempt has begun. 140 with a code: the attempt ended without a result, and until
   * its deadline the task stays open for a `start` of a higher attempt. 160, 170 and 180 (code and reason) and 190 (outcome) are final;
   * the node repeats them until outcomeStored. A node that receives a task or start again answers with its latest report.
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
   * Not now, which is no refusal (formats.md 12): WaaS may ask again. From link version 3 on; a WaaS of an older version gets a report
   * of status 160 instead.
   */
  | Later
  /** How ready this node is; sent after each connection and at each change. From link version 3 on. */
  | Readiness
  /** The statements of people that a task waits for; WaaS then sends those that it has. From link version 4 on. */
  | Awaits
  /** Public records of the groups that the node holds (keys/groupCodec.ts), in parts. Each proves itself by its certificate. */
  | { readonly kind: "groups"; readonly records: readonly Bytes[]; readonly isLast: boolean }
  /** A message for one other node. WaaS delivers it if that node is online and drops it otherwise. From link version 4 on. */
  | { readonly kind: "peer"; readonly receiver: string; readonly message: Bytes }
  /** One envelope for another participant of the task; for all others if `receiver` is undefined. */
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
  /** An error code (E-...) and its message. */
  readonly code: string
  readonly reason: string
}

export interface Awaits {
  readonly kind: "awaits"
  readonly taskId: string
  readonly digest: string
  /** The epoch of the share that would sign, hex: statements must name it. Undefined for a task without a share that signs. */
  readonly epoch: string | undefined
  readonly awaited: readonly Awaited[]
}

export interface Readiness {
  readonly kind: "readiness"
  /** Why the node carries out no task at all now; both empty while it does. */
  readonly code: string
  readonly reason: string
  /** Tasks in work, and how many the node takes at most. */
  readonly open: number
  readonly most: number
  /** Groups whose key cannot sign with an algorithm at this node, once per algorithm. Groups that are not listed can. */
  readonly blocked: readonly BlockedGroup[]
  /** Groups that should be refreshed soon, because otherwise ECDSA with a member will stop (threshold.md 2.5 rule 9). Each once. */
  readonly refresh: readonly string[]
}

export const ALGORITHMS = ["ecdsa", "eddsa", "bip340"] as const

export interface BlockedGroup {
  readonly groupId: string
  readonly algorithm: (typeof ALGORITHMS)[number]
  readonly code: string
}

export type GroupOutcome = Extract<TaskOutcome, { readonly type: "group" }>

/** The result of a finished task; JSON on the wire and in the journal. Hex has no prefix unless stated otherwise. */
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
      /** The ack envelopes in hex, ascending by party; every participant reports the same bytes. */
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
        /** "00" to "03" for ECDSA, otherwise empty. */
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

export type Report = Extract<FromNode, { readonly kind: "report" }>
