/** The state of a node's groups after reshares: which epoch of each group it shows, and what that epoch still waits for (threshold.md 6.4). */
import { type GroupPublic, memberOf, outranks } from "./group.ts"
import type { PartyId } from "./party.ts"

/**
 * One epoch of each group: the ACTIVE one, otherwise the newest one of which this node is a member; groups in the order they were
 * made. A group that this node only dealt to, or was only told of, is not one of its own.
 */
export function ownEpochs(all: readonly GroupPublic[], self: PartyId): readonly GroupPublic[] {
  const current = new Map<string, GroupPublic>()
  for (const group of [...all].sort((a, b) => a.createdMs - b.createdMs)) {
    if (memberOf(group, self) === undefined || current.get(group.groupId)?.status === "ACTIVE") continue
    current.set(group.groupId, group)
  }
  return [...current.values()]
}

interface EpochStatus {
  /** What has to happen next, in a sentence; empty when nothing is missing. */
  readonly waitsFor: string
  /** Other epochs of the group whose shares this node still keeps. */
  readonly kept: readonly GroupPublic[]
  /** The certified epoch that ended this one. */
  readonly supersededBy: GroupPublic | undefined
}

export function epochStatusOf(group: GroupPublic, all: readonly GroupPublic[]): EpochStatus {
  const others = all.filter((other) => other.groupId === group.groupId && other !== group)
  const later = others.filter((other) => other.certificate !== undefined && outranks(other, group))
  const supersededBy = later.reduce<GroupPublic | undefined>(
    (best, other) => (best === undefined || outranks(other, best) ? other : best),
    undefined,
  )
  const kept = others.filter(({ status }) => status !== "ERASED")
  return { waitsFor: waitsFor(group, kept), kept, supersededBy }
}

function waitsFor({ status }: GroupPublic, kept: readonly GroupPublic[]): string {
  switch (status) {
    case "PREPARED":
      return "the certificate: the acknowledgements of all participants, which WaaS hands on; until then it does not sign"
    case "ACTIVE":
      return kept.some((other) => other.status === "SUPERSEDED")
        ? "a signature of this epoch with this node's part, or check-ups of as many members as its threshold; either ends the keeping of older shares"
        : ""
    case "SUPERSEDED":
      return "check-ups of as many members of the epoch after it as its threshold, or, of a member, a signature with its part; its share is kept until then, and signs no more"
    case "ERASED":
      return ""
  }
}
