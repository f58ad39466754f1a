/** Which group signs, and which of its nodes: exactly as many as the threshold, that have a suite in common. */
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
  /** The task version that they must read, which needs a suite of that number; 1 unless said. */
  readonly least?: TaskVersion
}

/** The nodes that the caller named, if they can sign together. Throws 2006. */
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
 * Without a wish of the caller: all members that may sign, of whom each attempt takes those that are well (quorum.ts), if they are more
 * than the threshold and read such a task. Otherwise the signers themselves. Throws 30032 where there are none.
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
 * The signers of a group some of whose members are of an earlier release, and the dealers of a reshare: those that are online before those that are not, designated signers before others, in
 * the group's order. With too few online the request waits for the rest of its choice until its deadline. All of them share a
 * suite; of two choices that are equally good otherwise, the one with the newer suite. Throws 30032 where there is none.
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
    const best = others.reduce((least, choice) => (offline(choice) < offline(least) ? choice : least), first)
    return best.map(({ nodeId }) => nodeId)
  }
  const members = ranked.map(({ nodeId }) => nodeId)
  const suite = agreed("suites", members, versions, least)
  const why = typeof suite === "number" ? agreed("tasks", members, versions, least) : suite
  throw typeof why === "number" ? new RangeError("a suite that all members speak gives a choice") : outdated(why)
}

const outdated = (why: CosignerError): ApiFailure => new ApiFailure(30032, `${why.code} ${why.message}; ${why.next}`)
