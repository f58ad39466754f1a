/**
 * What WaaS asks of a node: the task document. The document's bytes are signed by WaaS and hashed by the node as they
 * travelled, never re-encoded: the digest names exactly what was asked. Decoding is closed: what is not exactly a task of a
 * known version is refused whole. Whether this node takes part, holds the group, or may sign is not decided here.
 *
 * Version 2 is a KeySign with payloads (formats.md 11): what is signed, to be read by every signer. Version 3 is a KeySign that
 * names all who may sign, of whom each start names those who do (formats.md 12). Everything else is version 1.
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

/** In the order of their wire numbers (framesCodec.ts). */
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
  /** Context for rules and callback servers (formats.md 1.8); opaque here, and never the source of what is signed. */
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
  /** `0x` hex. 32-byte hash for ECDSA and Schnorr; the whole message for EdDSA. */
  readonly msg_hash: string
  /** `0x` hex of the Taproot merkle root, or empty. See keys/path for what each algorithm allows. */
  readonly tweak: string
  /** Version 2: which of the task's payloads this message belongs to; absent for a digest that nobody can read. */
  readonly payload?: number
  /** Bitcoin: which input of that payload. */
  readonly input?: number
}

/** What messages of a task belong to: the transaction or message itself. */
export interface TaskPayload {
  /** One of intent/reading.ts's formats; whether this node reads it is not decided here. */
  readonly format: string
  /** Base64. */
  readonly data: string
}

/** What a journal keeps of a payload when its task has ended. */
interface ForgottenPayload {
  readonly format: string
  /** Of the decoded bytes, hex. */
  readonly sha256: string
  readonly bytes: number
}

export interface KeySignTask extends TaskCommon {
  readonly type: "KeySign"
  readonly group_id: string
  /** xpub or cpub of the group; must equal the node's own record. */
  readonly root_pub_key: string
  /** The signers; in version 3 all who may sign, of whom the start of each attempt names the signers. */
  readonly used_node_ids: readonly string[]
  readonly signature_type: SignatureType
  readonly messages: readonly SignMessage[]
  /** Always in version 2, never in version 1. */
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

/** Of version 2; a document of version 1 has at most a quarter of it. */
export const MAX_TASK_BYTES = 4 * 1024 * 1024
const MAX_TASK_1_BYTES = 1024 * 1024
/** One for each message of the largest batch. */
const MAX_PAYLOADS = 32
const MAX_INPUT = 0xffff_ffff

const MAX_MS = 8.64e15
const threshold = integer(2, MAX_MEMBERS)

/** Keys under which servers are shown what this node itself read; a task that fills them would speak in its name. */
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

function checkedMessages(task: KeySignTask, at: string): KeySignTask {
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

/** The task in `document`, or what is wrong with it. Nothing is repaired, defaulted or ignored. */
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

// ---- what a journal keeps ------------------------------------------------------------------------------------------

/** Payloads of a task that has ended may stay if they have no more than this together: most have some hundred bytes. */
export const MAX_KEPT_BYTES = 2048

/** The document without the bytes of its payloads, of which their digests stay; small ones, and any other document, as they are. */
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

/** A task as the journal has it: as it was asked, or, once it has ended, without the bytes of its large payloads. */
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

export const payloadBytes = (data: string): Bytes => copy(Buffer.from(data, "base64"))

/** What names a task's content everywhere: SHA-256 of the document's bytes, hex. */
export const taskDigest = (document: Uint8Array): string => toHex(sha256(document))
