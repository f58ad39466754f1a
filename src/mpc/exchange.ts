/**
 * Defines a round. A protocol is a synchronous generator: it yields a step and is resumed with the step's result.
 *
 *     const { broadcasts, view: h1 } = yield* exchange({
 *       stage: DKLS.commit,
 *       broadcast: { send: commitCodec.encode(mine), from: allOf(peers, commitCodec) },
 *     })
 *     yield* record({ kind: "emitted", digest })
 *
 * The order of the rounds is the text of the generator. run.ts owns delivery, signatures, sealing, views, duplicates and deadlines.
 * A protocol sees decoded messages of exactly the parties that it asked for, itself excluded. It ends a session by throwing Blame;
 * any other exception is a bug of ours.
 */
import type { Bytes } from "../bytes.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import { fault } from "./blame.ts"
import type { SealingKeys } from "./seal.ts"
import type { Stage } from "./stages.ts"

/** The wire form of one message: fixed size, closed decoding. */
export interface BodyCodec<M> {
  /** The exact length of every encoding, in bytes. Checked before decode is called. */
  readonly size: number
  encode(message: M): Bytes
  /** undefined for malformed bytes; the sender is then at fault. */
  decode(bytes: Bytes): M | undefined
}

/** clear: signed only. Keys: signed, and encrypted to the receiver under keys agreed with the ephemeral keys of round 1. */
export type DirectChannel = "clear" | SealingKeys

/** One round in the form that run.ts carries out. Each half may be absent; a party that only listens sends nothing. */
export interface ExchangeStep {
  readonly kind: "exchange"
  readonly round: number
  /** The purpose of the round, in words. */
  readonly stage: string
  readonly broadcast?: {
    readonly send?: Bytes
    /** Who broadcasts in this round, self excluded, and the exact body size of each. */
    readonly from: ReadonlyMap<PartyId, number>
  }
  readonly direct?: {
    readonly channel: DirectChannel
    readonly send: ReadonlyMap<PartyId, Bytes>
    /** Sizes of the plain bodies; a sealed one is longer by its tag on the wire. */
    readonly from: ReadonlyMap<PartyId, number>
  }
}

/** Something that must be durable before the next byte leaves (prepared record, "round 3 emitted", a check begun or passed). */
interface RecordStep {
  readonly kind: "record"
  readonly record: SessionRecord
}

export type SessionRecord =
  /** The complete new epoch, to be stored PREPARED before the ack is sent (threshold.md 3.5, 6.4). */
  | { readonly kind: "prepared"; readonly group: GroupPublic; readonly secret: GroupSecret }
  /** The same promise by a dealer that is not a member of the new epoch, and so has only its public record. */
  | { readonly kind: "acknowledged"; readonly group: GroupPublic }
  /** From here on the task counts as signed whatever happens next (threshold.md 5.8 round 3; FROST: z released). */
  | { readonly kind: "emitted"; readonly digest: Bytes }
  /** A secret-dependent check of this peer begins; its verdict is recorded before the next one of that peer (threshold.md 2.5 rule 9). */
  | { readonly kind: "checking"; readonly peer: PartyId }
  | { readonly kind: "checked"; readonly peer: PartyId }

export type Step = ExchangeStep | RecordStep

/** Raw answer to an exchange step; `view` is the view after this round (v_{r+1} of threshold.md 2.2). */
export interface Inbox {
  readonly broadcasts: ReadonlyMap<PartyId, Bytes>
  readonly directs: ReadonlyMap<PartyId, Bytes>
  readonly view: Bytes
  /** The broadcasts of this round as they were signed, this party's own included: proof for third parties. */
  readonly originals: ReadonlyMap<PartyId, Bytes>
}

export type Protocol<T> = Generator<Step, T, Inbox>

/** A round in the form that a protocol states: what it sends, encoded, and how it reads each message that it waits for. */
interface Round<B, D> {
  readonly stage: Stage
  readonly broadcast?: {
    /** Absent: this party only listens. */
    readonly send?: Bytes
    readonly from: ReadonlyMap<PartyId, BodyCodec<B>>
  }
  readonly direct?: {
    readonly channel: DirectChannel
    readonly send: ReadonlyMap<PartyId, Bytes>
    readonly from: ReadonlyMap<PartyId, BodyCodec<D>>
  }
}

/** The result of a round: a message of every party that it waited for, in ascending order of party. */
interface RoundResult<B, D> {
  readonly broadcasts: ReadonlyMap<PartyId, B>
  readonly directs: ReadonlyMap<PartyId, D>
  /** v_{r+1}; after round 1 this is h1, after round 2 h2. */
  readonly view: Bytes
  /** Signed envelopes of the round's broadcasts, this party's own included, in ascending order of party. */
  readonly originals: readonly Bytes[]
}

/** Carries out one round. A message that does not decode is its sender's FAULT; all are decoded before any is used. */
export function* exchange<B = never, D = never>(spec: Round<B, D>): Protocol<RoundResult<B, D>> {
  const { stage, broadcast, direct } = spec
  const inbox = yield {
    kind: "exchange",
    round: stage.round,
    stage: stage.name,
    ...(broadcast && { broadcast: { ...broadcast, from: sizes(broadcast.from) } }),
    ...(direct && { direct: { ...direct, from: sizes(direct.from) } }),
  }
  return {
    broadcasts: decodeAll(inbox.broadcasts, broadcast?.from, `round ${stage.round} broadcast`),
    directs: decodeAll(inbox.directs, direct?.from, `round ${stage.round} direct`),
    view: inbox.view,
    originals: ascending(inbox.originals).map(([, envelope]) => envelope),
  }
}

/** Continues only when `what` is durable. */
export function* record(what: SessionRecord): Protocol<void> {
  yield { kind: "record", record: what }
}

/** The common case of `from`: the messages of all parties have the same form. */
export const allOf = <M>(parties: Iterable<PartyId>, codec: BodyCodec<M>): ReadonlyMap<PartyId, BodyCodec<M>> =>
  by(parties, () => codec)

/** One value for each party. */
export const by = <V>(parties: Iterable<PartyId>, pick: (party: PartyId) => V): ReadonlyMap<PartyId, V> =>
  new Map([...parties].map((party) => [party, pick(party)]))

const ascending = <V>(map: ReadonlyMap<PartyId, V>): readonly (readonly [PartyId, V])[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))

function sizes(codecs: ReadonlyMap<PartyId, BodyCodec<unknown>>): ReadonlyMap<PartyId, number> {
  return new Map([...codecs].map(([party, codec]) => [party, codec.size]))
}

function decodeAll<M>(
  bodies: ReadonlyMap<PartyId, Bytes>,
  codecs: ReadonlyMap<PartyId, BodyCodec<M>> | undefined,
  what: string,
): ReadonlyMap<PartyId, M> {
  const out = new Map<PartyId, M>()
  for (const [party, codec] of ascending(codecs ?? new Map<PartyId, BodyCodec<M>>())) {
    const body = bodies.get(party)
    if (body === undefined) throw new TypeError(`${what} of a party is missing: the runner resumed too early`)
    const message = body.length === codec.size ? codec.decode(body) : undefined
    if (message === undefined) throw fault(party, `${what} does not decode`)
    out.set(party, message)
  }
  return out
}
