/**
 * The task document: what WaaS asks of a node. WaaS signs its bytes, and the node hashes them as received, never re-encoded, so the
 * digest names exactly what was asked. Decoding is closed: anything that is not a task of a known version is refused as a whole.
 * Whether this node takes part, holds the group, or may sign is not decided here.
 *
 * Version 2 is a KeySign with payloads, the transactions or messages that every signer reads (formats.md 11). Version 3 is a KeySign
 * that names all nodes that may sign; each start names those that do (formats.md 12). Everything else is version 1.
 */
import { type Bytes, copy, toHex, utf8 } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { MAX_PAYLOAD_BYTES } from "../intent/reading.ts"
import { MAX_MEMBERS } from "../keys/group.ts"
import {
  base64,
  curve,
  digest,
  extendedKey,
  groupId,
  MAX_CHECKUP_TEXT,
  MAX_MESSAGE,
  MAX_MESSAGES,
  nodeId,
  nodeIds,
  path,
  prefixedHex,
  taskId,
} from "./fields.ts"
import {
  anObject,
  attempt,
  closed,
  type FormProblem,
  integer,
  list,
  malformed,
  oneOf,
  parseJson,
  type Read,
  text,
  textUpTo,
} from "./json.ts"
import { MAX_OUTCOME_BYTES } from "./outcome.ts"

/** The index of a type is its number on the wire (framesCodec.ts), so the order must not change. */
export const TASK_TYPES = ["KeyGen", "KeySign", "KeyReshare", "KeyShareSign"] as const
export type TaskType = (typeof TASK_TYPES)[number]

export type TaskVersion = 1 | 2 | 3

/** 1 ECDSA, 2 EdDSA, 3 BIP-340 Schnorr: the numbers of the callback formats. */
export type SignatureType = 1 | 2 | 3

interface TaskCommon {
  readonly version: TaskVersion
  readonly task_id: string
  /** The id of the request at WaaS that this task belongs to. */
  readonly biz_task_id: string
  readonly created_ms: number
  /** After this moment (ms since 1970) no node begins or continues the task. */
  readonly deadline_ms: number
  /** Context for rules and callback servers (formats.md 1.8); not interpreted here, and never the source of what is signed. */
  readonly extra_info: Readonly<Record<string, unknown>>
}

export interface KeyGenTask extends TaskCommon {
  readonly type: "KeyGen"
  readonly group_id: string
  readonly curve: CurveName
  readonly threshold: number
  /** All members of the new group. */
  readonly node_ids: readonly string[]
}

export interface SignMessage {
  /** `m/44/60/0/0/5`, non-hardened. */
  readonly bip32_path: string
  /** `0x` hex: a 32-byte hash for ECDSA and Schnorr, the whole message for EdDSA. */
  readonly msg_hash: string
  /** `0x` hex of the Taproot merkle root (32 bytes, or none: `0x`); empty for no tweak, and always empty except for Schnorr. */
  readonly tweak: string
  /** From version 2 on: the index of the payload that this message belongs to; absent for a hash without a payload. */
  readonly payload?: number
  /** Bitcoin: the index of the input of that payload. */
  readonly input?: number
}

/** The transaction or message itself that messages of a task belong to. */
export interface TaskPayload {
  /** One of the formats of intent/reading.ts; whether this node can read it is not decided here. */
  readonly format: string
  /** Base64. */
  readonly data: string
}

/** What the journal keeps of a large payload once its task has ended. */
interface ForgottenPayload {
  readonly format: string
  /** SHA-256 of the decoded bytes, hex. */
  readonly sha256: string
  readonly bytes: number
}

export interface KeySignTask extends TaskCommon {
  readonly type: "KeySign"
  readonly group_id: string
  /** xpub or cpub of the group; must equal the node's own record. */
  readonly root_pub_key: string
  /** The signers; in version 3 all nodes that may sign, of which the start of each attempt names the signers. */
  readonly used_node_ids: readonly string[]
  readonly signature_type: SignatureType
  readonly messages: readonly SignMessage[]
  /** Required in version 2, optional in version 3, absent in version 1. */
  readonly payloads?: readonly TaskPayload[]
}

export interface KeyReshareTask extends TaskCommon {
  readonly type: "KeyReshare"
  readonly mode: "extend" | "replace"
  readonly old_group_id: string
  readonly new_group_id: string
  readonly root_pub_key: string
  readonly curve: CurveName
  readonly old_threshold: number
  /** The dealers. */
  readonly used_node_ids: readonly string[]
  readonly new_threshold: number
  readonly new_node_ids: readonly string[]
}

export interface KeyShareSignTask extends TaskCommon {
  readonly type: "KeyShareSign"
  readonly node_id: string
  readonly details: readonly { readonly group_id: string; readonly message: string }[]
}

export type Task = KeyGenTask | KeySignTask | KeyReshareTask | KeyShareSignTask

/** The largest task document of versions 2 and 3. */
export const MAX_TASK_BYTES = 4 * 1024 * 1024
/** The largest task document of version 1. */
const MAX_TASK_1_BYTES = 1024 * 1024
const MAX_PAYLOADS = 32
const MAX_INPUT = 0xffff_ffff

/** The largest time that a JavaScript Date can hold. */
const MAX_MS = 8.64e15
const threshold = integer(2, MAX_MEMBERS)

/** Keys under which a node shows callback servers what it read itself. A task that sets them would speak in the node's name. */
const RESERVED = ["intent", "intent_hash", "approvals"]

function extraInfo(value: unknown, at: string): Readonly<Record<string, unknown>> {
  const info = anObject(value, at)
  for (const key of RESERVED) if (Object.hasOwn(info, key)) malformed(at, `${key} is the node's to fill in`)
  return info
}

const common = {
  version: oneOf(1),
  task_id: taskId,
  biz_task_id: taskId,
  created_ms: integer(0, MAX_MS),
  deadline_ms: integer(0, MAX_MS),
  extra_info: extraInfo,
} as const

const decodedLength = (data: string): number => (data.length / 4) * 3 - (/=*$/.exec(data)?.[0].length ?? 0)

const emptyOr =
  (read: Read<string>): Read<string> =>
  (value, at) =>
    value === "" ? "" : read(value, at)

const merkleRoot: Read<string> = (value, at) => (value === "0x" ? "0x" : prefixedHex(32, 32)(value, at))

const format = text(/^[a-z]{1,16}\/[a-z-]{1,32}$/, "a format")

const payload: Read<TaskPayload> = closed({ format, data: base64(MAX_PAYLOAD_BYTES) })

const forgotten: Read<ForgottenPayload> = closed({ format, sha256: digest, bytes: integer(1, MAX_PAYLOAD_BYTES) })

const message = closed({ bip32_path: path, msg_hash: prefixedHex(1, MAX_MESSAGE), tweak: emptyOr(merkleRoot) })

const messageWithPayload = closed(
  { bip32_path: path, msg_hash: prefixedHex(1, MAX_MESSAGE), tweak: emptyOr(merkleRoot) },
  { payload: integer(0, MAX_PAYLOADS - 1), input: integer(0, MAX_INPUT) },
)

const keyGen: Read<KeyGenTask> = (value, at) => {
  const task = closed({ ...common, type: oneOf("KeyGen"), group_id: groupId, curve, threshold, node_ids: nodeIds(2) })(
    value,
    at,
  )
  if (task.threshold > task.node_ids.length) malformed(`${at}.threshold`, "more than there are nodes")
  return task
}

const keySignCommon = {
  ...common,
  type: oneOf("KeySign"),
  group_id: groupId,
  root_pub_key: extendedKey,
  used_node_ids: nodeIds(2),
  signature_type: oneOf(1, 2, 3),
} as const

const keySign1: Read<KeySignTask> = (value, at) =>
  checkedMessages(closed({ ...keySignCommon, messages: list(message, 1, MAX_MESSAGES) })(value, at), at)

const withPayloads = {
  ...keySignCommon,
  messages: list(messageWithPayload, 1, MAX_MESSAGES),
} as const

const payloads = list(payload, 1, MAX_PAYLOADS)

const keySign2: Read<KeySignTask> = (value, at) =>
  checkedPayloads(closed({ ...withPayloads, version: oneOf(2), payloads })(value, at), at)

const keySign3: Read<KeySignTask> = (value, at) =>
  checkedPayloads(closed({ ...withPayloads, version: oneOf(3) }, { payloads })(value, at), at)

const keySign: Read<KeySignTask> = (value, at) => {
  const { version } = anObject(value, at)
  return version === 3 ? keySign3(value, at) : version === 2 ? keySign2(value, at) : keySign1(value, at)
}

function checkedPayloads(task: KeySignTask, at: string): KeySignTask {
  const { payloads: given = [] } = task
  if (given.reduce((sum, { data }) => sum + decodedLength(data), 0) > MAX_PAYLOAD_BYTES) {
    malformed(`${at}.payloads`, `more than ${MAX_PAYLOAD_BYTES} bytes together`)
  }
  for (const [i, { payload: index, input }] of task.messages.entries()) {
    const where = `${at}.messages[${i}]`
    if (index === undefined && input !== undefined) malformed(where, "an input without a payload")
    if (index !== undefined && index >= given.length) malformed(where, "no such payload")
  }
  return checkedMessages(task, at)
}

/** The most characters that an outcome adds to each message: field names, public key, signature, recovery id. */
const SIGNED_BYTES = 320

/** Refuses messages whose outcome would be too large to report; such a task would be signed and could never end. */
function checkedMessages(task: KeySignTask, at: string): KeySignTask {
  const sizes = task.messages.map(
    ({ bip32_path, msg_hash, tweak }) => bip32_path.length + msg_hash.length + tweak.length,
  )
  if (sizes.reduce((sum, size) => sum + size + SIGNED_BYTES, SIGNED_BYTES) > MAX_OUTCOME_BYTES) {
    malformed(`${at}.messages`, "more than the report of their signatures can hold")
  }
  for (const [i, message] of task.messages.entries()) {
    const where = `${at}.messages[${i}]`
    if (task.signature_type !== 2 && message.msg_hash.length !== 66) malformed(where, "msg_hash is not 32 bytes")
    if (task.signature_type !== 3 && message.tweak !== "") malformed(where, "only Schnorr signatures have a tweak")
  }
  return task
}

const keyReshare: Read<KeyReshareTask> = (value, at) => {
  const task = closed({
    ...common,
    type: oneOf("KeyReshare"),
    mode: oneOf("extend", "replace"),
    old_group_id: groupId,
    new_group_id: groupId,
    root_pub_key: extendedKey,
    curve,
    old_threshold: threshold,
    used_node_ids: nodeIds(2),
    new_threshold: threshold,
    new_node_ids: nodeIds(2),
  })(value, at)
  if (task.used_node_ids.length < task.old_threshold) malformed(`${at}.used_node_ids`, "fewer than old_threshold")
  if (task.new_threshold > task.new_node_ids.length) malformed(`${at}.new_threshold`, "more than there are nodes")
  if ((task.mode === "replace") !== (task.old_group_id === task.new_group_id)) {
    malformed(`${at}.new_group_id`, "replace keeps the group id, extend makes another")
  }
  return task
}

const keyShareSign: Read<KeyShareSignTask> = closed({
  ...common,
  type: oneOf("KeyShareSign"),
  node_id: nodeId,
  details: list(closed({ group_id: groupId, message: textUpTo(MAX_CHECKUP_TEXT) }), 1, MAX_MESSAGES),
})

const readers: { readonly [T in TaskType]: Read<Task> } = {
  KeyGen: keyGen,
  KeySign: keySign,
  KeyReshare: keyReshare,
  KeyShareSign: keyShareSign,
}
const taskType = oneOf(...TASK_TYPES)

/** The task in `document`, or what is wrong with it. Repairs, defaults and ignores nothing. */
export function decodeTask(document: Uint8Array): Task | FormProblem {
  return attempt(() => {
    const value = anObject(parseJson(document, MAX_TASK_BYTES), "$")
    const task = readers[taskType(value["type"], "$.type")](value, "$")
    if (task.version === 1 && document.length > MAX_TASK_1_BYTES)
      malformed("$", `longer than ${MAX_TASK_1_BYTES} bytes`)
    if (task.deadline_ms <= task.created_ms) malformed("$.deadline_ms", "not after created_ms")
    return task
  })
}

/** The document of `task`. Throws E-LNK-020 for a task that nodes would refuse to read. */
export function encodeTask(task: Task): Bytes {
  const document = utf8(JSON.stringify(task))
  const read = decodeTask(document)
  if ("problem" in read) throw new CosignerError("E-LNK-020", { what: "task document", problem: read.problem })
  return document
}

// ---- what the journal keeps ----------------------------------------------------------------------------------------

/** The journal keeps payloads of an ended task whole if they have at most so many bytes together; most have a few hundred. */
export const MAX_KEPT_BYTES = 2048

/**
 * The document with its payloads replaced by their digests, if they have more than MAX_KEPT_BYTES together. Any other document is
 * returned unchanged.
 */
export function withoutPayloads(document: Bytes): Bytes {
  const task = decodeTask(document)
  if ("problem" in task || task.type !== "KeySign" || task.payloads === undefined) return document
  if (task.payloads.reduce((sum, { data }) => sum + decodedLength(data), 0) <= MAX_KEPT_BYTES) return document
  const payloads = task.payloads.map(({ format, data }): ForgottenPayload => {
    const bytes = payloadBytes(data)
    return { format, sha256: toHex(sha256(bytes)), bytes: bytes.length }
  })
  return utf8(JSON.stringify({ ...task, payloads }))
}

/** Decodes a document of the journal: a task document as WaaS sent it, or what withoutPayloads made of it. */
export function decodeRecordedTask(document: Uint8Array): Task | FormProblem {
  const whole = decodeTask(document)
  if (!("problem" in whole)) return whole
  return attempt(() => {
    const { payloads, version, ...rest } = anObject(parseJson(document, MAX_TASK_BYTES), "$")
    if (version !== 2 && version !== 3) malformed("$", whole.problem)
    list(forgotten, 1, MAX_PAYLOADS)(payloads, "$.payloads")
    const messages = list(messageWithPayload, 1, MAX_MESSAGES)(rest["messages"], "$.messages")
    const task = keySign1({ ...rest, version: 1, messages: messages.map(withoutPlace) }, "$")
    return { ...task, version, messages }
  })
}

const withoutPlace = ({ bip32_path, msg_hash, tweak }: SignMessage): SignMessage => ({ bip32_path, msg_hash, tweak })

/** The bytes of a payload whose base64 was checked by decodeTask. */
export const payloadBytes = (data: string): Bytes => copy(Buffer.from(data, "base64"))

/** SHA-256 of the document's bytes, hex: the name of a task's content in every frame and record. */
export const taskDigest = (document: Uint8Array): string => toHex(sha256(document))
