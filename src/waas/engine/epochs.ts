/**
 * For which epochs of its share groups a node is sent certificates (threshold.md 6.4). It is sent a new one if it is online when the epoch
 * is certified, and all that it may lack at each connection, until it has reported itself that it holds the latest epoch. A node that
 * took no part never reports that, and a node that was restored since may have lost it. A node drops certificates that it knows.
 */
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite } from "../store/store.ts"
import { outranks } from "./reshare.ts"

/**
 * The set-ups whose certificates the node may lack. `setUps`: those of its share groups; only completed ones count. `incarnation`: that
 * of the node's database. Set-ups in which the node took part come first: it verifies the others by an epoch that it knows as certified.
 */
export function untoldEpochs(nodeId: string, incarnation: number, setUps: readonly WaasTask[]): readonly WaasTask[] {
  const holds = ({ reports }: WaasTask): boolean =>
    reports[nodeId]?.status === 190 && (reports[nodeId].incarnation ?? 0) === incarnation
  const isOwn = (task: WaasTask): boolean => task.nodeIds.includes(nodeId)
  const completed = setUps.filter(({ state }) => state === "completed")
  const untold = [...Map.groupBy(completed, groupIdOf).values()].flatMap((epochs) => {
    const latest = epochs.reduce((best, task) => (outranks(rankOf(task), rankOf(best)) ? task : best))
    // A node that holds the latest epoch lacks at most one in which it took part: it needs that certificate to erase that share one day.
    const holdsLatest = holds(latest)
    return epochs.filter((task) => !holds(task) && (!holdsLatest || isOwn(task)))
  })
  return [...untold.filter(isOwn), ...untold.filter((task) => !isOwn(task))]
}

/** The share groups for which these writes add a set-up. */
export const groupsWithNews = (written: readonly StoreWrite[]): readonly string[] => [
  ...new Set(written.flatMap((write) => (write.put === "succession" ? [write.shareGroupId] : []))),
]

const groupIdOf = ({ outcome }: WaasTask): string => (outcome?.type === "group" ? outcome.group_id : "")

const rankOf = ({ createdMs, outcome }: WaasTask) => ({
  createdMs,
  epochId: outcome?.type === "group" ? outcome.epoch_id : "",
})
