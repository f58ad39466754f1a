/**
 * The shape of a session: which party sends what in which round, and how long it is. The shape is known before the first message, so
 * that a message of a later round is kept only if it can belong there (threshold.md 1.8, 12).
 */
import type { PartyId } from "../keys/party.ts"
import { type EnvelopeKind, KIND, type ProtocolCode } from "./envelope.ts"
import { TAG_LENGTH } from "./seal.ts"

export interface RoundShape {
  readonly round: number
  /** Sizes of plain bodies by sender; a sender that is absent sends none. */
  readonly broadcast?: ReadonlyMap<PartyId, number>
  readonly direct?: { readonly sealed: boolean; readonly from: ReadonlyMap<PartyId, number> }
}

export interface SessionShape {
  readonly protocol: ProtocolCode
  /** All participants, this party included. */
  readonly participants: readonly PartyId[]
  /** From the point of view of this party: the directs are those that it receives. */
  readonly rounds: readonly RoundShape[]
}

/** The exact length of that body on the wire, a sealed one with its tag; undefined if `sender` has no such message for us. */
export function wireLength(
  shape: SessionShape,
  round: number,
  kind: EnvelopeKind,
  sender: PartyId,
): number | undefined {
  const expected = shape.rounds.find((one) => one.round === round)
  if (kind === KIND.broadcast) return expected?.broadcast?.get(sender)
  if (expected?.direct === undefined || expected.direct.sealed !== (kind === KIND.sealed)) return undefined
  const plain = expected.direct.from.get(sender)
  return plain === undefined ? undefined : plain + (expected.direct.sealed ? TAG_LENGTH : 0)
}
