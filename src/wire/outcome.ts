/** The result of a finished task as JSON on the wire: closed reading and writing of TaskOutcome. */
import { type Bytes, utf8 } from "../bytes.ts"
import { MAX_MEMBERS } from "../keys/group.ts"
import {
  curve,
  digest,
  extendedKey,
  groupId,
  hex,
  MAX_CHECKUP_TEXT,
  MAX_MESSAGE,
  MAX_MESSAGES,
  nodeId,
  path,
} from "./fields.ts"
import type { TaskOutcome } from "./frames.ts"
import { anObject, closed, integer, list, malformed, oneOf, parseJson, type Read, text, textUpTo } from "./json.ts"

/** An outcome repeats the messages of its task. task.ts refuses a task whose outcome would be larger. */
export const MAX_OUTCOME_BYTES = 1536 * 1024

const publicKey = hex(32, 33)
/** Hex of up to `max` bytes, with or without `0x`. */
const optionalPrefix = (max: number): Read<string> => {
  const digits = hex(0, max)
  return (value, at) => {
    const bare = typeof value === "string" && value.startsWith("0x")
    return bare ? `0x${digits(value.slice(2), at)}` : digits(value, at)
  }
}

const group = closed({
  type: oneOf("group"),
  group_id: groupId,
  epoch_id: digest,
  curve,
  root_extended_public_key: extendedKey,
  threshold: integer(2, MAX_MEMBERS),
  participants: list(
    closed({
      node_id: nodeId,
      share_id: text(/^[1-9][0-9]{0,77}$/, "a share id"),
      share_public_key: publicKey,
    }),
    2,
    MAX_MEMBERS,
  ),
  // The dealers of a reshare acknowledge too, and may all be other nodes than the members.
  certificate: list(hex(1, 4096), 1, 2 * MAX_MEMBERS),
})

const signatures = closed({
  type: oneOf("signatures"),
  signatures: list(
    closed({
      bip32_path: path,
      msg_hash: optionalPrefix(MAX_MESSAGE),
      tweak: optionalPrefix(32),
      public_key: publicKey,
      signature: hex(64, 64),
      signature_recovery: oneOf("", "00", "01", "02", "03"),
    }),
    1,
    MAX_MESSAGES,
  ),
})

const shareSignatures = closed({
  type: oneOf("shareSignatures"),
  signatures: list(
    closed({
      group_id: groupId,
      signed_msg: textUpTo(MAX_CHECKUP_TEXT),
      msg_hash: optionalPrefix(MAX_MESSAGE),
      signature: optionalPrefix(80),
    }),
    1,
    MAX_MESSAGES,
  ),
})

/** Throws Malformed. */
export function readOutcome(bytes: Uint8Array): TaskOutcome {
  const value = parseJson(bytes, MAX_OUTCOME_BYTES)
  switch (anObject(value, "$")["type"]) {
    case "group":
      return group(value, "$")
    case "signatures":
      return signatures(value, "$")
    case "shareSignatures":
      return shareSignatures(value, "$")
    default:
      return malformed("$.type", "not a kind of outcome")
  }
}

export const writeOutcome = (outcome: TaskOutcome): Bytes => utf8(JSON.stringify(outcome))
