/**
 * What a round is. A protocol is a synchronous generator: it yields a step and is resumed with what the step brought.
 *
 *     const { broadcasts, view } = yield* exchange({ round: 1, broadcast: sendTo(everybody, commitCodec, mine, from) })
 *
 * The order of the rounds is the text of the generator. Delivery, signatures, sealing, views, duplicates and deadlines
 * are run.ts's; a protocol sees decoded messages of exactly the parties that it asked for, itself excluded.
 */
import type { Bytes } from "../bytes.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"

/** The wire form of one message: fixed size, closed decoding. */
export interface Codec<M> {
  /** The exact length of every encoding, in bytes. Checked before decode is called. */
  readonly size: number
  encode(message: M): Bytes
  /** undefined when malformed in any way: the sender is then at fault. */
  decode(bytes: Bytes): M | undefined
}

/** clear: signed only. sealed: signed and encrypted to the receiver (tss.md 1.8). */
export type DirectChannel = "clear" | "sealed"

/** One round as run.ts carries it out. Each half may be absent; a party that only listens sends nothing. */
export interface ExchangeStep {
  readonly kind: "exchange"
  readonly round: number
  readonly broadcast?: {
    readonly send?: Bytes
    /** Who broadcasts in this round, self excluded, and the exact body size of each. */
    readonly from: ReadonlyMap<PartyId, number>
  }
  readonly direct?: {
    readonly channel: DirectChannel
    readonly send: ReadonlyMap<PartyId, Bytes>
    readonly from: ReadonlyMap<PartyId, number>
  }
}

/** Something that must be durable before the next byte leaves (prepared record, "round 3 emitted", a check begun or passed). */
export interface RecordStep {
  readonly kind: "record"
  readonly record: SessionRecord
}

export type SessionRecord =
  /** The complete new epoch, to be stored PREPARED before the ack is sent (tss.md 3.5, 6.4). */
  | { readonly kind: "prepared"; readonly group: GroupPublic; readonly secret: GroupSecret }
  /** From here on the task counts as signed whatever happens next (tss.md 5.8 round 3; FROST: z released). */
  | { readonly kind: "emitted"; readonly digest: Bytes }
  /** A secret-dependent check of this peer begins; its verdict is recorded before the next one of that peer (tss.md 2.5 rule 9). */
  | { readonly kind: "checking"; readonly peer: PartyId }
  | { readonly kind: "checked"; readonly peer: PartyId }

export type Step = ExchangeStep | RecordStep

/** Raw answer to an exchange step; `view` is the view after this round (v_{r+1} of tss.md 2.2). */
export interface Inbox {
  readonly broadcasts: ReadonlyMap<PartyId, Bytes>
  readonly directs: ReadonlyMap<PartyId, Bytes>
  readonly view: Bytes
}

export type Protocol<T> = Generator<Step, T, Inbox>
