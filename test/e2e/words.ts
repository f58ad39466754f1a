/** What a person states about a task that waits for people, written from what WaaS shows of it. */
import { randomBytes } from "node:crypto"
import { type ApprovalDecision, writeStatement } from "../../src/approvals/statement.ts"
import { type Bytes, copy, toHex } from "../../src/bytes.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { DEFAULT_INTENT_SETTINGS, intentKeyOf, isUnread, readIntents } from "../../src/tasks/intents.ts"
import { subjectOf } from "../../src/tasks/subject.ts"
import type { ApprovalsObject, Client } from "../../src/waas/client.ts"
import { decodeTask, taskDigest } from "../../src/wire/task.ts"

type ShownTask = ApprovalsObject["tasks"][number]

/** The only task of a signing request, once two nodes wait for people in a way that `is` looks for. */
export function awaited(
  client: Client,
  vaultId: string,
  requestId: string,
  is: (approvedBy: readonly string[], request: boolean) => boolean = () => true,
): Promise<ShownTask> {
  return until("nodes that wait for people", async () => {
    const { tasks } = await client.approvals(vaultId, requestId)
    const [task] = tasks
    const waiting = (task?.awaited ?? []).filter(({ groups, request }) => is(groups[0]?.approved_by ?? [], request))
    return task !== undefined && waiting.length >= 2 ? task : undefined
  })
}

export interface Word {
  readonly statement: Bytes
  /** What the task does, for whoever signs. */
  readonly reading: readonly string[]
}

export async function wordOn(
  { document, awaited: nodes }: ShownTask,
  approver: string,
  decision: ApprovalDecision,
): Promise<Word> {
  const bytes = copy(Buffer.from(document))
  const task = decodeTask(bytes)
  if ("problem" in task || task.type !== "KeySign") throw new Error("a KeySign")
  const intents = await readIntents(task, intentKeyOf(task.root_pub_key), DEFAULT_INTENT_SETTINGS)
  if (isUnread(intents)) throw new Error(intents.message)
  const subject = subjectOf(task, taskDigest(bytes), nodes[0]?.epoch, intents)
  const notAfter = Math.floor(Date.now() / 1000) + 600
  const statement = writeStatement({ ...subject, decision, approver, notAfter, nonce: toHex(randomBytes(16)) })
  return { statement, reading: subject.reading }
}
