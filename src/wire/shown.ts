/** What trace lines show of a frame: kind, size, ids and codes, never its content. */
import { toHex } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import { ABORT_ROUND, KIND, PROTOCOL, parseEnvelope } from "../mpc/envelope.ts"
import { stageName } from "../mpc/stages.ts"
import type { FromNode, ToNode } from "./frames.ts"
import { nodeIdOf } from "./nodeId.ts"

type ShownFrame = Readonly<Record<string, string | number>>

/** `bytes` is the frame's size on the wire. */
export function shownFrame(frame: ToNode | FromNode, bytes: number): ShownFrame {
  const common = { kind: frame.kind, bytes }
  switch (frame.kind) {
    case "report":
      return { ...common, task: frame.taskId, status: frame.status, attempt: frame.attempt, code: frame.code }
    case "groups":
      return { ...common, records: frame.records.length }
    case "later":
      return { ...common, task: frame.taskId, code: frame.code }
    case "readiness":
      return { ...common, code: frame.code, open: frame.open, blocked: frame.blocked.length }
    case "envelope":
      return { ...common, task: frame.taskId, ...shownEnvelope(frame.envelope) }
    case "awaits":
      return { ...common, task: frame.taskId, words: frame.awaited.length }
    case "approval":
    case "certificate":
    case "outcomeStored":
      return { ...common, task: frame.taskId }
    case "succession":
      return { ...common, group: frame.outcome.group_id, attempt: frame.attempt }
    case "checkups":
      return { ...common, group: frame.groupId, members: frame.checkups.length }
    case "standing":
      return { ...common, incarnation: frame.token.token.incarnation, mark: frame.token.token.mark, code: frame.code }
    case "peer":
      return { ...common, peer: "sender" in frame ? frame.sender : frame.receiver }
    case "task":
    case "start":
    case "cancel":
    case "tellGroups":
    case "order":
      return common
  }
}

function shownEnvelope(bytes: Uint8Array<ArrayBuffer>): ShownFrame {
  const header = parseEnvelope(bytes)?.header
  if (header === undefined) return { envelope: "malformed" }
  const { protocol, round, kind, sid, sender, receiver } = header
  return {
    protocol: nameIn(PROTOCOL, protocol),
    round,
    stage: round === ABORT_ROUND ? "abort" : (stageName(protocol, round) ?? "unknown"),
    envelope: nameIn(KIND, kind),
    session: toHex(sid),
    from: nodeIdOf(sender),
    to: receiverName(receiver),
  }
}

const receiverName = (receiver: PartyId | undefined): string => (receiver === undefined ? "all" : nodeIdOf(receiver))

const nameIn = (names: Readonly<Record<string, number>>, code: number): string =>
  Object.entries(names).find(([, count]) => count === code)?.[0] ?? String(code)
