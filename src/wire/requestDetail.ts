/**
 * The details of a task as callback servers (a JSON text) and event servers (an object) get them (formats.md 1.7): all fields, with
 * index-aligned lists. They come only from the task that this node claimed, never from extra_info.
 */
import type { CurveName } from "../crypto/curve.ts"
import type { SignatureType, Task, TaskType } from "./task.ts"

/** TSSCallbackRequestType; 0 is a ping. */
export const REQUEST_TYPES: Readonly<Record<TaskType, number>> = {
  KeyGen: 1,
  KeySign: 2,
  KeyReshare: 3,
  KeyShareSign: 5,
}

/** TSSCurve. */
const CURVE_NUMBERS: Readonly<Record<CurveName, number>> = { secp256k1: 0, ed25519: 2 }

/**
 * TSSProtocol. The format has no numbers for DKLs and FROST; servers read the numbers as families: 1 (GG18) for ECDSA, 3 (EddsaTSS)
 * for Schnorr signatures.
 */
export const PROTOCOL_NUMBERS: Readonly<Record<SignatureType, number>> = { 1: 1, 2: 3, 3: 3 }

type RequestDetail = Readonly<Record<string, unknown>>

export function requestDetail(task: Task): RequestDetail {
  const ids = { task_id: task.task_id, biz_task_id: task.biz_task_id }
  switch (task.type) {
    case "KeyGen":
      return { threshold: task.threshold, node_ids: task.node_ids, curve: CURVE_NUMBERS[task.curve], ...ids }
    case "KeySign":
      return {
        group_id: task.group_id,
        root_pub_key: task.root_pub_key,
        used_node_ids: task.used_node_ids,
        bip32_path_list: task.messages.map((message) => message.bip32_path),
        msg_hash_list: task.messages.map((message) => message.msg_hash),
        tweak_list: task.messages.map((message) => message.tweak),
        signature_type: task.signature_type,
        tss_protocol: PROTOCOL_NUMBERS[task.signature_type],
        ...ids,
      }
    case "KeyReshare":
      return {
        old_group_id: task.old_group_id,
        root_pub_key: task.root_pub_key,
        curve: CURVE_NUMBERS[task.curve],
        used_node_ids: task.used_node_ids,
        old_threshold: task.old_threshold,
        new_threshold: task.new_threshold,
        new_node_ids: task.new_node_ids,
        ...ids,
      }
    case "KeyShareSign":
      return { node_id: task.node_id, details: task.details, ...ids }
  }
}
