/**
 * What the certificate of a set-up proves to a node that took no part in it (threshold.md 6.2, 6.4). The node computes session id and
 * epoch id again from their public inputs, and the acks of all participants must be on exactly these. Two ways lead from an
 * epoch that a node holds to one that it does not hold. First: threshold of its members dealt the other epoch. This ends epochs of its
 * group. Second: its own dealers dealt its epoch from the other one. If other members of the old epoch dealt an epoch that outranks the
 * node's own, the node learns the old epoch in the second way, and from there the outranking one in the first.
 */
import { type Bytes, copy, equal } from "../../bytes.ts"
import { curveNamed, type Point } from "../../crypto/curve.ts"
import { interpolateCommitted } from "../../crypto/feldman.ts"
import { CosignerError } from "../../errors.ts"
import { checkGroup, type GroupMember, type GroupPublic, NO_EPOCH, outranks, type Parent } from "../../keys/group.ts"
import { type Acknowledged, certifies } from "../dkg/certificate.ts"
import { epochIdOf } from "../dkg/epoch.ts"
import { ackRoundOf } from "../dkg/rounds.ts"
import { PROTOCOL, parseEnvelope } from "../envelope.ts"
import { SET_UP_SUITES, type SetUpSuite } from "../session.ts"
import { type DkgTerms, dkgSid, type ReshareTerms, reshareSid } from "../sid.ts"

interface Made {
  readonly chainCode: Bytes
  /** The members of `terms` with their public shares, in ascending order of party. */
  readonly members: readonly GroupMember[]
  readonly acks: readonly Bytes[]
}

/** The public data of a finished reshare. Its acks determine its suite. */
export interface Succession extends Made {
  readonly terms: Omit<ReshareTerms, "suite">
}

/** The public data of a finished key generation. */
export interface Generation extends Made {
  readonly terms: Omit<DkgTerms, "suite">
  /** enc(PK): the terms cannot name it. */
  readonly publicKey: Bytes
}

export type MadeEpoch = Succession | Generation

interface ProvenEpoch {
  readonly suite?: SetUpSuite
  readonly sid: Bytes
  readonly epochId: Bytes
  readonly ackView: Bytes
}

/** Whether its acks claim to be of exactly this session. This proves nothing. */
export const claimsSession = (madeEpoch: MadeEpoch): boolean => sessionOf(madeEpoch) !== undefined

/** The epoch that all participants acknowledged; undefined if the acks are not theirs, or are on something else. */
export function provenEpoch(madeEpoch: MadeEpoch): ProvenEpoch | undefined {
  const session = sessionOf(madeEpoch)
  if (session === undefined || !sameMembers(madeEpoch)) return undefined
  const { sid, ackView, suite } = session
  const epochId = epochIdOf(sid, ackView, publicKeyOf(madeEpoch), madeEpoch.members, madeEpoch.chainCode)
  const proven = certifies({ ...session, epochId }, madeEpoch.acks)
  return proven ? { sid, epochId, ackView, ...(suite && { suite }) } : undefined
}

/**
 * The public record of the epoch that came after `old`, in the form that a node without a share keeps; undefined if the
 * certificate does not prove it. `old` must itself be certified.
 */
export function successorOf(old: GroupPublic, madeEpoch: MadeEpoch): GroupPublic | undefined {
  if (isGeneration(madeEpoch)) return undefined
  const { terms } = madeEpoch
  const sameGroup = terms.mode === "replace" && terms.oldGroupId === old.groupId && terms.newGroupId === old.groupId
  const dealtByMembers = terms.dealers.every(({ party, x }) =>
    old.members.some((member) => member.party === party && member.shareId === x),
  )
  const dealers = new Set(terms.dealers.map(({ party }) => party))
  const enough =
    terms.oldThreshold === old.threshold &&
    dealers.size === terms.dealers.length &&
    terms.dealers.length >= old.threshold
  if (!sameGroup || !isOfKey(old, madeEpoch) || !dealtByMembers || !enough) return undefined
  return recordOf(madeEpoch, { groupId: old.groupId, epochId: old.epochId, dealers: dealersOf(terms) })
}

/**
 * The public record of the epoch that `known` was dealt from. All dealers of `known` stated that epoch's id, and the id is a
 * digest of everything recorded here, except for the epoch's own parent, which stays unknown. `known` must itself be certified, or be
 * an epoch of which this node was dealt a share.
 */
export function ancestorOf(known: GroupPublic, madeEpoch: MadeEpoch): GroupPublic | undefined {
  const { parent } = known
  if (parent === undefined || parent.groupId !== known.groupId || groupIdOf(madeEpoch) !== known.groupId)
    return undefined
  if (!isOfKey(known, madeEpoch)) return undefined
  const before: Parent | undefined = isGeneration(madeEpoch)
    ? undefined
    : { groupId: madeEpoch.terms.oldGroupId, epochId: NO_EPOCH, dealers: dealersOf(madeEpoch.terms) }
  const record = recordOf(madeEpoch, before)
  return record !== undefined && equal(record.epochId, parent.epochId) && outranks(known, record) ? record : undefined
}

const isGeneration = (madeEpoch: MadeEpoch): madeEpoch is Generation => "publicKey" in madeEpoch
const publicKeyOf = (madeEpoch: MadeEpoch): Bytes =>
  isGeneration(madeEpoch) ? madeEpoch.publicKey : madeEpoch.terms.rootPublicKey
const groupIdOf = (madeEpoch: MadeEpoch): string =>
  isGeneration(madeEpoch) ? madeEpoch.terms.groupId : madeEpoch.terms.newGroupId
const thresholdOf = (madeEpoch: MadeEpoch): number =>
  isGeneration(madeEpoch) ? madeEpoch.terms.threshold : madeEpoch.terms.newThreshold
const dealersOf = ({ dealers }: ReshareTerms): Parent["dealers"] => dealers.map(({ party }) => party).sort()

interface MadeSession extends Omit<Acknowledged, "epochId"> {
  readonly suite: SetUpSuite | undefined
}

/** The session that the acks name, if this epoch has such a session in any suite. */
function sessionOf(madeEpoch: MadeEpoch): MadeSession | undefined {
  const claimed = parseEnvelope(madeEpoch.acks[0] ?? new Uint8Array(0))?.header
  if (claimed === undefined) return undefined
  const suites = madeEpoch.terms.curve === "secp256k1" ? SET_UP_SUITES : [undefined]
  const found = suites
    .map((suite) => ({ suite, sid: sidOf(madeEpoch, suite) }))
    .find(({ sid }) => equal(sid, claimed.sid))
  if (found === undefined) return undefined
  const parties = madeEpoch.terms.members.map(({ party }) => party)
  const common = { ...found, ackRound: ackRoundOf(found.suite), ackView: copy(claimed.view) }
  if (isGeneration(madeEpoch)) return { ...common, protocol: PROTOCOL.dkg, participants: parties }
  const participants = [...new Set([...madeEpoch.terms.dealers.map(({ party }) => party), ...parties])]
  return { ...common, protocol: PROTOCOL.reshare, participants }
}

function sidOf(madeEpoch: MadeEpoch, suite: SetUpSuite | undefined): Bytes {
  const inSuite = suite && { suite }
  return isGeneration(madeEpoch)
    ? dkgSid({ ...madeEpoch.terms, ...inSuite })
    : reshareSid({ ...madeEpoch.terms, ...inSuite })
}

const isOfKey = (known: GroupPublic, madeEpoch: MadeEpoch): boolean => {
  const [publicKey] = known.commitments
  const sameKey = publicKey !== undefined && equal(publicKey, publicKeyOf(madeEpoch))
  return sameKey && equal(known.chainCode, madeEpoch.chainCode) && known.curve === madeEpoch.terms.curve
}

/** The record in the form that a node without a share keeps; undefined unless its certificate and its points are valid. */
function recordOf(madeEpoch: MadeEpoch, parent: Parent | undefined): GroupPublic | undefined {
  const { terms, members, chainCode } = madeEpoch
  const proven = provenEpoch(madeEpoch)
  const commitments = proven && commitmentsOf(madeEpoch)
  if (proven === undefined || commitments === undefined) return undefined
  const group: GroupPublic = {
    ...proven,
    groupId: groupIdOf(madeEpoch),
    curve: terms.curve,
    mode: isGeneration(madeEpoch) ? "keygen" : madeEpoch.terms.mode,
    status: "ERASED",
    threshold: thresholdOf(madeEpoch),
    members,
    commitments,
    chainCode,
    createdMs: terms.createdMs,
    ...(parent && { parent }),
  }
  return isSound(group) ? group : undefined
}

const sameMembers = ({ terms: { members: named }, members }: MadeEpoch): boolean =>
  named.length === members.length &&
  named.every(({ party, x }) => members.some((member) => member.party === party && member.shareId === x)) &&
  members.every(({ party }, i) => i === 0 || (members[i - 1]?.party ?? "") < party)

/** A_0 .. A_{t-1} from t public shares. The check of the record verifies that the other shares lie on the same polynomial. */
function commitmentsOf(madeEpoch: MadeEpoch): readonly Bytes[] | undefined {
  const curve = curveNamed(madeEpoch.terms.curve)
  const some = madeEpoch.members.slice(0, thresholdOf(madeEpoch))
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
  return equal(commitments[0] ?? new Uint8Array(0), publicKeyOf(madeEpoch)) ? commitments : undefined
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
