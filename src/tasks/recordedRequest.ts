/** Makes the request that rules judge from a task in the journal, to try other rules on it. */
import type { GroupPublic } from "../keys/group.ts"
import type { PolicyRequest, UnreadableRequest } from "../policy/request.ts"
import { decodeRecordedTask, type Task } from "../wire/task.ts"
import { hasPayloads, type IntentSettings, intentKeyOf, isUnread, NO_INTENTS, readIntents } from "./intents.ts"
import { ownGroup, policyRequest } from "./policyRequest.ts"
import type { TaskRecord } from "./ports.ts"

/**
 * Reads the payloads again, with the names of `settings`. Undefined if the journal has dropped a large payload and kept only its hash: then
 * the task cannot be judged again.
 */
export async function recordedRequest(
  { taskId, document }: Pick<TaskRecord, "taskId" | "document">,
  groups: readonly GroupPublic[],
  settings: IntentSettings,
): Promise<PolicyRequest | UnreadableRequest | undefined> {
  const task = decodeRecordedTask(document)
  if ("problem" in task) return { type: "unreadable", taskId, problem: task.problem }
  if (isForgotten(task)) return undefined
  const id = task.type === "KeySign" ? task.group_id : task.type === "KeyReshare" ? task.old_group_id : ""
  // Every epoch of a group has the same root key.
  const found = groups.find(({ groupId }) => groupId === id)
  const group = found && ownGroup(found)
  const isRead = group !== undefined && hasPayloads(task, settings)
  const intents = isRead ? await readIntents(task, intentKeyOf(group.rootPubKey), settings) : NO_INTENTS
  if (isUnread(intents)) return { type: "unreadable", taskId, problem: `${intents.code} ${intents.message}` }
  return policyRequest(task, group, intents)
}

const isForgotten = (task: Task): boolean =>
  task.type === "KeySign" && task.payloads === undefined && task.messages.some(({ payload }) => payload !== undefined)
