/**
 * What the certificate of a set-up proves to somebody who took no part in it (tss.md 6.2, 6.4): session id and epoch id are
 * computed again from their public inputs, and the acks of all participants must be on exactly these. Two ways lead from an
 * epoch that a node holds to one that it does not: threshold of its members dealt the other, or its own dealers dealt it from
 * the other. By the first, epochs of its group end; by the second, a node whose epoch was outranked by one that other
 * members of the old epoch dealt comes to know that old epoch, and from there the first.
 */
import { type Bytes, copy, equal } from "../../bytes.ts"
import { curveNamed, type Point } from "../../crypto/curve.ts"
import { interpolateCommitted } from "../../crypto/feldman.ts"
import { CosignerError } from "../../errors.ts"
import { checkGroup, type GroupMember, type GroupPublic, NO_EPOCH, outranks, type Parent } from "../../keys/group.ts"
import { type Acknowledged, certifies } from "../dkg/certificate.ts"
import { epochIdOf } from "../dkg/epoch.ts"
import { PROTOCOL, parseEnvelope } from "../envelope.ts"
import { type DkgTerms, dkgSid, type ReshareTerms, reshareSid } from "../sid.ts"

interface Made {
  readonly chainCode: Bytes
  /** The members of `terms` with their public shares, in ascending order of party. */
  readonly members: readonly GroupMember[]
  readonly acks: readonly Bytes[]
}

/** A reshare that is over, in public. */
export interface Succession extends Made {
  readonly terms: ReshareTerms
}

/** A key generation that is over, in public. */
export interface Generation extends Made {
  readonly terms: DkgTerms
  /** enc(PK): the terms cannot name it. */
  readonly publicKey: Bytes
}

export type MadeEpoch = Succession | Generation

export interface ProvenEpoch {
  readonly sid: Bytes
  readonly epochId: Bytes
  readonly ackView: Bytes
}

/** Whether its acks claim to be of exactly this session. Proves nothing. */
export const claimsSession = (of: MadeEpoch): boolean => {
  const claimed = parseEnvelope(of.acks[0] ?? new Uint8Array(0))?.header.sid
  return claimed !== undefined && equal(claimed, sessionOf(of).sid)
}

/** The epoch that all participants acknowledged; undefined if the acks are not theirs, or are on something else. */
export function provenEpoch(of: MadeEpoch): ProvenEpoch | undefined {
  const view = parseEnvelope(of.acks[0] ?? new Uint8Array(0))?.header.view
  if (view === undefined || !sameMembers(of)) return undefined
  const ackView = copy(view)
  const { protocol, sid, participants } = sessionOf(of)
  const epochId = epochIdOf(sid, ackView, publicKeyOf(of), of.members, of.chainCode)
  const proven = certifies({ protocol, sid, ackView, epochId, participants }, of.acks)
  return proven ? { sid, epochId, ackView } : undefined
}

/**
 * The public record of the epoch that came after `old`, as a node without a share of it keeps it; undefined if the
 * certificate does not prove that. `old` must itself be certified.
 */
export function successorOf(old: GroupPublic, of: MadeEpoch): GroupPublic | undefined {
  if (isGeneration(of)) return undefined
  const { terms } = of
  const sameGroup = terms.mode === "replace" && terms.oldGroupId === old.groupId && terms.newGroupId === old.groupId
  const dealtByMembers = terms.dealers.every(({ party, x }) =>
    old.members.some((member) => member.party === party && member.shareId === x),
  )
  const dealers = new Set(terms.dealers.map(({ party }) => party))
  const enough =
    terms.oldThreshold === old.threshold &&
    dealers.size === terms.dealers.length &&
    terms.dealers.length >= old.threshold
  if (!sameGroup || !isOfKey(old, of) || !dealtByMembers || !enough) return undefined
  return recordOf(of, { groupId: old.groupId, epochId: old.epochId, dealers: dealersOf(terms) })
}

/**
 * The public record of the epoch that `known` was dealt from. All dealers of `known` stated that epoch's id, and the id is a
 * digest of whatever is recorded here. Its own parent is not known by that. `known` must itself be certified, or an epoch that
 * this node was dealt a share of.
 */
export function ancestorOf(known: GroupPublic, of: MadeEpoch): GroupPublic | undefined {
  const { parent } = known
  if (parent === undefined || parent.groupId !== known.groupId || groupIdOf(of) !== known.groupId) return undefined
  if (!isOfKey(known, of)) return undefined
  const before: Parent | undefined = isGeneration(of)
    ? undefined
    : { groupId: of.terms.oldGroupId, epochId: NO_EPOCH, dealers: dealersOf(of.terms) }
  const record = recordOf(of, before)
  return record !== undefined && equal(record.epochId, parent.epochId) && outranks(known, record) ? record : undefined
}

const isGeneration = (of: MadeEpoch): of is Generation => "publicKey" in of
const publicKeyOf = (of: MadeEpoch): Bytes => (isGeneration(of) ? of.publicKey : of.terms.rootPublicKey)
const groupIdOf = (of: MadeEpoch): string => (isGeneration(of) ? of.terms.groupId : of.terms.newGroupId)
const thresholdOf = (of: MadeEpoch): number => (isGeneration(of) ? of.terms.threshold : of.terms.newThreshold)
const dealersOf = ({ dealers }: ReshareTerms): Parent["dealers"] => dealers.map(({ party }) => party).sort()

function sessionOf(of: MadeEpoch): Pick<Acknowledged, "protocol" | "sid" | "participants"> {
  const parties = of.terms.members.map(({ party }) => party)
  if (isGeneration(of)) return { protocol: PROTOCOL.dkg, sid: dkgSid(of.terms), participants: parties }
  const participants = [...new Set([...of.terms.dealers.map(({ party }) => party), ...parties])]
  return { protocol: PROTOCOL.reshare, sid: reshareSid(of.terms), participants }
}

const isOfKey = (known: GroupPublic, of: MadeEpoch): boolean => {
  const [publicKey] = known.commitments
  const sameKey = publicKey !== undefined && equal(publicKey, publicKeyOf(of))
  return sameKey && equal(known.chainCode, of.chainCode) && known.curve === of.terms.curve
}

/** As a node without a share of it keeps it; undefined unless its certificate and its points hold. */
function recordOf(of: MadeEpoch, parent: Parent | undefined): GroupPublic | undefined {
  const { terms, members, chainCode } = of
  const proven = provenEpoch(of)
  const commitments = proven && commitmentsOf(of)
  if (proven === undefined || commitments === undefined) return undefined
  const group: GroupPublic = {
    ...proven,
    groupId: groupIdOf(of),
    curve: terms.curve,
    mode: isGeneration(of) ? "keygen" : of.terms.mode,
    status: "ERASED",
    threshold: thresholdOf(of),
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

/** A_0 .. A_{t-1} from t public shares; that the others lie on the same polynomial is checked with the record. */
function commitmentsOf(of: MadeEpoch): readonly Bytes[] | undefined {
  const curve = curveNamed(of.terms.curve)
  const some = of.members.slice(0, thresholdOf(of))
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
  return equal(commitments[0] ?? new Uint8Array(0), publicKeyOf(of)) ? commitments : undefined
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
