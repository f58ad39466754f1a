/**
 * Commit certificates (threshold.md 3.5): the signed acks of all participants on one (sid, view, epoch id). A certificate proves
 * itself, whoever passes it on. Without one an epoch stays PREPARED and never signs.
 */
import { type Bytes, equal } from "../../bytes.ts"
import type { GroupPublic } from "../../keys/group.ts"
import type { PartyId } from "../../keys/party.ts"
import { isAuthentic, KIND, PROTOCOL, parseEnvelope } from "../envelope.ts"
import { ackRoundOf } from "./rounds.ts"

/** What every ack of a certificate must state, and whose acks there must be. */
export interface Acknowledged {
  readonly protocol: typeof PROTOCOL.dkg | typeof PROTOCOL.reshare
  readonly sid: Bytes
  readonly ackRound: number
  /** The view of the ack round. */
  readonly ackView: Bytes
  readonly epochId: Bytes
  readonly participants: readonly PartyId[]
}

/** Whether these are the acks of exactly the participants: one of each, authentic, all on the same epoch. */
export function certifies(acknowledged: Acknowledged, acks: readonly Bytes[]): boolean {
  const signers = new Set(acks.map((bytes) => ackBy(acknowledged, bytes)))
  return (
    acks.length === acknowledged.participants.length && acknowledged.participants.every((party) => signers.has(party))
  )
}

/**
 * The same for the epoch of a record that this node made or acknowledged itself. The members alone cannot certify a
 * reshare. Its dealers must acknowledge it too; otherwise any nodes could declare somebody else's epoch over (threshold.md 6.2).
 */
export function verifyCertificate(group: GroupPublic, acks: readonly Bytes[]): boolean {
  return (group.mode === "keygen" || group.parent !== undefined) && certifies(acknowledged(group), acks)
}

const acknowledged = (group: GroupPublic): Acknowledged => ({
  protocol: group.mode === "keygen" ? PROTOCOL.dkg : PROTOCOL.reshare,
  sid: group.sid,
  ackRound: ackRoundOf(group.suite),
  ackView: group.ackView,
  epochId: group.epochId,
  participants: [...new Set([...group.members.map(({ party }) => party), ...(group.parent?.dealers ?? [])])],
})

/** The party whose ack of exactly this epoch these bytes are; undefined if they are not one. */
function ackBy(acknowledged: Acknowledged, bytes: Bytes): PartyId | undefined {
  const envelope = parseEnvelope(bytes)
  if (envelope === undefined) return undefined
  const { protocol, round, kind, sid, view, sender } = envelope.header
  const fits =
    protocol === acknowledged.protocol &&
    round === acknowledged.ackRound &&
    kind === KIND.broadcast &&
    equal(sid, acknowledged.sid) &&
    equal(view, acknowledged.ackView) &&
    equal(envelope.body, acknowledged.epochId)
  return fits && isAuthentic(envelope) ? sender : undefined
}
