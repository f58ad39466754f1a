/** Chooses the signers of a group and the dealers of a reshare, by who is online and which protocol versions they share. */
import type { CosignerError } from "../../errors.ts"
import type { TaskVersion } from "../../wire/task.ts"
import { VERSIONS, type Versions } from "../../wire/versions.ts"
import { ApiFailure } from "../failure.ts"
import type { HolderGroup } from "../store/model.ts"
import { agreed, type VersionsOf } from "./versions.ts"

/** What is known of nodes when signers are chosen. */
export interface Candidates {
  readonly online: (nodeId: string) => boolean
  readonly versions: VersionsOf
  /** The task version that the chosen nodes must read; it needs a suite of at least the same number. Absent: 1. */
  readonly least?: TaskVersion
}

/** The nodes that the caller named. Throws 2006 unless they are exactly `threshold` members, 30032 if they share no version. */
export function namedSigners(
  group: HolderGroup,
  nodeIds: readonly string[],
  { versions, least = 1 }: Pick<Candidates, "versions" | "least">,
): readonly string[] {
  if (new Set(nodeIds).size !== nodeIds.length) throw new ApiFailure(2006, "used_tss_node_ids names a node twice")
  const stranger = nodeIds.find((id) => !group.holders.some((holder) => holder.nodeId === id))
  if (stranger !== undefined) throw new ApiFailure(2006, `used_tss_node_ids: ${stranger} is not in the group`)
  if (nodeIds.length !== group.threshold) {
    throw new ApiFailure(2006, `used_tss_node_ids names ${nodeIds.length} nodes, and exactly ${group.threshold} sign`)
  }
  const suite = agreed("suites", nodeIds, versions, least)
  if (typeof suite !== "number") throw outdated(suite)
  const task = agreed("tasks", nodeIds, versions, least)
  if (typeof task !== "number") throw outdated(task)
  return nodeIds
}

/**
 * The nodes of a signing task, where the caller named none: all members that read tasks of version 3, if they are more than the
 * threshold, so that each attempt chooses among them (quorum.ts); otherwise exactly the signers. Throws 30032 if there are none.
 */
export function signersOrChoice(group: HolderGroup, candidates: Candidates): readonly string[] {
  const nodeIds = group.holders.map(({ nodeId }) => nodeId)
  const able = nodeIds.filter((id) => {
    const { tasks, suites, readers } = candidates.versions(id)
    return tasks.includes(3) && suites.includes(2) && VERSIONS.readers.some((reader) => readers.includes(reader))
  })
  return able.length > group.threshold ? able : chooseSigners(group, candidates)
}

/**
 * Exactly `threshold` members: the signers where too few members read tasks of version 3 to leave a choice, and the dealers of a reshare.
 * Online nodes come before offline ones, then designated signers before others, in the group's order. The request waits for chosen nodes
 * that are offline until its deadline. All chosen nodes share a suite: the newest one for which no more of them are offline than for
 * another. Throws 30032 if no `threshold` members share one.
 */
export function chooseSigners(group: HolderGroup, { online, versions, least = 1 }: Candidates): readonly string[] {
  const ranked = group.holders
    .map(({ nodeId, signer }) => ({ nodeId, rank: (online(nodeId) ? 0 : 2) + (signer ? 0 : 1) }))
    .sort((a, b) => a.rank - b.rank)
  const suites = VERSIONS.suites.filter((suite) => suite >= least).reverse()
  const choices = suites.flatMap((suite) => {
    const isAble = ({ suites, tasks }: Versions): boolean => suites.includes(suite) && tasks.includes(least)
    const able = ranked.filter(({ nodeId }) => isAble(versions(nodeId))).slice(0, group.threshold)
    return able.length < group.threshold ? [] : [able]
  })
  const offline = (choice: typeof ranked): number => choice.filter(({ rank }) => rank >= 2).length
  const [first, ...others] = choices
  if (first !== undefined) {
    const best = others.reduce((best, choice) => (offline(choice) < offline(best) ? choice : best), first)
    return best.map(({ nodeId }) => nodeId)
  }
  const members = ranked.map(({ nodeId }) => nodeId)
  const suite = agreed("suites", members, versions, least)
  const why = typeof suite === "number" ? agreed("tasks", members, versions, least) : suite
  throw typeof why === "number" ? new RangeError("a suite that all members speak gives a choice") : outdated(why)
}

const outdated = (why: CosignerError): ApiFailure => new ApiFailure(30032, `${why.code} ${why.message}; ${why.next}`)
