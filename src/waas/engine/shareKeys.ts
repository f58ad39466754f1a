/** One node's public key shares of a holder group, from the outcomes that made the epochs in use. */
import { ApiFailure } from "../failure.ts"
import type { HolderGroup, ShareGroup, ShareKey, TssRequest, WaasTask } from "../store/model.ts"
import { everyItem } from "../store/pages.ts"
import type { WaasStore } from "../store/store.ts"

/** The node's public key share of each of the group's keys. Throws 30032 for a group without keys, 2006 for a node without shares of it. */
export async function shareKeysOf(
  group: HolderGroup,
  nodeId: string,
  store: WaasStore,
  tasksOf: (request: TssRequest) => Promise<readonly WaasTask[]>,
): Promise<readonly ShareKey[]> {
  const { groupId, vaultId, shareGroups } = group
  if (shareGroups.length === 0) throw new ApiFailure(30032, `the group ${groupId} has no keys yet`)
  const makers = new Map<string, WaasTask>()
  for await (const request of everyItem((page) => store.tssRequests({ vaultId, groupId }, page), 20)) {
    for (const task of await tasksOf(request)) {
      const made = shareGroups.find((shareGroup) => hasMade(task, shareGroup))
      if (made !== undefined) makers.set(made.shareGroupId, task)
    }
    if (makers.size === shareGroups.length) break
  }
  const keys = shareGroups.flatMap(
    (shareGroup) => shareKeyOf(shareGroup, nodeId, makers.get(shareGroup.shareGroupId)) ?? [],
  )
  if (keys.length === 0) throw new ApiFailure(2006, `the node ${nodeId} holds no share of the group ${groupId}`)
  return keys
}

/** Whether the task made the epoch in use. That is the certified one of highest rank, which need not be of the newest request. */
const hasMade = ({ state, outcome }: WaasTask, { shareGroupId, epoch }: ShareGroup): boolean =>
  state === "completed" &&
  outcome?.type === "group" &&
  outcome.group_id === shareGroupId &&
  (epoch === undefined || outcome.epoch_id === epoch.epochId)

function shareKeyOf(
  { shareGroupId, curve }: ShareGroup,
  nodeId: string,
  maker: WaasTask | undefined,
): ShareKey | undefined {
  const participants = maker?.outcome?.type === "group" ? maker.outcome.participants : []
  const own = participants.find((participant) => participant.node_id === nodeId)
  if (maker === undefined || own === undefined) return undefined
  const key = { shareGroupId, curve, publicKey: own.share_public_key }
  return maker.type === "KeyReshare" ? { ...key, madeBy: maker.taskId } : key
}
