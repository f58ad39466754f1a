/**
 * The subject of a statement about a task (approvals.md 1), with what the task does in words. Every node, and the approver's own program,
 * must find the same words. So they come from the document and from what this release reads in the payloads, without the names of anybody's
 * configuration and without notes. These lines are signed: a change of their text is a change of the format.
 */
import { readingLines, type StatementSubject } from "../approvals/statement.ts"
import { intentText } from "../intent/text.ts"
import type { KeyReshareTask, KeySignTask, Task } from "../wire/task.ts"
import { type Intents, taskIntentHash } from "./intents.ts"

/** `digest` is that of the document (wire/task.ts). `epoch` is that of the signing share, hex; used for KeySign only. */
export function subjectOf(task: Task, digest: string, epoch: string | undefined, intents: Intents): StatementSubject {
  return {
    task: task.task_id,
    document: digest,
    intent: taskIntentHash(intents),
    group: groupOf(task),
    epoch: task.type === "KeySign" ? epoch : undefined,
    reading: readingLines(wordsOf(task, intents)),
  }
}

function groupOf(task: Task): string | undefined {
  switch (task.type) {
    case "KeyGen":
    case "KeySign":
      return task.group_id
    case "KeyReshare":
      return task.new_group_id
    case "KeyShareSign":
      return undefined
  }
}

function wordsOf(task: Task, intents: Intents): readonly string[] {
  switch (task.type) {
    case "KeyGen":
      return [
        `make a new key on ${task.curve}: any ${task.threshold} of these ${task.node_ids.length} nodes can sign`,
        ...task.node_ids.map((id) => `node ${id}`),
      ]
    case "KeySign":
      return signWords(task, intents)
    case "KeyReshare":
      return reshareWords(task)
    case "KeyShareSign":
      return task.details.map(({ group_id }) => `prove the share of group ${group_id}`)
  }
}

function signWords({ messages }: KeySignTask, intents: Intents): readonly string[] {
  const read = intents.flatMap(({ reading: { notes: _, ...reading } }) => intentText(reading))
  const blind = messages.flatMap(({ bip32_path, msg_hash }, i) =>
    intents.some(({ messages: own }) => own.includes(i))
      ? []
      : [`sign at ${bip32_path} what nobody can read: ${msg_hash}`],
  )
  return [...read, ...blind]
}

function reshareWords(task: KeyReshareTask): readonly string[] {
  const { new_threshold, new_node_ids, old_group_id, root_pub_key } = task
  return [
    `${task.mode === "replace" ? "give new shares of" : "give to another group"} the key ${root_pub_key} of group ${old_group_id}`,
    `from then on any ${new_threshold} of these ${new_node_ids.length} nodes can sign`,
    ...new_node_ids.map((id) => `node ${id}`),
  ]
}
