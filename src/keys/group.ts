/**
 * The group record: what a node knows about one key on one curve at one epoch (threshold.md 1.2, 3.7, 6.4).
 * The public part is small and often read. The secret part is large, sealed separately, and opened only to sign.
 */
import { type Bytes, compareBytes, equal } from "../bytes.ts"
import { type Curve, type CurveName, curveNamed, type Point } from "../crypto/curve.ts"
import { evaluateCommitted } from "../crypto/feldman.ts"
import { areShareIds } from "../crypto/shamir.ts"
import { CosignerError } from "../errors.ts"
import type { Secret } from "../secret.ts"
import { encodeExtendedPublicKey, rootPublicKey } from "./extendedKey.ts"
import { type PartyId, partyBytes } from "./party.ts"

/**
 * PREPARED never signs. SUPERSEDED never signs again; its share is kept until the retention condition. Then it is ERASED: this node
 * holds no share of the epoch. A node that only dealt to an epoch, or was only told of it, never held one.
 */
export type GroupStatus = "PREPARED" | "ACTIVE" | "SUPERSEDED" | "ERASED"

/** keygen: a first epoch. extend: a new group beside the old one. replace: a new epoch of the same group. */
/** `import`: taken over from recovery files (threshold.md 6.5). */
export type GroupMode = "keygen" | "extend" | "replace" | "import"

export interface GroupMember {
  readonly party: PartyId
  /** x, the share id; decimal in exports. */
  readonly shareId: bigint
  /** enc(S_j). */
  readonly sharePublicKey: Bytes
}

export interface GroupPublic {
  readonly groupId: string
  /** 32 bytes, threshold.md 3.5. */
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
  /** Time in milliseconds of the task that made this epoch; it ranks epochs of one group. */
  readonly createdMs: number
  /** The session that made it, and the view that its acks carry. A certificate is verified against both. */
  readonly sid: Bytes
  readonly ackView: Bytes
  /** The signed acks of all participants; absent while PREPARED. */
  readonly certificate?: readonly Bytes[]
  /** Suite of the set-up that made it; absent: suite 1. It determines the round of the acks (threshold.md 3.5). */
  readonly suite?: 2 | 3
  /** The epoch that a reshare started from. Its dealers acknowledge the new epoch, and so do the new members. */
  readonly parent?: Parent
}

export interface Parent {
  readonly groupId: string
  /** NO_EPOCH in the record of an epoch that this node was only told of, and knows only as the parent of another. */
  readonly epochId: Bytes
  /** In ascending order of party. */
  readonly dealers: readonly PartyId[]
}

export const NO_EPOCH: Bytes = new Uint8Array(32)

/** What this node shares with one peer for ECDSA; absent on Ed25519 groups. */
export interface PairState {
  readonly peer: PartyId
  readonly pairId: Bytes
  readonly zeroSeed: Secret
  /** Compact forms of threshold.md 4.2; undefined once disabled or erased. */
  readonly otAlice: Secret | undefined
  readonly otBob: Secret | undefined
}

export interface GroupSecret {
  /** sc(s_i), 32 bytes. */
  readonly share: Secret
  readonly pairs: readonly PairState[]
}

/** Wipes every secret in it. A second call has no effect. */
export function wipeGroupSecret(secret: GroupSecret): void {
  secret.share.wipe()
  for (const pair of secret.pairs) wipePair(pair)
}

export function wipePair(pair: PairState): void {
  pair.zeroSeed.wipe()
  pair.otAlice?.wipe()
  pair.otBob?.wipe()
}

/** Bounds of every group (threshold.md 1.2). */
export const MIN_THRESHOLD = 2
export const MAX_MEMBERS = 32

/** `xpub...` or `cpub...` of the group's key. */
export function rootExtendedPublicKey(group: Pick<GroupPublic, "curve" | "commitments" | "chainCode">): string {
  const [rootKey] = group.commitments
  if (rootKey === undefined) throw new TypeError("a group has at least one commitment")
  return encodeExtendedPublicKey(rootPublicKey(group.curve, rootKey, group.chainCode))
}

/** Epochs of one group rank by the time of their task, then by id, so every node that sees two certificates picks the same one. */
export const outranks = (a: Rank, b: Rank): boolean =>
  a.createdMs !== b.createdMs ? a.createdMs > b.createdMs : compareBytes(a.epochId, b.epochId) > 0

type Rank = Pick<GroupPublic, "createdMs" | "epochId">

/** Whether both are epochs of one key: the same root key and chain code. */
export const isSameKey = (a: GroupPublic, b: GroupPublic): boolean =>
  a.curve === b.curve &&
  equal(a.chainCode, b.chainCode) &&
  equal(a.commitments[0] ?? new Uint8Array(0), b.commitments[0] ?? new Uint8Array(0))

export const memberOf = (group: GroupPublic, party: PartyId): GroupMember | undefined =>
  group.members.find((member) => member.party === party)

/**
 * Whether a DKG could have made the public record: bounds, order, share ids, every point valid and every
 * S_j on the committed polynomial. Throws E-KEY-007. Costs t*n point multiplications, once per record and start.
 */
export function checkGroup(group: GroupPublic): void {
  const curve = curveNamed(group.curve)
  const { members, threshold: t } = group
  const wrong = (reason: string) => new CosignerError("E-KEY-007", { group: group.groupId, reason })
  if (members.length > MAX_MEMBERS || t < MIN_THRESHOLD || t > members.length) throw wrong("threshold or size")
  if (!members.every(({ party }, i) => i === 0 || isBefore(members[i - 1]?.party, party))) throw wrong("member order")
  const shareIds = members.map(({ shareId }) => shareId)
  if (!areShareIds(curve, shareIds)) throw wrong("share ids")
  const commitments = pointsOf(curve, group.commitments)
  if (commitments?.length !== t) throw wrong("commitments")
  for (const { shareId, sharePublicKey } of members) {
    const expected = evaluateCommitted(curve, commitments, shareId)
    if (curve.isIdentity(expected) || !equal(curve.encodePoint(expected), sharePublicKey)) throw wrong("public shares")
  }
}

/**
 * Whether the sealed share fits the public share in the record: s_i*G == S_i (threshold.md 10.3 no. 23).
 * Throws E-KEY-008, and E-KEY-007 if `self` is not a member. Costs one multiplication at every opening.
 */
export function checkShare(group: GroupPublic, secret: GroupSecret, self: PartyId): void {
  const curve = curveNamed(group.curve)
  const member = memberOf(group, self)
  if (member === undefined)
    throw new CosignerError("E-KEY-007", { group: group.groupId, reason: "this node is not in it" })
  const share = curve.decodeScalar(secret.share.expose())
  if (!share || !equal(curve.encodePoint(curve.multiplyBase(share)), member.sharePublicKey)) {
    throw new CosignerError("E-KEY-008", { group: group.groupId })
  }
}

const isBefore = (a: PartyId | undefined, b: PartyId): boolean =>
  a !== undefined && compareBytes(partyBytes(a), partyBytes(b)) < 0

function pointsOf(curve: Curve, encoded: readonly Bytes[]): readonly Point[] | undefined {
  const points = encoded.map((bytes) => curve.decodePoint(bytes)).filter((point) => point !== undefined)
  return points.length === encoded.length ? points : undefined
}
