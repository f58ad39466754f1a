/** The rounds of a set-up: who sends what to whom, by role (threshold.md 3.1, 3.2, 3.4, 3.5; 6.2). */
import { type Bytes, equal, secretEqual } from "../../bytes.ts"
import { evaluate } from "../../crypto/shamir.ts"
import type { PairState } from "../../keys/group.ts"
import type { Member, PartyId } from "../../keys/party.ts"
import { fault, sessionAbort } from "../blame.ts"
import { confirmation } from "../dkls/confirmation.ts"
import { OT1_SIZE, OT2_SIZE, type OtSetup, type ZeroHalves } from "../dkls/setup.ts"
import { trialRounds } from "../dkls/trial.ts"
import { allOf, by, exchange, type Protocol } from "../exchange.ts"
import { opaque } from "../layout.ts"
import type { Scratch } from "../scratch.ts"
import type { SealingKeys } from "../seal.ts"
import type { SetUpSuite } from "../session.ts"
import type { RoundShape } from "../shape.ts"
import { SET_UP, type Stage } from "../stages.ts"
import type { OwnDeal, ReceivedDeal } from "./deal.ts"
import {
  dealtCodec,
  type Hello,
  helloCodec,
  NONCE_LENGTH,
  type Opening,
  openingCodec,
  type Role,
  ZERO_HALF_LENGTH,
} from "./messages.ts"
import type { SetUp } from "./setUp.ts"

/** The acks of suite 1 do not wait for the pairs. Those of suite 2 come after each pair has confirmed its state, those of suite 3 after members have signed with the key. */
function ackStage(suite: SetUpSuite | undefined): Stage {
  switch (suite) {
    case undefined:
      return SET_UP.acknowledge
    case 2:
      return SET_UP.acknowledgeConfirmed
    case 3:
      return SET_UP.acknowledgeTried
  }
}
export const ackRoundOf = (suite: SetUpSuite | undefined): number => ackStage(suite).round
const EPOCH_ID_LENGTH = 32
const CONFIRMATION_LENGTH = 32
const NOTHING: Bytes = new Uint8Array(0)

/** The inputs that determine the messages of a set-up. */
type Outline = Pick<SetUp, "curve" | "self" | "threshold" | "dealers" | "members" | "startOtSetup"> & {
  readonly source: Pick<SetUp["source"], "statementLength">
  readonly record: Pick<SetUp["record"], "suite">
}

/** All participants, ascending. */
export function participantsOf(setUp: Pick<SetUp, "dealers" | "members">): readonly PartyId[] {
  return [...new Set([...setUp.dealers, ...setUp.members].map(({ party }) => party))].sort()
}

/** The messages that this party may receive, and their lengths. */
export function roundsOf(outline: Outline): readonly RoundShape[] {
  const peers = participantsOf(outline).filter((party) => party !== outline.self)
  const { hello, opening, dealt } = codecs(outline)
  const { receives } = roleOf(outline, outline.self)
  const { suite } = outline.record
  const memberPeers = receives ? peers.filter((party) => roleOf(outline, party).receives) : []
  return [
    { round: 1, broadcast: by(peers, (party) => hello(party).size) },
    {
      round: SET_UP.deal.round,
      broadcast: by(dealerPeers(outline), () => opening.size),
      direct: { sealed: true, from: by(receives ? peers : [], (party) => dealt(party).size) },
    },
    ...(outline.startOtSetup ? [{ round: 3, direct: { sealed: true, from: by(memberPeers, () => OT2_SIZE) } }] : []),
    ...(suite !== undefined
      ? [{ round: SET_UP.confirm.round, direct: { sealed: true, from: by(memberPeers, () => CONFIRMATION_LENGTH) } }]
      : []),
    ...(suite === 3 && receives ? trialRounds(outline) : []),
    { round: ackRoundOf(suite), broadcast: by(peers, () => EPOCH_ID_LENGTH) },
  ]
}

/** Round 1: everybody's nonce and ephemeral key, and the dealers' commitments to polynomial and chain code. */
export function* commitRound(
  setUp: SetUp,
  ephemeral: Bytes,
  deal: OwnDeal | undefined,
): Protocol<{ readonly hellos: ReadonlyMap<PartyId, Hello>; readonly h1: Bytes; readonly nonce: Bytes }> {
  const { hello } = codecs(setUp)
  const peers = participantsOf(setUp).filter((party) => party !== setUp.self)
  const mine = deal && { statement: setUp.source.statement, commitment: deal.commitment }
  const nonce = setUp.rng(NONCE_LENGTH)
  const { broadcasts, view } = yield* exchange({
    stage: SET_UP.commit,
    broadcast: {
      send: hello(setUp.self).encode({ nonce, ephemeral, deal: mine }),
      from: by(peers, hello),
    },
  })
  return { hellos: broadcasts, h1: view, nonce }
}

interface OpenedDeals {
  readonly received: readonly ReceivedDeal[]
  /** By peer, for two members: both zero-share halves and the peer's OT message 1. */
  readonly pairs: ReadonlyMap<PartyId, ZeroHalves & { readonly ot1: Bytes }>
  readonly h2: Bytes
}

/** Round 2: dealers open; every member gets its share of each deal, and its half of every pair. */
export function* openRound(
  setUp: SetUp,
  state: {
    readonly hellos: ReadonlyMap<PartyId, Hello>
    readonly deal: OwnDeal | undefined
    readonly opening: Opening | undefined
    readonly keys: SealingKeys
    readonly ot: OtSetup | undefined
    readonly scratch: Scratch
  },
): Protocol<OpenedDeals> {
  const { hellos, deal, opening, keys, ot, scratch } = state
  const { opening: openings, dealt } = codecs(setUp)
  const { receives } = roleOf(setUp, setUp.self)
  const sentHalves = new Map<PartyId, Bytes>()
  const send = new Map<PartyId, Bytes>()
  for (const { party, x } of setUp.members) {
    if (party === setUp.self) continue
    const zeroHalf = scratch.keep(setUp.rng(ZERO_HALF_LENGTH))
    sentHalves.set(party, zeroHalf)
    const body = dealt(setUp.self).encode({
      dealt: deal && { share: evaluate(setUp.curve, deal.polynomial, x), chainCode: deal.chainCode },
      pair: receives ? { zeroHalf, ot1: ot?.first.get(party) ?? NOTHING } : undefined,
    })
    send.set(party, scratch.keep(body))
  }
  const { broadcasts, directs, view } = yield* exchange({
    stage: SET_UP.deal,
    broadcast: { ...(opening && { send: openings.encode(opening) }), from: allOf(dealerPeers(setUp), openings) },
    direct: { channel: keys, send, from: by(receives ? hellos.keys() : [], dealt) },
  })
  for (const { dealt, pair } of directs.values()) {
    scratch.keep(dealt?.chainCode ?? NOTHING)
    scratch.keep(pair?.zeroHalf ?? NOTHING)
  }
  return {
    h2: view,
    received: setUp.dealers.flatMap((dealer) => {
      const opening = broadcasts.get(dealer.party)
      const commitment = hellos.get(dealer.party)?.deal?.commitment
      if (opening === undefined || commitment === undefined) return []
      const mine = directs.get(dealer.party)?.dealt
      // A dealer that is not a member is dealt nothing, and knows the chain code: in a reshare all deal the same one.
      return [{ dealer, commitment, opening, chainCode: mine?.chainCode ?? setUp.source.chainCode, share: mine?.share }]
    }),
    pairs: new Map(
      [...directs].flatMap(([peer, { pair }]) => {
        const sent = sentHalves.get(peer)
        return pair && sent ? [[peer, { sent, received: pair.zeroHalf, ot1: pair.ot1 }] as const] : []
      }),
    ),
  }
}

/** Round 3, secp256k1 alone: the answers of the OT set-up. The view in the header echoes round 2. */
export function* otRound(
  keys: SealingKeys,
  answers: ReadonlyMap<PartyId, Bytes>,
): Protocol<ReadonlyMap<PartyId, Bytes>> {
  const { directs } = yield* exchange({
    stage: SET_UP.transfer,
    direct: { channel: keys, send: answers, from: allOf(answers.keys(), opaque(OT2_SIZE)) },
  })
  return directs
}

/**
 * From suite 2 on: every two members prove to one another that they hold the same state of their pair (kc, threshold.md 2.3), before
 * anything exists that could be certified. Only the party that altered its half knows it did, so a failure names the pair.
 */
export function* confirmRound(
  setUp: SetUp,
  state: {
    readonly keys: SealingKeys
    readonly self: Member
    readonly pairs: readonly PairState[]
    readonly hellos: ReadonlyMap<PartyId, Hello>
    readonly ownNonce: Bytes
  },
): Protocol<void> {
  const { keys, self, pairs, hellos, ownNonce } = state
  const scalar = (party: PartyId): Bytes => setUp.curve.encodeScalar(shareIdIn(setUp, party))
  const kc = ({ zeroSeed, pairId }: PairState, from: PartyId, to: PartyId, nonce: Bytes): Bytes =>
    confirmation({ zeroSeed: zeroSeed.expose(), pairId }, setUp.sid, scalar(from), scalar(to), nonce)
  const { directs } = yield* exchange({
    stage: SET_UP.confirm,
    direct: {
      channel: keys,
      send: new Map(pairs.map((pair) => [pair.peer, kc(pair, self.party, pair.peer, ownNonce)])),
      from: allOf(
        pairs.map(({ peer }) => peer),
        opaque(CONFIRMATION_LENGTH),
      ),
    },
  })
  const unconfirmed = pairs.filter((pair) => {
    const expected = kc(pair, pair.peer, self.party, hellos.get(pair.peer)?.nonce ?? NOTHING)
    return !secretEqual(directs.get(pair.peer) ?? NOTHING, expected)
  })
  if (unconfirmed.length > 0) {
    throw sessionAbort(
      `pair mismatch with ${unconfirmed
        .map(({ peer }) => peer)
        .sort()
        .join(", ")}`,
    )
  }
}

/** The last round: all participants acknowledge the same epoch; their signed envelopes are its certificate. */
export function* ackRound(setUp: SetUp, epochId: Bytes): Protocol<readonly Bytes[]> {
  const peers = participantsOf(setUp).filter((party) => party !== setUp.self)
  const { broadcasts, originals } = yield* exchange({
    stage: ackStage(setUp.record.suite),
    broadcast: { send: epochId, from: allOf(peers, opaque(EPOCH_ID_LENGTH)) },
  })
  for (const [party, theirs] of broadcasts) {
    if (!equal(theirs, epochId)) throw fault(party, "it acknowledges another epoch")
  }
  return originals
}

const codecs = (outline: Outline) => ({
  hello: (party: PartyId) => helloCodec(roleOf(outline, party), outline.source.statementLength),
  opening: openingCodec(outline.curve, outline.threshold),
  dealt: (party: PartyId) =>
    dealtCodec(outline.curve, roleOf(outline, party), outline.startOtSetup === undefined ? 0 : OT1_SIZE),
})

const roleOf = (setUp: Pick<SetUp, "dealers" | "members">, party: PartyId): Role => ({
  deals: setUp.dealers.some((dealer) => dealer.party === party),
  receives: setUp.members.some((member) => member.party === party),
})

function shareIdIn({ members }: SetUp, party: PartyId): bigint {
  const member = members.find((one) => one.party === party)
  if (member === undefined) throw new TypeError("a pair is of two members")
  return member.x
}

const dealerPeers = (setUp: Pick<SetUp, "dealers" | "self">): readonly PartyId[] =>
  setUp.dealers.map(({ party }) => party).filter((party) => party !== setUp.self)
