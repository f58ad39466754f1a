/** One node's public shares of a group, as the outcome that made the group's present epochs has them. */
import { ApiFailure } from "../failure.ts"
import type { HolderGroup, ShareKey, TaskRecord, TssRequest } from "../store/model.ts"
import type { Store } from "../store/store.ts"

/** Throws 30032 for a group without keys, 2006 for a node that holds none of its shares. */
export async function shareKeysOf(
  group: HolderGroup,
  nodeId: string,
  store: Store,
  tasksOf: (request: TssRequest) => Promise<readonly TaskRecord[]>,
): Promise<readonly ShareKey[]> {
  const { groupId, vaultId, shareGroups } = group
  if (shareGroups.length === 0) throw new ApiFailure(30032, `the group ${groupId} has no keys yet`)
  const found = new Map<string, ShareKey>()
  let after: number | undefined
  do {
    // Newest first: a reshare to the same nodes gave them new shares.
    const slice = await store.tssRequests({ vaultId, groupId }, { limit: 20, after, before: undefined })
    for (const request of slice.items) {
      for (const task of await tasksOf(request)) add(task)
    }
    after = slice.after
  } while (after !== undefined && found.size < shareGroups.length)

  function add({ taskId, type, state, outcome }: TaskRecord): void {
    if (state !== "completed" || outcome?.type !== "group" || found.has(outcome.group_id)) return
    const of = shareGroups.find(({ shareGroupId }) => shareGroupId === outcome.group_id)
    const own = outcome.participants.find((participant) => participant.node_id === nodeId)
    if (of === undefined || own === undefined) return
    const { shareGroupId, curve } = of
    const key = { shareGroupId, curve, publicKey: own.share_public_key }
    found.set(shareGroupId, type === "KeyReshare" ? { ...key, madeBy: taskId } : key)
  }

  const keys = shareGroups.flatMap(({ shareGroupId }) => found.get(shareGroupId) ?? [])
  if (keys.length === 0) throw new ApiFailure(2006, `the node ${nodeId} holds no share of the group ${groupId}`)
  return keys
}
