/**
 * The bytes of frames (formats.md 13.2): form, kind, fields with lengths. Encoding and decoding are closed. The caller drops and
 * counts a frame that does not decode; no part of it is used.
 */

import { MAX_SIGNED_BYTES } from "../approvals/approver.ts"
import { MAX_SIGNED_ORDER } from "../approvals/orderLimits.ts"
import { MAX_PEER_MESSAGE } from "../audit/peerMessage.ts"
import { type Bytes, concat, fromHex, toHex, u8, u32be } from "../bytes.ts"
import { ByteReader, block, flag, textBlock } from "../codec.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { CosignerError } from "../errors.ts"
import { MAX_MESSAGE as MAX_CHECKUP_MESSAGE } from "../keys/checkupSign.ts"
import { MAX_MEMBERS } from "../keys/group.ts"
import { type PartyId, parseParty, partyBytes, partyOf } from "../keys/party.ts"
import { groupId } from "./fields.ts"
import type {
  FromNode,
  GroupOutcome,
  Later,
  MemberCheckup,
  Report,
  ReportStatus,
  SignedDocument,
  ToNode,
} from "./frames.ts"
import { attempt, type FormProblem, malformed } from "./json.ts"
import { parseNodeId } from "./nodeId.ts"
import { awaits, awaitsFields, MAX_CODE, MAX_REASON, readiness, readinessFields, taskId } from "./nodeStateCodec.ts"
import { MAX_OUTCOME_BYTES, readOutcome, writeOutcome } from "./outcome.ts"
import { MAX_TASK_BYTES, TASK_TYPES } from "./task.ts"
import { encodeSignedToken, readSignedToken } from "./waasToken.ts"

const FRAME_VERSION = 1
/** The largest frame of WaaS: a task document of version 2 or 3, its signature, and 64 KiB for the rest. */
export const MAX_FRAME_BYTES = MAX_TASK_BYTES + 64 * 1024
/** Well above the largest message of any protocol. */
const MAX_ENVELOPE_BYTES = 2 * 1024 * 1024
/** The largest frame of a node: an envelope; a report with its outcome is smaller. */
export const MAX_FROM_NODE_BYTES = MAX_ENVELOPE_BYTES + 64 * 1024

const MAX_SMALL_DOCUMENT = 4096
/** The acks of 32 members and of up to 32 dealers that leave the group. */
const MAX_ACKS = 64
const MAX_ACK = 4096

// No number is used in both directions, so a frame that is reflected to its sender is refused.
const TO_NODE = {
  task: 1,
  start: 2,
  cancel: 3,
  envelope: 4,
  outcomeStored: 5,
  certificate: 6,
  succession: 7,
  checkups: 8,
  tellGroups: 9,
  peer: 14,
  standing: 18,
  approval: 10,
  order: 11,
} as const
const FROM_NODE = {
  report: 0x81,
  envelope: 0x82,
  later: 0x83,
  readiness: 0x84,
  groups: 0x85,
  awaits: 0x86,
  peer: 0x8a,
} as const

/** The most records in one frame of groups. */
export const MAX_RECORDS = 16
/** The longest record, bytes: enough for 32 members, and the acks of as many dealers besides. */
const MAX_RECORD = 64 * 1024

const STATUSES: readonly ReportStatus[] = [130, 140, 160, 170, 180, 190]

/** Throws E-LNK-020 for a frame that the node would refuse to read. A long reason is cut. */
export function encodeToNode(frame: ToNode): Bytes {
  const head = u8(TO_NODE[frame.kind])
  switch (frame.kind) {
    case "task":
      return checked(decodeToNode, head, signedBlock(frame.task))
    case "start":
      return checked(decodeToNode, head, signedBlock(frame.start))
    case "cancel":
      return checked(decodeToNode, head, signedBlock(frame.cancel))
    case "envelope":
      return checked(decodeToNode, head, textBlock(frame.taskId), block(frame.envelope))
    case "outcomeStored":
      return checked(decodeToNode, head, textBlock(frame.taskId))
    case "certificate":
      return checked(decodeToNode, head, textBlock(frame.taskId), u8(frame.acks.length), ...frame.acks.map(block))
    case "succession": {
      const outcome = block(writeOutcome(frame.outcome))
      return checked(decodeToNode, head, signedBlock(frame.task), u32be(frame.attempt), outcome)
    }
    case "tellGroups":
      return checked(decodeToNode, head)
    case "peer":
      return checked(decodeToNode, head, textBlock(frame.sender), block(frame.message))
    case "standing": {
      const reason = textBlock(frame.reason.slice(0, MAX_REASON / 4))
      return checked(decodeToNode, head, encodeSignedToken(frame.token), textBlock(frame.code), reason)
    }
    case "order":
      return checked(decodeToNode, head, textBlock(frame.order))
    case "approval":
      return checked(decodeToNode, head, textBlock(frame.taskId), block(frame.signed))
    case "checkups": {
      const made = frame.checkups.map((memberCheckup) =>
        concat(partyBytes(memberCheckup.party), block(memberCheckup.message), memberCheckup.signature),
      )
      return checked(decodeToNode, head, textBlock(frame.groupId), frame.epochId, u8(made.length), ...made)
    }
  }
}

/** Throws E-LNK-020 for a frame that WaaS would refuse to read. A long reason is cut. */
export function encodeFromNode(frame: FromNode): Bytes {
  const head = u8(FROM_NODE[frame.kind])
  if (frame.kind === "report") return checked(decodeFromNode, head, reportFields(frame))
  if (frame.kind === "later") return checked(decodeFromNode, head, laterFields(frame))
  if (frame.kind === "groups") {
    const { records, isLast } = frame
    return checked(decodeFromNode, head, flag(isLast), u8(records.length), ...records.map(block))
  }
  if (frame.kind === "awaits") return checked(decodeFromNode, head, awaitsFields(frame))
  if (frame.kind === "peer") return checked(decodeFromNode, head, textBlock(frame.receiver), block(frame.message))
  if (frame.kind === "readiness") return checked(decodeFromNode, head, readinessFields(frame))
  return checked(decodeFromNode, head, textBlock(frame.taskId), textBlock(frame.receiver ?? ""), block(frame.envelope))
}

export function decodeToNode(bytes: Uint8Array): ToNode | FormProblem {
  return decode(bytes, MAX_FRAME_BYTES, (kind, from): ToNode => {
    switch (kind) {
      case TO_NODE.task:
        return { kind: "task", task: signed(from, MAX_TASK_BYTES) }
      case TO_NODE.start:
        return { kind: "start", start: signed(from, MAX_SMALL_DOCUMENT) }
      case TO_NODE.cancel:
        return { kind: "cancel", cancel: signed(from, MAX_SMALL_DOCUMENT) }
      case TO_NODE.envelope:
        return { kind: "envelope", taskId: taskId(from), envelope: from.block(1, MAX_ENVELOPE_BYTES) }
      case TO_NODE.outcomeStored:
        return { kind: "outcomeStored", taskId: taskId(from) }
      case TO_NODE.certificate:
        return { kind: "certificate", taskId: taskId(from), acks: acks(from) }
      case TO_NODE.succession:
        return {
          kind: "succession",
          task: signed(from, MAX_TASK_BYTES),
          attempt: from.u32(),
          outcome: groupOutcome(from.block(1, MAX_OUTCOME_BYTES)),
        }
      case TO_NODE.checkups:
        return {
          kind: "checkups",
          groupId: groupId(from.text(2, 64), "groupId"),
          epochId: from.take(32),
          checkups: checkups(from),
        }
      case TO_NODE.order:
        return { kind: "order", order: from.text(2, MAX_SIGNED_ORDER) }
      case TO_NODE.tellGroups:
        return { kind: "tellGroups" }
      case TO_NODE.peer:
        return { kind: "peer", sender: nodeIdIn(from), message: from.block(1, MAX_PEER_MESSAGE) }
      case TO_NODE.standing:
        return {
          kind: "standing",
          token: readSignedToken(from),
          code: from.text(2, MAX_CODE),
          reason: from.text(2, MAX_REASON),
        }
      case TO_NODE.approval:
        return { kind: "approval", taskId: taskId(from), signed: from.block(1, MAX_SIGNED_BYTES) }
      default:
        return malformed("kind", "not known")
    }
  })
}

export function decodeFromNode(bytes: Uint8Array): FromNode | FormProblem {
  return decode(bytes, MAX_FROM_NODE_BYTES, (kind, from): FromNode => {
    switch (kind) {
      case FROM_NODE.report:
        return report(from)
      case FROM_NODE.later:
        return later(from)
      case FROM_NODE.readiness:
        return readiness(from)
      case FROM_NODE.awaits:
        return awaits(from)
      case FROM_NODE.groups:
        return { kind: "groups", isLast: from.flag(), records: records(from) }
      case FROM_NODE.peer:
        return { kind: "peer", receiver: nodeIdIn(from), message: from.block(1, MAX_PEER_MESSAGE) }
      case FROM_NODE.envelope:
        return {
          kind: "envelope",
          taskId: taskId(from),
          receiver: receiver(from),
          envelope: from.block(1, MAX_ENVELOPE_BYTES),
        }
      default:
        return malformed("kind", "not known")
    }
  })
}

function decode<F>(bytes: Uint8Array, most: number, fields: (kind: number, from: ByteReader) => F): F | FormProblem {
  return attempt(() => {
    if (bytes.length > most) malformed("frame", "too large")
    const from = new ByteReader(bytes)
    if (from.u8() !== FRAME_VERSION) malformed("version", "not known")
    const frame = fields(from.u8(), from)
    from.end()
    return frame
  })
}

/** The frame's bytes, after decoding them as the receiver will: a frame that it would refuse fails here, where the error has a name. */
function checked(read: (bytes: Bytes) => object, ...parts: readonly Uint8Array[]): Bytes {
  const bytes = concat(u8(FRAME_VERSION), ...parts)
  const back = read(bytes)
  if ("problem" in back) throw new CosignerError("E-LNK-020", { what: "frame", problem: String(back.problem) })
  return bytes
}

const signedBlock = (signedDocument: SignedDocument): Bytes =>
  concat(signedDocument.signature, block(signedDocument.document))

function signed(from: ByteReader, max: number): SignedDocument {
  const signature = from.take(64)
  return { signature, document: from.block(1, max) }
}

/** A node id or the hex of a node's key; undefined (empty text) for all participants. */
function receiver(from: ByteReader): string | undefined {
  const text = from.text(2, 64)
  if (text === "") return undefined
  return (parseNodeId(text) ?? parseParty(text)) ? text : malformed("receiver", "not a node")
}

function nodeIdIn(from: ByteReader): string {
  const text = from.text(2, 64)
  return parseNodeId(text) === undefined ? malformed("node", "not a node id") : text
}

function acks(from: ByteReader): readonly Bytes[] {
  const count = from.u8()
  if (count === 0 || count > MAX_ACKS) malformed("acks", `not 1 to ${MAX_ACKS}`)
  return Array.from({ length: count }, () => from.block(1, MAX_ACK))
}

/** The check-ups ascend by party, so no party occurs twice. */
function checkups(from: ByteReader): readonly MemberCheckup[] {
  const count = from.u8()
  if (count === 0 || count > MAX_MEMBERS) malformed("checkups", `not 1 to ${MAX_MEMBERS}`)
  const read = Array.from({ length: count }, () => ({
    party: party(from),
    message: from.block(1, MAX_CHECKUP_MESSAGE),
    signature: from.take(64),
  }))
  const ascends = read.every((ack, i) => i === 0 || (read[i - 1]?.party ?? "") < ack.party)
  return ascends ? read : malformed("checkups", "not ascending by party")
}

function party(from: ByteReader): PartyId {
  const key = from.take(32)
  return (isStrictKey(key) ? partyOf(key) : undefined) ?? malformed("party", "not a key")
}

function groupOutcome(bytes: Bytes): GroupOutcome {
  const outcome = readOutcome(bytes)
  return outcome.type === "group" ? outcome : malformed("outcome", "not a group")
}

function reportFields(report: Report): Bytes {
  return concat(
    textBlock(report.taskId),
    fromHex(report.digest) ?? new Uint8Array(0),
    u8(TASK_TYPES.indexOf(report.type)),
    u8(report.status),
    u32be(report.attempt),
    flag(report.approved),
    textBlock(report.code),
    textBlock(report.reason.slice(0, MAX_REASON / 4)),
    flag(report.outcome !== undefined),
    report.outcome === undefined ? new Uint8Array(0) : block(writeOutcome(report.outcome)),
  )
}

function report(from: ByteReader): Report {
  const read: Report = {
    kind: "report",
    taskId: taskId(from),
    digest: toHex(from.take(32)),
    type: TASK_TYPES[from.u8()] ?? malformed("type", "not known"),
    status: statusOf(from.u8()),
    attempt: from.u32(),
    approved: from.flag(),
    code: from.text(2, MAX_CODE),
    reason: from.text(2, MAX_REASON),
    outcome: from.flag() ? readOutcome(from.block(1, MAX_OUTCOME_BYTES)) : undefined,
  }
  // Readers look at either one, so an outcome without status 190, or 190 without an outcome, would be read in two ways.
  if ((read.outcome !== undefined) !== (read.status === 190)) malformed("outcome", "does not go with the status")
  return read
}

function laterFields({ taskId: id, digest, type, code, reason }: Later): Bytes {
  return concat(
    textBlock(id),
    fromHex(digest) ?? new Uint8Array(0),
    u8(TASK_TYPES.indexOf(type)),
    textBlock(code),
    textBlock(reason.slice(0, MAX_REASON / 4)),
  )
}

function later(from: ByteReader): Later {
  return {
    kind: "later",
    taskId: taskId(from),
    digest: toHex(from.take(32)),
    type: TASK_TYPES[from.u8()] ?? malformed("type", "not known"),
    code: from.text(2, MAX_CODE),
    reason: from.text(2, MAX_REASON),
  }
}

function records(from: ByteReader): readonly Bytes[] {
  const count = from.u8()
  if (count > MAX_RECORDS) malformed("records", `more than ${MAX_RECORDS}`)
  return Array.from({ length: count }, () => from.block(1, MAX_RECORD))
}

const statusOf = (value: number): ReportStatus =>
  STATUSES.find((status) => status === value) ?? malformed("status", "not known")
