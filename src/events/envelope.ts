/**
 * TSSEvent, what event servers get (formats.md 2): the envelope, and the data of the four kinds of task, typed as in the SDKs:
 * numbers where they have numbers, details as an object, extra_info as a JSON text.
 */
import { toHex } from "../bytes.ts"
import { boundedLines } from "../intent/json.ts"
import { decodeExtendedPublicKey } from "../keys/extendedKey.ts"
import type { Freeze } from "../tasks/freeze.ts"
import { type Intents, NO_INTENTS, taskIntentHash } from "../tasks/intents.ts"
import type { EventsFor, OutboxEvent, TaskChange, TaskStatus } from "../tasks/ports.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { PROTOCOL_NUMBERS, requestDetail } from "../wire/requestDetail.ts"
import type { Task, TaskType } from "../wire/task.ts"

export const PING = "ping"
/** Lines of an intent's description in one event. */
const MOST_LINES = 100
const MOST_CHARACTERS = 64 * 1024

const KINDS: Readonly<Record<TaskType, string>> = {
  KeyGen: "keygen",
  KeyReshare: "keyreshare",
  KeySign: "keysign",
  KeyShareSign: "keysharesign",
}
const PHASES = ["created", "updated", "failed", "succeeded"] as const

/** Every type that a server may ask for. */
export const EVENT_TYPES: readonly string[] = [
  ...Object.values(KINDS).flatMap((kind) => PHASES.map((phase) => `request.${kind}.${phase}`)),
  "node.frozen",
  "node.unfrozen",
]

const PHASE_OF: Readonly<Record<TaskStatus, (typeof PHASES)[number]>> = {
  110: "created",
  120: "updated",
  130: "updated",
  140: "updated",
  160: "failed",
  170: "failed",
  180: "failed",
  190: "succeeded",
}

/** The events for every change of a task. The outbox and the configuration decide which servers get them. */
export const eventsFor =
  (nodeId: string, newId: () => string): EventsFor =>
  (change) => {
    const eventId = newId()
    const eventType = `request.${KINDS[change.task.type]}.${PHASE_OF[change.status]}`
    const body = JSON.stringify({
      event_id: eventId,
      created_timestamp: change.atMs,
      node_id: nodeId,
      event_type: eventType,
      data: dataOf(change),
    })
    return [{ eventId, eventType, createdMs: change.atMs, body }]
  }

/** Events that say that the node or one of its groups was frozen or unfrozen. */
export const freezeEvents =
  (nodeId: string, newId: () => string) =>
  (eventType: "node.frozen" | "node.unfrozen", freeze: Freeze, createdMs: number): OutboxEvent => {
    const eventId = newId()
    const { groupId, sinceMs, end, reason, by } = freeze
    const data = {
      data_type: "Freeze",
      group_id: groupId,
      since_timestamp: sinceMs,
      until_timestamp: end?.atMs ?? 0,
      reason,
      by,
    }
    const body = JSON.stringify({
      event_id: eventId,
      created_timestamp: createdMs,
      node_id: nodeId,
      event_type: eventType,
      data,
    })
    return { eventId, eventType, createdMs, body }
  }

/** A sign of life. It has no data and is never in the outbox. */
export const pingEvent = (nodeId: string, eventId: string, nowMs: number): OutboxEvent => ({
  eventId,
  eventType: PING,
  createdMs: nowMs,
  body: JSON.stringify({ event_id: eventId, created_timestamp: nowMs, node_id: nodeId, event_type: PING }),
})

/** The request that one of our events reports on. Takes the first member of that name, before any text of others. Undefined for a ping. */
export const requestIdOf = ({ body }: OutboxEvent): string | undefined => /"request_id":"([^"\\]+)"/.exec(body)?.[1]

function dataOf({
  task,
  intents = NO_INTENTS,
  status,
  failedReason,
  approvals,
  outcome,
}: TaskChange): Readonly<Record<string, unknown>> {
  return {
    data_type: task.type,
    request_id: task.task_id,
    request_type: task.type,
    request_status: status,
    request_detail: requestDetail(task),
    extra_info: JSON.stringify(task.extra_info),
    ...intentOf(intents),
    failed_reason: failedReason,
    ...(approvals === undefined ? {} : { approvals }),
    ...(outcome === undefined ? {} : { result: resultOf(task, outcome) }),
  }
}

/** What this node read; absent before it was read, and if there is nothing to read. */
function intentOf(intents: Intents): Readonly<Record<string, unknown>> {
  const hash = taskIntentHash(intents)
  return hash === undefined
    ? {}
    : {
        intent_hash: hash,
        intent: boundedLines(
          intents.flatMap(({ text }) => text),
          MOST_CHARACTERS,
          MOST_LINES,
        ),
      }
}

function resultOf(task: Task, outcome: TaskOutcome): Readonly<Record<string, unknown>> {
  switch (outcome.type) {
    case "group":
      return groupOf(task, outcome)
    case "signatures":
      return {
        signatures: outcome.signatures.map((signed) => ({
          bip32_path: signed.bip32_path,
          msg_hash: prefixed(signed.msg_hash),
          tweak: prefixed(signed.tweak),
          signature: prefixed(signed.signature),
          signature_recovery: prefixed(signed.signature_recovery),
        })),
        ...(task.type === "KeySign"
          ? { signature_type: task.signature_type, tss_protocol: PROTOCOL_NUMBERS[task.signature_type] }
          : {}),
      }
    case "shareSignatures":
      return {
        signatures: outcome.signatures.map((signed) => ({
          group_id: signed.group_id,
          signed_msg: signed.signed_msg,
          msg_hash: prefixed(signed.msg_hash),
          signature: prefixed(signed.signature),
        })),
      }
  }
}

/** TSSGroup. The group id is used for all three ids, except that the epoch's id names the protocol's own group. */
function groupOf(task: Task, group: Extract<TaskOutcome, { type: "group" }>): Readonly<Record<string, unknown>> {
  return {
    id: group.group_id,
    canonical_group_id: group.group_id,
    protocol_group_id: group.epoch_id,
    protocol_type: "",
    created_timestamp: task.created_ms,
    type: group.curve === "secp256k1" ? 1 : 2,
    root_extended_public_key: group.root_extended_public_key,
    chaincode: `0x${toHex(decodeExtendedPublicKey(group.root_extended_public_key).chainCode)}`,
    curve: group.curve,
    threshold: group.threshold,
    participants: group.participants.map((member) => ({
      node_id: member.node_id,
      share_id: member.share_id,
      share_public_key: prefixed(member.share_public_key),
    })),
  }
}

const prefixed = (hex: string): string => (hex === "" || hex.startsWith("0x") ? hex : `0x${hex}`)
