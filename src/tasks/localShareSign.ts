/**
 * A share check-up that the node's own operator asks for, without WaaS and without other nodes. It is a task like any other: the embedded
 * rules decide it, limits count it, and the journal keeps it. Nobody has to acknowledge its outcome.
 */
import { toHex, utf8 } from "../bytes.ts"
import type { Rng } from "../crypto/random.ts"
import { CosignerError } from "../errors.ts"
import { memberOf } from "../keys/group.ts"
import { sharePublicKeyText } from "../keys/groupInfo.ts"
import type { PartyId } from "../keys/party.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { encodeTask, type KeyShareSignTask, taskDigest } from "../wire/task.ts"
import { type FreezePort, freezeRefusal } from "./freeze.ts"
import { NO_INTENTS } from "./intents.ts"
import { messageBytes, planShareSign, signShares } from "./keyshareSign.ts"
import { isRefusal } from "./plan.ts"
import { judgeBy, type RulesInForce } from "./policyRequest.ts"
import type { Finish, GroupPort, OutboxEvent, TaskPort, TaskRecord } from "./ports.ts"

const DAY_MS = 24 * 60 * 60 * 1000

/** The synchronous journal: each step is durable when it returns. */
interface LocalJournal {
  claim(task: Parameters<TaskPort["claim"]>[0]): void
  approve(...decision: Parameters<TaskPort["approve"]>): TaskRecord
  finish(taskId: string, end: Finish, nowMs: number, events: readonly OutboxEvent[]): void
  delivered(taskId: string): void
}

interface LocalSigner {
  readonly self: PartyId
  readonly groups: Pick<GroupPort, "active" | "open" | "list">
  readonly tasks: LocalJournal
  readonly freezes: FreezePort
  readonly policy: RulesInForce
  readonly rng: Rng
  /** A unique id; the journal keeps the task under it. */
  readonly taskId: string
  readonly nowMs: number
}

export interface ShareSignature {
  readonly group_id: string
  readonly node_id: string
  readonly curve: string
  readonly share_public_key: string
  /** The message as the operator gave it. */
  readonly message: string
  readonly message_encoding: Encoding
  readonly msg_hash: string
  readonly signature: string
}

type Encoding = "hex" | "utf-8"

/** Reads a message: hex after 0x, any other text as UTF-8. Throws E-BAK-022 unless it is 1 to 4096 bytes. */
function readMessage(given: string): { readonly hex: string; readonly encoding: Encoding } {
  const encoding = /^0x/i.test(given) ? "hex" : "utf-8"
  const hex = encoding === "hex" ? given : `0x${toHex(utf8(given))}`
  if (messageBytes(hex) !== undefined) return { hex, encoding }
  const message =
    encoding === "hex" ? "begins with 0x and is not 1 to 4096 bytes of hex" : "is not 1 to 4096 bytes long"
  throw new CosignerError("E-BAK-022", { message })
}

/**
 * Signs `message` with the share of that group's active epoch; the journal has the outcome before it is returned. Throws E-BAK-022 for a
 * message that cannot be signed, E-CLI-011 for an unknown group, E-BAK-014 for one without an active epoch, and E-BAK-023 if rules or
 * records refuse.
 */
export function signLocally(signer: LocalSigner, groupId: string, message: string): ShareSignature {
  const { self, groups, tasks, policy, taskId, nowMs } = signer
  const nodeId = nodeIdOf(self)
  const { hex, encoding } = readMessage(message)
  const group = groups.active(groupId)
  if (group === undefined) throw notActive(groupId, groups.list())
  const task = taskOf(signer, nodeId, group.groupId, hex)
  const wanted = planShareSign(task, signer)
  if (isRefusal(wanted)) throw new CosignerError("E-BAK-023", { group: group.groupId, why: wanted.reason })
  const frozen = freezeRefusal(task, signer)
  if (frozen !== undefined) throw new CosignerError("E-BAK-023", { group: group.groupId, why: frozen.reason })
  const document = encodeTask(task)
  const { deadline_ms: deadlineMs, type } = task
  tasks.claim({ taskId, digest: taskDigest(document), type, document, deadlineMs, nowMs, events: [] })
  const { verdict } = tasks.approve(
    taskId,
    nowMs,
    (usage) => judgeBy(policy, task, undefined, usage, nowMs, NO_INTENTS),
    () => [],
  )
  if (verdict?.action !== "approve") {
    tasks.delivered(taskId)
    throw new CosignerError("E-BAK-023", { group: group.groupId, why: `${verdict?.code} ${verdict?.reason}` })
  }
  const outcome = signShares(wanted, signer)
  tasks.finish(taskId, { state: "completed", outcome }, nowMs, [])
  tasks.delivered(taskId)
  const signed = outcome.type === "shareSignatures" ? outcome.signatures[0] : undefined
  if (signed === undefined) throw new CosignerError("E-CLI-001", { what: "a check-up gave no signature" })
  const own = memberOf(group, self)?.sharePublicKey ?? new Uint8Array(0)
  return {
    group_id: group.groupId,
    node_id: nodeId,
    curve: group.curve,
    share_public_key: sharePublicKeyText(own),
    message,
    message_encoding: encoding,
    msg_hash: signed.msg_hash,
    signature: signed.signature,
  }
}

function notActive(
  groupId: string,
  groups: readonly { readonly groupId: string; readonly status: string }[],
): CosignerError {
  const found = groups.find((group) => group.groupId === groupId)
  if (found !== undefined) return new CosignerError("E-BAK-014", { group: found.groupId, status: found.status })
  const known = groups.filter(({ status }) => status === "ACTIVE").map((group) => group.groupId)
  return new CosignerError("E-CLI-011", { what: "such group (--group-id)", known })
}

const taskOf = (
  { taskId, nowMs }: Pick<LocalSigner, "taskId" | "nowMs">,
  nodeId: string,
  groupId: string,
  message: string,
): KeyShareSignTask => ({
  version: 1,
  type: "KeyShareSign",
  task_id: taskId,
  biz_task_id: "local",
  created_ms: nowMs,
  deadline_ms: nowMs + DAY_MS,
  extra_info: {},
  node_id: nodeId,
  details: [{ group_id: groupId, message }],
})
