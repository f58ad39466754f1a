/**
 * Whether a group can sign, for each algorithm, and if not, why. Tasks, readiness, the status port, metrics and `doctor` all use this one
 * evaluation of the node's records: if it answers yes, no task is refused because of these records.
 */
import { CosignerError } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { Algorithm } from "../mpc/session.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { type FreezePort, frozenError } from "./freeze.ts"
import type { BanPort, GroupPort, StrikePort } from "./ports.ts"

/** The records that can keep members from signing, under the names that Store has for them. */
interface SigningRecords {
  readonly bans: Pick<BanPort, "unusable" | "awaitsRefresh" | "hiddenVerdicts">
  readonly strikes: Pick<StrikePort, "refused">
  readonly freezes: FreezePort
}

export interface GroupRecords extends SigningRecords {
  readonly groups: Pick<GroupPort, "list">
}

/** An ACTIVE epoch, and whether it can sign with each algorithm of its curve. */
export interface GroupSignable {
  readonly groupId: string
  readonly signable: readonly Signable[]
  /** E-TSK-050 if the epoch should be refreshed soon. */
  readonly refresh: CosignerError | undefined
}

interface Signable {
  readonly algorithm: Algorithm
  /** True if `threshold` members, including this node, can begin a session. */
  readonly ready: boolean
  /** Why it is not ready; or, if it is ready, which members cannot take part. */
  readonly problem: CosignerError | undefined
}

type SignableEpoch = Pick<GroupPublic, "groupId" | "epochId" | "status" | "curve" | "threshold" | "members">

/** The algorithms of a key on the curve. */
const algorithmsOf = (curve: GroupPublic["curve"]): readonly Algorithm[] =>
  curve === "ed25519" ? ["eddsa"] : ["ecdsa", "bip340"]

/** Evaluates every ACTIVE epoch. */
export function activeSignable({ groups, bans, strikes, freezes }: GroupRecords): readonly GroupSignable[] {
  // Called once, because it can be expensive and there may be thousands of groups.
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

/** A refresh is due at this number of unproven checks of one peer: half of the number that is allowed (threshold.md 2.5 rule 9). */
export const REFRESH_FROM = 4

/** E-TSK-050 if the epoch should be refreshed soon although it still signs; otherwise undefined. A new epoch counts from 0. */
export function refreshDue(
  { groupId, epochId }: Pick<GroupPublic, "groupId" | "epochId">,
  bans: Pick<BanPort, "hiddenVerdicts">,
): CosignerError | undefined {
  const count = bans.hiddenVerdicts(groupId, epochId)
  return count < REFRESH_FROM ? undefined : new CosignerError("E-TSK-050", { groupId, count })
}

/** Evaluates one epoch for each algorithm of its key. */
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
  // If strikes alone prevent a quorum, they are reported, because a pardon lifts them; only a new epoch lifts a ban.
  const problem = parties.length - struck.length < group.threshold ? byStrikes : (byBans ?? byStrikes)
  return { algorithm, ready: able.length >= group.threshold, problem }
}

/**
 * Why these members cannot sign with the algorithm, according to the records of one epoch: E-TSK-040 or E-TSK-013. Both concern the OT
 * state of ECDSA, which the other algorithms do not have.
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

/** E-TSK-023 if there are any: no task begins with a peer that has too many strikes. */
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
