/** The state of a node's groups after reshares: which epoch of a group is shown, and what that epoch still waits for (threshold.md 6.4). */
import { type GroupPublic, memberOf, outranks } from "./group.ts"
import type { PartyId } from "./party.ts"

/**
 * One epoch of each group: the ACTIVE one, otherwise the newest one of which this node is a member. Groups are in the order in which they
 * were made. Leaves out groups that this node only dealt to or was only told of.
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
  /** What has to happen next, in words for people; empty if nothing is missing. */
  readonly waitsFor: string
  /** Other epochs of the group whose shares this node still keeps. */
  readonly kept: readonly GroupPublic[]
  /** The certified epoch that ended this one; undefined if there is none. */
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

function waitsFor({ status, threshold }: GroupPublic, kept: readonly GroupPublic[]): string {
  switch (status) {
    case "PREPARED":
      return "the certificate (the acknowledgements of all participants), which WaaS sends; until then the epoch does not sign"
    case "ACTIVE":
      return kept.some((other) => other.status === "SUPERSEDED")
        ? `a signature of this epoch in which this node takes part, or check-ups of ${threshold} of its members; then shares of older epochs are erased`
        : ""
    case "SUPERSEDED":
      return "check-ups of as many members of a later epoch as its threshold, or a signature of it in which this node takes part; until then the share is kept, but does not sign"
    case "ERASED":
      return ""
  }
}
