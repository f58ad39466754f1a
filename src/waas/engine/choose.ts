/** Which group signs, and which of its nodes: exactly as many as the threshold. */
import { ApiFailure } from "../failure.ts"
import type { HolderGroup } from "../store/model.ts"

/** The nodes that the caller named, if they can sign together. Throws 2006. */
export function namedSigners(group: HolderGroup, nodeIds: readonly string[]): readonly string[] {
  if (new Set(nodeIds).size !== nodeIds.length) throw new ApiFailure(2006, "used_tss_node_ids names a node twice")
  const stranger = nodeIds.find((id) => !group.holders.some((holder) => holder.nodeId === id))
  if (stranger !== undefined) throw new ApiFailure(2006, `used_tss_node_ids: ${stranger} is not in the group`)
  if (nodeIds.length !== group.threshold) {
    throw new ApiFailure(2006, `used_tss_node_ids names ${nodeIds.length} nodes, and exactly ${group.threshold} sign`)
  }
  return nodeIds
}

/**
 * Without a wish of the caller: those that are online before those that are not, designated signers before others, in
 * the group's order. With too few online the request waits for the rest of its choice until its deadline.
 */
export function chooseSigners(group: HolderGroup, online: (nodeId: string) => boolean): readonly string[] {
  const rank = (nodeId: string, signer: boolean): number => (online(nodeId) ? 0 : 2) + (signer ? 0 : 1)
  return group.holders
    .map(({ nodeId, signer }) => ({ nodeId, rank: rank(nodeId, signer) }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, group.threshold)
    .map(({ nodeId }) => nodeId)
}
