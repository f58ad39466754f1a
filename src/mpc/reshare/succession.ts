/**
 * What a reshare's certificate proves to somebody who took no part in it (tss.md 6.2, 6.4): session id and epoch id are
 * computed again from their public inputs, and the acks of all participants must be on exactly these. Where at least
 * threshold members of an epoch that this node holds are among them, that epoch is over.
 */
import { type Bytes, copy, equal } from "../../bytes.ts"
import { curveNamed, type Point } from "../../crypto/curve.ts"
import { interpolateCommitted } from "../../crypto/feldman.ts"
import { CosignerError } from "../../errors.ts"
import { checkGroup, type GroupMember, type GroupPublic } from "../../keys/group.ts"
import { certifies } from "../dkg/certificate.ts"
import { epochIdOf } from "../dkg/epoch.ts"
import { PROTOCOL, parseEnvelope } from "../envelope.ts"
import { type ReshareTerms, reshareSid } from "../sid.ts"

export interface Succession {
  readonly terms: ReshareTerms
  readonly chainCode: Bytes
  /** The members of `terms` with their public shares, in ascending order of party. */
  readonly members: readonly GroupMember[]
  readonly acks: readonly Bytes[]
}

export interface ProvenEpoch {
  readonly sid: Bytes
  readonly epochId: Bytes
  readonly ackView: Bytes
}

/** The epoch that all participants acknowledged; undefined if the acks are not theirs, or are on something else. */
export function provenEpoch({ terms, chainCode, members, acks }: Succession): ProvenEpoch | undefined {
  const view = parseEnvelope(acks[0] ?? new Uint8Array(0))?.header.view
  if (view === undefined || !sameMembers(terms, members)) return undefined
  const sid = reshareSid(terms)
  const ackView = copy(view)
  const epochId = epochIdOf(sid, ackView, terms.rootPublicKey, members, chainCode)
  const participants = [...new Set([...terms.dealers, ...terms.members].map(({ party }) => party))]
  const proven = certifies({ protocol: PROTOCOL.reshare, sid, ackView, epochId, participants }, acks)
  return proven ? { sid, epochId, ackView } : undefined
}

/**
 * The public record of the epoch that came after `old`, as a node without a share of it keeps it; undefined if the
 * certificate does not prove that. `old` must itself be certified.
 */
export function successorOf(old: GroupPublic, of: Succession): GroupPublic | undefined {
  const { terms, members } = of
  const [publicKey] = old.commitments
  const sameGroup = terms.mode === "replace" && terms.oldGroupId === old.groupId && terms.newGroupId === old.groupId
  const sameKey = publicKey !== undefined && equal(publicKey, terms.rootPublicKey) && equal(old.chainCode, of.chainCode)
  const dealtByMembers = terms.dealers.every(({ party, x }) =>
    old.members.some((member) => member.party === party && member.shareId === x),
  )
  const dealers = new Set(terms.dealers.map(({ party }) => party))
  const enough =
    terms.oldThreshold === old.threshold &&
    dealers.size === terms.dealers.length &&
    terms.dealers.length >= old.threshold
  if (!sameGroup || !sameKey || old.curve !== terms.curve || !dealtByMembers || !enough) return undefined
  const proven = provenEpoch(of)
  const commitments = proven && commitmentsOf(of)
  if (proven === undefined || commitments === undefined) return undefined
  const group: GroupPublic = {
    ...proven,
    groupId: terms.newGroupId,
    curve: terms.curve,
    mode: terms.mode,
    status: "ERASED",
    threshold: terms.newThreshold,
    members,
    commitments,
    chainCode: of.chainCode,
    createdMs: terms.createdMs,
    parent: { groupId: old.groupId, epochId: old.epochId, dealers: terms.dealers.map(({ party }) => party).sort() },
  }
  return isSound(group) ? group : undefined
}

const sameMembers = ({ members: named }: ReshareTerms, members: readonly GroupMember[]): boolean =>
  named.length === members.length &&
  named.every(({ party, x }) => members.some((member) => member.party === party && member.shareId === x)) &&
  members.every(({ party }, i) => i === 0 || (members[i - 1]?.party ?? "") < party)

/** A_0 .. A_{t-1} from t public shares; that the others lie on the same polynomial is checked with the record. */
function commitmentsOf({ terms, members }: Succession): readonly Bytes[] | undefined {
  const curve = curveNamed(terms.curve)
  const some = members.slice(0, terms.newThreshold)
  const points: Point[] = []
  for (const { sharePublicKey } of some) {
    const point = curve.decodePoint(sharePublicKey)
    if (point === undefined) return undefined
    points.push(point)
  }
  const coefficients = interpolateCommitted(
    curve,
    some.map(({ shareId }) => shareId),
    points,
  )
  if (coefficients.some((point) => curve.isIdentity(point))) return undefined
  const commitments = coefficients.map((point) => curve.encodePoint(point))
  return equal(commitments[0] ?? new Uint8Array(0), terms.rootPublicKey) ? commitments : undefined
}

function isSound(group: GroupPublic): boolean {
  try {
    checkGroup(group)
    return true
  } catch (error) {
    if (error instanceof CosignerError) return false
    throw error
  }
}
