/**
 * Which epochs of its share groups a node is to be handed the certificates of (threshold.md 6.4). Said once to those who are online
 * when one is certified, and at each connection for as long as the node has not said itself that it holds the latest: a
 * bystander never says so, and a node that was restored since may hold it no more. What it knows already it drops.
 */
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite } from "../store/store.ts"
import { outranks } from "./reshare.ts"

/**
 * `setUps`: those of the node's share groups, of which only completed ones count. `incarnation`: that of its database. First what the node took part in:
 * the others prove themselves to it by an epoch that it knows to be certified.
 */
export function untoldEpochs(nodeId: string, incarnation: number, setUps: readonly WaasTask[]): readonly WaasTask[] {
  const holds = ({ reports }: WaasTask): boolean =>
    reports[nodeId]?.status === 190 && (reports[nodeId].incarnation ?? 0) === incarnation
  const isOwn = (task: WaasTask): boolean => task.nodeIds.includes(nodeId)
  const completed = setUps.filter(({ state }) => state === "completed")
  const untold = [...Map.groupBy(completed, groupIdOf).values()].flatMap((epochs) => {
    const latest = epochs.reduce((best, task) => (outranks(rankOf(task), rankOf(best)) ? task : best))
    // Who holds the latest lacks at most what it promised itself: with the certificate, that share can be erased one day.
    const holdsLatest = holds(latest)
    return epochs.filter((task) => !holds(task) && (!holdsLatest || isOwn(task)))
  })
  return [...untold.filter(isOwn), ...untold.filter((task) => !isOwn(task))]
}

/** The share groups with news in what was just written. */
export const groupsWithNews = (written: readonly StoreWrite[]): readonly string[] => [
  ...new Set(written.flatMap((write) => (write.put === "succession" ? [write.shareGroupId] : []))),
]

const groupIdOf = ({ outcome }: WaasTask): string => (outcome?.type === "group" ? outcome.group_id : "")

const rankOf = ({ createdMs, outcome }: WaasTask) => ({
  createdMs,
  epochId: outcome?.type === "group" ? outcome.epoch_id : "",
})
