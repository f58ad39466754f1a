/**
 * Share check-ups after a reshare. They are stored as they come, and passed on once `threshold` members of the new epoch have signed one:
 * then a node that left may erase its share of the old epoch (threshold.md 6.4). Check-ups are begun by operators, never here. Receivers
 * verify each check-up, so they need not trust WaaS.
 */
import { fromHex, toHex } from "../../bytes.ts"
import { messageBytes } from "../../tasks/keyshareSign.ts"
import type { ToNode } from "../../wire/frames.ts"
import { parseNodeId } from "../../wire/nodeId.ts"
import { decodeTask } from "../../wire/task.ts"
import type { WaasTask } from "../store/model.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import type { Change } from "./consequences.ts"
import { outranks } from "./reshare.ts"

type Checkups = Extract<ToNode, { kind: "checkups" }>

/** The check-ups to store of a KeyShareSign that has just completed, for epochs that a reshare made. Its signatures are verified. */
export function checkupsMade({ before, record }: Change): readonly StoreWrite[] {
  const { state, outcome, shareKeys = [] } = record
  const [nodeId] = record.nodeIds
  if (before.state === "completed" || state !== "completed" || outcome?.type !== "shareSignatures") return []
  return outcome.signatures.flatMap(({ group_id, signed_msg, signature: hex }): readonly StoreWrite[] => {
    const taskId = shareKeys.find(({ shareGroupId }) => shareGroupId === group_id)?.madeBy
    const message = messageBytes(signed_msg)
    const signature = fromHex(hex.replace(/^0x/, ""))
    if (taskId === undefined || nodeId === undefined || message === undefined || signature === undefined) return []
    return [{ put: "checkup", taskId, record: { nodeId, message, signature } }]
  })
}

/** The nodes to send check-ups to after these writes: those that follow a group for which enough members have signed now. */
export async function awaitingCheckups(written: readonly StoreWrite[], store: WaasStore): Promise<readonly string[]> {
  const nodeIds = new Set<string>()
  for (const write of written) {
    const reshare = write.put === "checkup" ? await store.task(write.taskId) : undefined
    const frame = reshare && (await checkupsFrame(reshare, store))
    if (frame !== undefined) for (const nodeId of await store.followersOf(frame.groupId)) nodeIds.add(nodeId)
  }
  return [...nodeIds]
}

/** For each group the check-ups of its latest reshare that has enough of them: they end all epochs before that one. */
export async function latestCheckups(reshares: readonly WaasTask[], store: WaasStore): Promise<readonly Checkups[]> {
  const latest = new Map<string, { readonly createdMs: number; readonly epochId: string; readonly frame: Checkups }>()
  for (const task of reshares) {
    const frame = await checkupsFrame(task, store)
    if (frame === undefined) continue
    const found = { createdMs: task.createdMs, epochId: toHex(frame.epochId), frame }
    const known = latest.get(frame.groupId)
    if (known === undefined || outranks(found, known)) latest.set(frame.groupId, found)
  }
  return [...latest.values()].map(({ frame }) => frame)
}

/** The check-ups of the epoch that this reshare made; undefined until `threshold` members have signed, and for one that ends no epoch. */
async function checkupsFrame({ taskId, document, outcome }: WaasTask, store: WaasStore): Promise<Checkups | undefined> {
  const asked = decodeTask(document)
  if (outcome?.type !== "group" || !("mode" in asked) || asked.mode !== "replace") return undefined
  const epochId = fromHex(outcome.epoch_id)
  const made = (await store.checkups(taskId)).flatMap(({ nodeId, message, signature }) => {
    const party = parseNodeId(nodeId)
    return party === undefined ? [] : [{ party, message, signature }]
  })
  if (epochId === undefined || made.length < outcome.threshold) return undefined
  const checkups = made.slice(0, outcome.threshold).sort((a, b) => (a.party < b.party ? -1 : 1))
  return { kind: "checkups", groupId: outcome.group_id, epochId, checkups }
}
