/**
 * The trial signatures of a set-up (threshold.md 3.8). Before anybody records or acknowledges a new secp256k1 key, its members sign with it
 * in sets of threshold members that together contain every pair. They sign a hash that no transaction can have, and discard the
 * signatures.
 *
 * Each set runs the protocol of a real signature (sign.ts), unchanged. This file carries the rounds of all sets side by side in rounds of
 * the set-up. What a set broadcasts goes to each of its members, sealed with the set-up's keys. From the second round on the set's own
 * view goes with it, so that it is compared before anything is evaluated.
 */
import { type Bytes, concat, equal } from "../../bytes.ts"
import { H } from "../../crypto/frame.ts"
import type { Rng } from "../../crypto/random.ts"
import type { GroupPublic, GroupSecret } from "../../keys/group.ts"
import { type PartyId, partyBytes } from "../../keys/party.ts"
import { Blame, fault, sessionAbort } from "../blame.ts"
import { by, type ExchangeStep, exchange, type Inbox, type Protocol } from "../exchange.ts"
import { fieldsOf, opaque } from "../layout.ts"
import type { SealingKeys } from "../seal.ts"
import type { MessageSignature } from "../session.ts"
import type { RoundShape } from "../shape.ts"
import { inWords, SET_UP, type Stage } from "../stages.ts"
import { NO_VIEW, nextView } from "../view.ts"
import { coveringSets } from "./covering.ts"
import { GadgetCache } from "./pairs.ts"
import { ecdsaShape } from "./shape.ts"
import { signEcdsa } from "./sign.ts"

/** The three rounds of a signature, as rounds of a set-up. */
const STAGES: readonly Stage[] = [SET_UP.tryCommit, SET_UP.tryMultiply, SET_UP.tryRelease]
const VIEW_LENGTH = 32
const NOTHING: Bytes = new Uint8Array(0)

interface TrialInput {
  /** Of the set-up. */
  readonly sid: Bytes
  readonly self: PartyId
  /** The new epoch; it is recorded only after its members have signed with it. */
  readonly group: GroupPublic
  readonly secret: GroupSecret
  /** Of the set-up: what every two members agreed on. */
  readonly keys: SealingKeys
  readonly rng: Rng
}

/** The signer sets of these members, each ascending; the same at every node. */
export function trialSets(members: readonly PartyId[], threshold: number): readonly (readonly PartyId[])[] {
  const ascending = [...members].sort()
  return coveringSets(ascending.length, threshold).map((set) => set.flatMap((index) => ascending[index] ?? []))
}

/** The messages that a member receives in the rounds of the trial. */
export function trialRounds(outline: {
  readonly self: PartyId
  readonly threshold: number
  readonly members: readonly { readonly party: PartyId }[]
}): readonly RoundShape[] {
  const { self, threshold } = outline
  const members = outline.members.map(({ party }) => party)
  const sets = trialSets(members, threshold).filter((set) => set.includes(self))
  const peers = members.filter((party) => party !== self)
  const inCommon = (peer: PartyId) => sets.filter((set) => set.includes(peer)).length
  return STAGES.map(({ round }, index) => ({
    round,
    direct: { sealed: true, from: by(peers, (peer) => inCommon(peer) * entryLength(self, peer, index)) },
  }))
}

/** Length of one set's part in a peer's message: the length that a signature of one message has in that round. */
function entryLength(self: PartyId, peer: PartyId, index: number): number {
  const { broadcast, direct } = ecdsaShape(self, [self, peer], 1).rounds[index] ?? {}
  const body = (broadcast?.get(peer) ?? 0) + (direct?.from.get(peer) ?? 0)
  return index === 0 ? body : VIEW_LENGTH + body
}

/**
 * Returns when every set of this member has signed and the signatures verify; throws Blame otherwise. A failed check on OT secrets
 * is a FAULT and not a BAN, and no check is recorded, because the secrets vanish with the set-up, as in threshold.md 3.4.
 */
export function* trial(input: TrialInput): Protocol<void> {
  const { self, group } = input
  const parties = group.members.map(({ party }) => party)
  const gadgets = new GadgetCache(2 * parties.length)
  const sets = trialSets(parties, group.threshold)
    .filter((signers) => signers.includes(self))
    .map((signers) => new TrialSet(input, signers, gadgets))
  try {
    for (const set of sets) set.begin()
    for (const [index, stage] of STAGES.entries()) yield* trialRound(input, sets, stage, index > 0)
    const unfinished = sets.some(({ step }) => step !== undefined)
    if (unfinished) throw new TypeError("a signature has more rounds than the trial")
  } finally {
    for (const set of sets) set.end()
  }
}

function* trialRound(
  { self, group, keys }: TrialInput,
  sets: readonly TrialSet[],
  stage: Stage,
  withViews: boolean,
): Protocol<void> {
  const peers = group.members.map(({ party }) => party).filter((party) => party !== self)
  const shared = (peer: PartyId) => sets.filter(({ signers }) => signers.includes(peer))
  const size = (peer: PartyId) => shared(peer).reduce((sum, set) => sum + set.lengthFrom(peer, withViews), 0)
  const { directs } = yield* exchange({
    stage,
    direct: {
      channel: keys,
      send: new Map(peers.map((peer) => [peer, concat(...shared(peer).map((set) => set.entryFor(peer, withViews)))])),
      from: by(peers, (peer) => opaque(size(peer))),
    },
  })
  // Parses every message and compares all views before anything is evaluated (threshold.md 14).
  for (const [peer, body] of directs) {
    const take = fieldsOf(body)
    for (const set of shared(peer)) set.receive(peer, take, withViews, stage)
  }
  for (const set of sets) set.advance()
}

/** One set's signature, driven as run.ts drives a session of its own. */
class TrialSet {
  /** The step that it waits for; undefined before it began, and after it has signed. */
  step: ExchangeStep | undefined
  readonly #sid: Bytes
  readonly #self: PartyId
  readonly #protocol: Protocol<readonly MessageSignature[]>
  #view: Bytes = NO_VIEW
  readonly #broadcasts = new Map<PartyId, Bytes>()
  readonly #directs = new Map<PartyId, Bytes>()

  constructor(
    { sid, self, group, secret, rng }: TrialInput,
    readonly signers: readonly PartyId[],
    gadgets: GadgetCache,
  ) {
    this.#self = self
    this.#sid = H("trial/sid", sid, group.epochId, ...signers.map(partyBytes))
    const publicKey = group.commitments[0] ?? NOTHING
    const message = { digest: H("trial/msg", this.#sid), tweak: 0n, publicKey }
    this.#protocol = signEcdsa({ sid: this.#sid, self, group, secret, signers, messages: [message], rng, gadgets })
  }

  begin(): void {
    this.#resume({ broadcasts: new Map(), directs: new Map(), view: NO_VIEW, originals: new Map() })
  }

  lengthFrom(peer: PartyId, withView: boolean): number {
    const { broadcast, direct } = this.#waiting()
    return (withView ? VIEW_LENGTH : 0) + (broadcast?.from.get(peer) ?? 0) + (direct?.from.get(peer) ?? 0)
  }

  entryFor(peer: PartyId, withView: boolean): Bytes {
    const { broadcast, direct } = this.#waiting()
    return concat(withView ? this.#view : NOTHING, broadcast?.send ?? NOTHING, direct?.send.get(peer) ?? NOTHING)
  }

  receive(peer: PartyId, take: (length: number) => Bytes, withView: boolean, stage: Stage): void {
    const { broadcast, direct } = this.#waiting()
    if (withView && !equal(take(VIEW_LENGTH), this.#view)) throw sessionAbort(`${inWords(stage)}: view mismatch`)
    const sent = broadcast?.from.get(peer)
    if (sent !== undefined) this.#broadcasts.set(peer, take(sent))
    const told = direct?.from.get(peer)
    if (told !== undefined) this.#directs.set(peer, take(told))
  }

  advance(): void {
    const { broadcast, round } = this.#waiting()
    const [broadcasts, directs] = [new Map(this.#broadcasts), new Map(this.#directs)]
    this.#broadcasts.clear()
    this.#directs.clear()
    const seen = broadcast?.send === undefined ? broadcasts : new Map(broadcasts).set(this.#self, broadcast.send)
    this.#view = nextView(this.#sid, round, this.#view, seen)
    this.#resume({ broadcasts, directs, view: this.#view, originals: new Map() })
  }

  /** Wipes the state of a set that did not finish. */
  end(): void {
    this.#protocol.return([])
  }

  #waiting(): ExchangeStep {
    if (this.step === undefined) throw new TypeError("a set has signed before its last round")
    return this.step
  }

  #resume(inbox: Inbox): void {
    try {
      let next = this.#protocol.next(inbox)
      // A trial records nothing: a ban would name an epoch that does not exist yet, and no task is signed.
      while (!next.done && next.value.kind === "record") next = this.#protocol.next({ ...inbox, view: this.#view })
      this.step = next.done || next.value.kind === "record" ? undefined : next.value
    } catch (error) {
      throw error instanceof Blame ? inSetUp(error, this.signers) : error
    }
  }
}

/** Translates a signature's blame into blame for the set-up. */
function inSetUp({ parties, reason }: Blame, signers: readonly PartyId[]): Blame {
  const [party] = parties
  const where = `trial signature of ${signers.join(", ")}: ${reason}`
  return party === undefined ? sessionAbort(where) : fault(party, where)
}
