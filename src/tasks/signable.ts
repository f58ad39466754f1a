/**
 * Whether a group can sign, by algorithm, and if not, why: one reading of this node's records, which refuses tasks and which
 * readiness, the status port, measurements and `doctor` report. Where it answers yes, no task is refused for these records.
 */
import { CosignerError } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { Algorithm } from "../mpc/session.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { type FreezePort, frozenError } from "./freeze.ts"
import type { BanPort, GroupPort, StrikePort } from "./ports.ts"

/** The records that keep members from signing; the store has them under these names. */
interface SigningRecords {
  readonly bans: Pick<BanPort, "unusable" | "awaitsRefresh" | "hiddenVerdicts">
  readonly strikes: Pick<StrikePort, "refused">
  readonly freezes: FreezePort
}

export interface GroupRecords extends SigningRecords {
  readonly groups: Pick<GroupPort, "list">
}

/** An ACTIVE epoch, and what its key signs with. */
export interface GroupSignable {
  readonly groupId: string
  readonly signable: readonly Signable[]
  /** E-TSK-050 where the epoch is to be refreshed before long. */
  readonly refresh: CosignerError | undefined
}

interface Signable {
  readonly algorithm: Algorithm
  /** Some `threshold` members, this node among them, can begin a session of it. */
  readonly ready: boolean
  /** Why not; where it is ready, which members cannot take part. */
  readonly problem: CosignerError | undefined
}

type SignableEpoch = Pick<GroupPublic, "groupId" | "epochId" | "status" | "curve" | "threshold" | "members">

/** What a key on the curve signs with. */
const algorithmsOf = (curve: GroupPublic["curve"]): readonly Algorithm[] =>
  curve === "ed25519" ? ["eddsa"] : ["ecdsa", "bip340"]

/** Every ACTIVE epoch, and what its key can sign with. */
export function activeSignable({ groups, bans, strikes, freezes }: GroupRecords): readonly GroupSignable[] {
  // asked once: it may be dear, and there may be thousands of groups
  const refused = strikes.refused()
  const records: SigningRecords = { bans, strikes: { refused: () => refused }, freezes }
  return groups
    .list()
    .filter(({ status }) => status === "ACTIVE")
    .map((group) => ({
      groupId: group.groupId,
      signable: signableBy(group, records),
      refresh: refreshDue(group, bans),
    }))
}

/** From so many unproven checks of one peer on, a refresh is due: half of those that a pair can have (threshold.md 2.5 rule 9). */
export const REFRESH_FROM = 4

/** Why the epoch is to be refreshed before long, though it signs. A new epoch counts from 0. */
export function refreshDue(
  { groupId, epochId }: Pick<GroupPublic, "groupId" | "epochId">,
  bans: Pick<BanPort, "hiddenVerdicts">,
): CosignerError | undefined {
  const count = bans.hiddenVerdicts(groupId, epochId)
  return count < REFRESH_FROM ? undefined : new CosignerError("E-TSK-050", { groupId, count })
}

/** Of each algorithm that the epoch's key has. */
export const signableBy = (group: SignableEpoch, records: SigningRecords): readonly Signable[] =>
  algorithmsOf(group.curve).map((algorithm) => signableWith(group, algorithm, records))

function signableWith(group: SignableEpoch, algorithm: Algorithm, records: SigningRecords): Signable {
  const { bans, strikes, freezes } = records
  const parties = group.members.map(({ party }) => party)
  const never = notActive(group)
  if (never !== undefined) return { algorithm, ready: false, problem: never }
  const freeze = freezes.over([group.groupId])
  if (freeze !== undefined) return { algorithm, ready: false, problem: frozenError(freeze) }
  const whole = blockedAmong(group, algorithm, [], bans)
  if (whole !== undefined) return { algorithm, ready: false, problem: whole }
  const refused = strikes.refused()
  const struck = parties.filter((party) => refused.includes(party))
  const blocked = algorithm === "ecdsa" ? bans.unusable(group.groupId, group.epochId) : []
  const able = parties.filter((party) => !struck.includes(party) && !blocked.includes(party))
  const byStrikes = struckOut(struck)
  const byBans = blockedAmong(group, algorithm, parties, bans)
  // Strikes are named where they alone prevent a quorum, since a pardon lifts them; only a new epoch lifts a ban.
  const problem = parties.length - struck.length < group.threshold ? byStrikes : (byBans ?? byStrikes)
  return { algorithm, ready: able.length >= group.threshold, problem }
}

/**
 * Why these members cannot sign with the algorithm, as far as the records of one epoch tell: E-TSK-040 or E-TSK-013. Both are
 * about the one-time material of ECDSA; the others have none.
 */
export function blockedAmong(
  { groupId, epochId }: Pick<GroupPublic, "groupId" | "epochId">,
  algorithm: Algorithm,
  signers: readonly PartyId[],
  bans: SigningRecords["bans"],
): CosignerError | undefined {
  if (algorithm !== "ecdsa") return undefined
  if (bans.awaitsRefresh(groupId, epochId)) return new CosignerError("E-TSK-040", { groupId })
  const peers = bans.unusable(groupId, epochId).filter((party) => signers.includes(party))
  return peers.length === 0 ? undefined : new CosignerError("E-TSK-013", { peers: peers.map(nodeIdOf) })
}

/** E-TSK-023: no task is begun with any of these. */
export const struckOut = (parties: readonly PartyId[]): CosignerError | undefined =>
  parties.length === 0 ? undefined : new CosignerError("E-TSK-023", { peers: parties.map(nodeIdOf) })

function notActive({ groupId, status }: SignableEpoch): CosignerError | undefined {
  switch (status) {
    case "ACTIVE":
      return undefined
    case "PREPARED":
      return new CosignerError("E-TSK-046", { groupId })
    case "SUPERSEDED":
    case "ERASED":
      return new CosignerError("E-TSK-047", { groupId, isErased: status === "ERASED" })
  }
}
