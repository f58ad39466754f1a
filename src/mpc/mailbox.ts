/**
 * The received messages of one session. Decides about every envelope: not ours (dropped), kept until its round, proof that
 * its sender cheats, or an abort. It keeps at most one message per (round, sender, kind), each of a length known beforehand, which
 * bounds the memory of a session. run.ts decides when a round is complete and resumes the protocol.
 */
import { type Bytes, copy, equal } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import { type Abort, authenticOriginals, decodeAbort } from "./abort.ts"
import { type Blame, equivocation, fault } from "./blame.ts"
import {
  ABORT_ROUND,
  type Envelope,
  type EnvelopeKind,
  HEADER_LENGTH,
  isAuthentic,
  KIND,
  parseEnvelope,
  SIGNATURE_LENGTH,
  sameContent,
} from "./envelope.ts"
import { TAG_LENGTH } from "./seal.ts"
import { type SessionShape, wireLength } from "./shape.ts"
import { NO_VIEW } from "./view.ts"

type Arrival =
  | { readonly kind: "dropped" }
  | { readonly kind: "kept" }
  | { readonly kind: "blame"; readonly blame: Blame }
  | { readonly kind: "abort"; readonly from: PartyId; readonly abort: Abort }

const DROPPED: Arrival = { kind: "dropped" }
const KEPT: Arrival = { kind: "kept" }

export class Mailbox {
  readonly #kept = new Map<string, Envelope>()
  readonly #largest: number
  #dropped = 0

  constructor(
    readonly sid: Bytes,
    readonly self: PartyId,
    readonly shape: SessionShape,
  ) {
    this.#largest = largestEnvelope(shape)
  }

  /** Number of envelopes that did not belong here, for the host's counters. */
  get dropped(): number {
    return this.#dropped
  }

  accept(bytes: Bytes): Arrival {
    const arrival = this.#judge(bytes)
    if (arrival.kind === "dropped") this.#dropped++
    return arrival
  }

  /** Keeps one of our own broadcasts as evidence, in case another party claims that we sent something else. */
  keepOwn(bytes: Bytes): void {
    const envelope = parseEnvelope(bytes)
    if (envelope !== undefined) this.#kept.set(slot(envelope), envelope)
  }

  get(round: number, kind: EnvelopeKind, sender: PartyId): Envelope | undefined {
    return this.#kept.get(slotOf(round, kind, sender))
  }

  /** Whether a message of this round shows that its sender has seen other broadcasts than `view` covers. */
  hasDissenters(round: number, view: Bytes): boolean {
    return [...this.#kept.values()].some(
      ({ header }) => header.round === round && header.sender !== this.self && !equal(header.view, view),
    )
  }

  /** All signed broadcasts held, our own included. */
  broadcasts(): readonly Bytes[] {
    return [...this.#kept.values()].filter(({ header }) => header.kind === KIND.broadcast).map(({ bytes }) => bytes)
  }

  /** EQUIV if an original in the report and one held here are two versions of one broadcast. */
  equivocationIn(abort: Abort): Blame | undefined {
    for (const theirs of authenticOriginals(abort)) {
      const { sid, protocol, kind, sender } = theirs.header
      if (!equal(sid, this.sid) || protocol !== this.shape.protocol || kind !== KIND.broadcast) continue
      const ours = this.#kept.get(slot(theirs))
      if (ours !== undefined && sender !== this.self && !sameContent(ours, theirs)) return twoVersions(ours, theirs)
    }
    return undefined
  }

  clear(): void {
    this.#kept.clear()
  }

  #judge(bytes: Bytes): Arrival {
    // Checks that only drop an envelope come before its signature is verified. Nothing is kept or blamed before that.
    if (bytes.length > this.#largest) return DROPPED
    const envelope = parseEnvelope(copy(bytes))
    if (envelope === undefined || !this.#isForUs(envelope)) return DROPPED
    const { round, kind, sender } = envelope.header
    if (round === ABORT_ROUND) return this.#judgeAbort(envelope)
    const length = wireLength(this.shape, round, kind, sender)
    if (length === undefined) return DROPPED
    const before = this.#kept.get(slot(envelope))
    if (before !== undefined && sameContent(before, envelope)) return KEPT
    if (!isAuthentic(envelope)) return DROPPED
    if (before !== undefined) return { kind: "blame", blame: twoVersions(before, envelope) }
    if (envelope.body.length !== length) {
      return { kind: "blame", blame: fault(sender, `round ${round}: ${envelope.body.length} bytes, not ${length}`) }
    }
    if (round === 1 && !equal(envelope.header.view, NO_VIEW)) {
      return { kind: "blame", blame: fault(sender, "a view before the first broadcast") }
    }
    this.#kept.set(slot(envelope), envelope)
    return KEPT
  }

  #judgeAbort(envelope: Envelope): Arrival {
    if (envelope.header.kind !== KIND.broadcast || !isAuthentic(envelope)) return DROPPED
    const abort = decodeAbort(envelope.body)
    return abort === undefined ? DROPPED : { kind: "abort", from: envelope.header.sender, abort }
  }

  #isForUs({ header }: Envelope): boolean {
    return (
      equal(header.sid, this.sid) &&
      header.protocol === this.shape.protocol &&
      header.sender !== this.self &&
      this.shape.participants.includes(header.sender) &&
      (header.receiver === undefined || header.receiver === this.self)
    )
  }
}

const slotOf = (round: number, kind: EnvelopeKind, sender: PartyId): string => `${round} ${kind} ${sender}`
const slot = ({ header }: Envelope): string => slotOf(header.round, header.kind, header.sender)

const twoVersions = (a: Envelope, b: Envelope): Blame =>
  equivocation(a.header.sender, `two versions of one message of round ${a.header.round}`, [a.bytes, b.bytes])

/**
 * The longest envelope of the session: the longest body, or an abort with every broadcast of every round, including ours, each
 * as long as the longest of its round.
 */
function largestEnvelope({ rounds }: SessionShape): number {
  const around = HEADER_LENGTH + SIGNATURE_LENGTH
  const broadcasts = rounds.flatMap(({ broadcast }) => {
    const sizes = [...(broadcast?.values() ?? [])]
    return [...sizes, Math.max(0, ...sizes)]
  })
  const directs = rounds.flatMap(({ direct }) => [...(direct?.from.values() ?? [])])
  const abort = broadcasts.reduce((sum, size) => sum + 4 + around + size, 2)
  return around + Math.max(abort, ...directs.map((size) => size + TAG_LENGTH))
}
