/**
 * The group record: what a node knows of one key on one curve at one epoch (tss.md 1.2, 3.7, 6.4).
 * The public part is small and read often; the secret part is large, sealed apart from it, and opened to sign.
 */
import type { Bytes } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import type { Secret } from "../secret.ts"
import type { PartyId } from "./party.ts"

/** PREPARED never signs. SUPERSEDED never signs again; its share is kept until the retention condition, then ERASED. */
export type GroupStatus = "PREPARED" | "ACTIVE" | "SUPERSEDED" | "ERASED"

/** keygen: a first epoch. extend: a new group beside the old one. replace: a new epoch of the same group. */
export type GroupMode = "keygen" | "extend" | "replace"

export interface GroupMember {
  readonly party: PartyId
  /** x, the share id; decimal in exports. */
  readonly shareId: bigint
  /** enc(S_j). */
  readonly sharePublicKey: Bytes
}

export interface GroupPublic {
  readonly groupId: string
  /** 32 bytes, tss.md 3.5. */
  readonly epochId: Bytes
  readonly curve: CurveName
  readonly mode: GroupMode
  readonly status: GroupStatus
  readonly threshold: number
  /** In ascending order of party. */
  readonly members: readonly GroupMember[]
  /** enc(PK), enc(A_1) .. enc(A_{t-1}). */
  readonly commitments: readonly Bytes[]
  readonly chainCode: Bytes
  /** Milliseconds of the task that made this epoch; ranks epochs of one group. */
  readonly createdMs: number
  /** The session that made it, and the view its acks carry: what a certificate is verified against. */
  readonly sid: Bytes
  readonly ackView: Bytes
  /** The signed acks of all participants; absent while PREPARED. */
  readonly certificate?: readonly Bytes[]
  readonly parent?: { readonly groupId: string; readonly epochId: Bytes }
}

/** What this node shares with one peer for ECDSA; absent on Ed25519 groups. */
export interface PairState {
  readonly peer: PartyId
  readonly pairId: Bytes
  readonly zeroSeed: Secret
  /** Compact forms of tss.md 4.2; undefined once disabled or erased. */
  readonly otAlice: Secret | undefined
  readonly otBob: Secret | undefined
}

export interface GroupSecret {
  /** sc(s_i), 32 bytes. */
  readonly share: Secret
  readonly pairs: readonly PairState[]
}
