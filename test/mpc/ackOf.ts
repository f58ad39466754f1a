/** Acks outside of a session: those of honest members, and those that an adversary would make. */
import type { Bytes } from "../../src/bytes.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import { ackRoundOf } from "../../src/mpc/dkg/rounds.ts"
import { encodeHeader, type Identity, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"

/** The ack of the epoch by this party: the same bytes as in its session. */
export function ackOf(identity: Identity, group: GroupPublic): Bytes {
  const header = encodeHeader({
    protocol: group.mode === "keygen" ? PROTOCOL.dkg : PROTOCOL.reshare,
    round: ackRoundOf(group.suite),
    kind: KIND.broadcast,
    bodyLength: group.epochId.length,
    sid: group.sid,
    sender: identity.party,
    receiver: undefined,
    view: group.ackView,
  })
  return makeEnvelope(identity, header, group.epochId)
}
