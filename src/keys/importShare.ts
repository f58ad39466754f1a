/**
 * Turns shares from recovery files into shares of an epoch of ours (threshold.md 6.5). Exactly threshold holders of a file's group are the
 * dealers. Each scales its own share: s'_i = (lambda_i of the file's ids / lambda_i of ours) s_i. The scaled shares lie on one polynomial
 * of degree t-1 at the dealers' own share ids, and its value at 0 is the same root key. So they form an epoch of threshold t with the
 * dealers as members, and any reshare can go on from it. Only a dealer's own share is secret, so every dealer makes the same record, and
 * nobody holds the key.
 */
import { type Bytes, equal, u32be, utf8 } from "../bytes.ts"
import { type Curve, curveNamed, type Point } from "../crypto/curve.ts"
import { interpolateCommitted } from "../crypto/feldman.ts"
import { H } from "../crypto/frame.ts"
import { lagrange } from "../crypto/shamir.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"
import { decodeExtendedPublicKey } from "./extendedKey.ts"
import { checkGroup, type GroupPublic, MAX_MEMBERS, MIN_THRESHOLD } from "./group.ts"
import { GROUP_ID } from "./groupId.ts"
import { type PartyId, partyBytes } from "./party.ts"
import type { RecoveryGroup, RecoveryParticipant } from "./recoveryFile.ts"
import { checkPublicShares, type ProvenShare } from "./recoverySet.ts"
import { shareIdOf } from "./shareId.ts"

/** A participant of the file, and the node that holds its share from now on. */
export interface ImportDealer {
  readonly participant: RecoveryParticipant
  readonly party: PartyId
}

/**
 * The public record that all dealers make. Throws E-KEY-014 if public shares do not lead to the root key, E-KEY-037 if the group or the
 * dealers cannot be imported.
 */
export function importedGroup(group: RecoveryGroup, dealers: readonly ImportDealer[]): GroupPublic {
  requireFit(group, dealers)
  checkPublicShares(group)
  const curve = curveNamed(group.curve)
  const ascending = [...dealers].sort((a, b) => (a.party < b.party ? -1 : 1))
  const factors = factorsOf(curve, ascending)
  const shareIds = ascending.map(({ party }) => shareIdOf(party))
  const points = ascending.map(({ participant }, i) =>
    curve.multiplyPublic(pointOf(curve, participant.sharePublicKey), factors[i] ?? 0n),
  )
  const commitments = interpolateCommitted(curve, shareIds, points)
  const { publicKey } = decodeExtendedPublicKey(group.rootExtendedPublicKey)
  if (commitments.some(curve.isIdentity) || points.some(curve.isIdentity))
    throw unfit(group, "its public shares cancel out")
  const encoded = commitments.map((point) => curve.encodePoint(point))
  if (!equal(encoded[0] ?? new Uint8Array(0), publicKey)) {
    throw new CosignerError("E-KEY-014", { file: group.file, group: group.groupId })
  }
  const imported: GroupPublic = {
    groupId: group.groupId,
    epochId: epochIdOf(curve, group, ascending),
    curve: group.curve,
    mode: "import",
    status: "ACTIVE",
    threshold: group.threshold,
    members: ascending.map(({ party }, i) => ({
      party,
      shareId: shareIds[i] ?? 0n,
      sharePublicKey: curve.encodePoint(points[i] ?? curve.identity),
    })),
    commitments: encoded,
    chainCode: group.chainCode,
    // Older than every epoch made here, so that every reshare outranks it.
    createdMs: 0,
    sid: new Uint8Array(32),
    ackView: new Uint8Array(32),
    certificate: [],
  }
  checkGroup(imported)
  return imported
}

/** sc(s'_i) of this node's own share; the caller wipes it. */
export function importedShare({ group, share }: ProvenShare, dealers: readonly ImportDealer[], self: PartyId): Secret {
  const curve = curveNamed(group.curve)
  const at = dealers.findIndex(({ party }) => party === self)
  const factor = factorsOf(curve, dealers)[at]
  if (factor === undefined) throw new TypeError("a dealer imports its own share")
  return Secret.take(curve.encodeScalar(curve.mod(factor * share)))
}

/** For each dealer: lambda of the file's share ids over lambda of ours. */
function factorsOf(curve: Curve, dealers: readonly ImportDealer[]): readonly bigint[] {
  const theirs = lagrange(
    curve,
    dealers.map(({ participant }) => curve.mod(participant.shareId)),
  )
  const ours = lagrange(
    curve,
    dealers.map(({ party }) => shareIdOf(party)),
  )
  return dealers.map((_, i) => curve.mod((theirs[i] ?? 0n) * curve.invert(ours[i] ?? 0n)))
}

/**
 * H("import"; curve, group id, root, t, n, [sc(id), enc(S)] of the file ascending by id, [node id, sc(file id)] of the dealers ascending).
 */
function epochIdOf(curve: Curve, group: RecoveryGroup, dealers: readonly ImportDealer[]): Bytes {
  const id = ({ shareId }: RecoveryParticipant): bigint => curve.mod(shareId)
  const participants = [...group.participants].sort((a, b) => (id(a) < id(b) ? -1 : 1))
  const all = participants.flatMap((one) => [curve.encodeScalar(id(one)), one.sharePublicKey])
  return H(
    "import",
    utf8(group.curve),
    utf8(group.groupId),
    utf8(group.rootExtendedPublicKey),
    u32be(group.threshold),
    u32be(participants.length),
    H("import", ...all),
    ...dealers.flatMap(({ party, participant }) => [partyBytes(party), curve.encodeScalar(id(participant))]),
  )
}

function requireFit(group: RecoveryGroup, dealers: readonly ImportDealer[]): void {
  const { threshold, groupId, participants } = group
  if (threshold < MIN_THRESHOLD) throw unfit(group, "one share of it is the key")
  if (threshold > MAX_MEMBERS || participants.length > 2 * MAX_MEMBERS) {
    throw unfit(group, `more than ${MAX_MEMBERS} shares sign, or more than ${2 * MAX_MEMBERS} exist`)
  }
  if (!GROUP_ID.test(groupId)) throw unfit(group, "its id is not 20 letters")
  if (dealers.length !== threshold) {
    throw unfit(group, `${dealers.length} dealers are named where exactly ${threshold} take it over`)
  }
  if (new Set(dealers.map(({ party }) => party)).size !== dealers.length) throw unfit(group, "a node is named twice")
  if (new Set(dealers.map(({ participant }) => participant)).size !== dealers.length) {
    throw unfit(group, "a participant is named twice")
  }
  if (!dealers.every(({ participant }) => participants.includes(participant))) {
    throw unfit(group, "a dealer is no participant of it")
  }
}

function pointOf(curve: Curve, encoded: Bytes): Point {
  const point = curve.decodePoint(encoded)
  if (point === undefined) throw new TypeError("a recovery file's points were decoded when it was read")
  return point
}

const unfit = ({ file, groupId }: RecoveryGroup, reason: string) =>
  new CosignerError("E-KEY-037", { file, group: groupId, reason })
