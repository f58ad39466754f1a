/**
 * The one set-up routine (threshold.md 3, 6): dealers deal, members receive, all participants acknowledge. A DKG is a set-up
 * in which every party does both and the dealt secrets are fresh; a reshare deals the shares of an old epoch. A DealSource holds
 * the differences. This file owns the order of the steps, rounds.ts the messages of each round.
 */
import { type Bytes, equal } from "../../bytes.ts"
import type { Curve, Point } from "../../crypto/curve.ts"
import type { Rng } from "../../crypto/random.ts"
import { evaluate } from "../../crypto/shamir.ts"
import {
  type GroupMode,
  type GroupPublic,
  type GroupStatus,
  type PairState,
  type Parent,
  wipeGroupSecret,
  wipePair,
} from "../../keys/group.ts"
import type { Member, PartyId } from "../../keys/party.ts"
import { Secret } from "../../secret.ts"
import { sessionAbort } from "../blame.ts"
import type { OtSetup, StartOtSetup } from "../dkls/setup.ts"
import { trial } from "../dkls/trial.ts"
import { type Protocol, record } from "../exchange.ts"
import { Scratch } from "../scratch.ts"
import { ephemeralKey } from "../seal.ts"
import type { SessionResult, SetUpSuite } from "../session.ts"
import { checkDeal, makeDeal, type OwnDeal, openDeal, type ReceivedDeal } from "./deal.ts"
import { type Epoch, epochOf } from "./epoch.ts"
import { ackRound, commitRound, confirmRound, openRound, otRound } from "./rounds.ts"

/** Where the dealt secrets come from. Its functions throw Blame if dealers contradict one another or older records. */
export interface DealSource {
  /** Length of what each dealer states in round 1 about the epoch that it deals again; empty in a DKG. */
  readonly statementLength: number
  readonly statement: Bytes
  /** This party's a_{i,0}; undefined: random. */
  readonly constant: bigint | undefined
  /** The chain code that this party deals; wiped at the end. */
  readonly chainCode: Bytes
  /** What the other dealers' statements fix; called before anything of round 2 is sent. */
  agree(statements: ReadonlyMap<PartyId, Bytes>): Agreed
  /** The group's chain code from the dealt ones, in ascending order of dealer, this party's own included. */
  chainCodeOf(h1: Bytes, dealt: readonly { readonly dealer: Member; readonly chainCode: Bytes }[]): Bytes
}

export interface Agreed {
  /** The A_{i,0} that each dealer must show. A dealer that is not in it may show any. */
  readonly constants: ReadonlyMap<PartyId, Point>
  /** enc(PK), if the key must not be a new one. */
  readonly publicKey: Bytes | undefined
  readonly parent: Parent | undefined
}

export interface SetUp {
  readonly sid: Bytes
  readonly curve: Curve
  readonly self: PartyId
  readonly threshold: number
  /** Ascending; with the share ids under which they deal. */
  readonly dealers: readonly Member[]
  /** Ascending; with their share ids in the new epoch. */
  readonly members: readonly Member[]
  readonly source: DealSource
  /** secp256k1 only: the OT set-up between every two members. */
  readonly startOtSetup: StartOtSetup | undefined
  readonly record: {
    readonly groupId: string
    readonly mode: GroupMode
    readonly createdMs: number
    readonly suite?: SetUpSuite
  }
  readonly rng: Rng
}

export function* setUp(input: SetUp): Protocol<SessionResult> {
  const { sid, self, rng, source } = input
  const dealer = input.dealers.find(({ party }) => party === self)
  const member = input.members.find(({ party }) => party === self)
  using scratch = new Scratch()
  scratch.keep(source.chainCode)
  using ephemeral = ephemeralKey(rng)

  const deal = dealer && makeDeal(input, dealer, source.constant, source.chainCode, rng)
  if (deal !== undefined) scratch.keep(deal.salt)
  const { hellos, h1, nonce } = yield* commitRound(input, ephemeral.publicKey, deal)
  const agreed = source.agree(
    new Map([...hellos].flatMap(([party, { deal }]) => (deal ? [[party, deal.statement]] : []))),
  )

  using keys = ephemeral.agree(sid, self, new Map([...hellos].map(([party, hello]) => [party, hello.ephemeral])))
  using ot = member && startPairs(input, member, h1)
  const opening = dealer && deal && openDeal(input, dealer, deal, h1, rng)
  const { received, pairs: halves, h2 } = yield* openRound(input, { hellos, deal, opening, keys, ot, scratch })
  for (const one of received) checkDeal(input, one, h1, agreed.constants.get(one.dealer.party), member)

  const epoch = sumUp(input, h1, h2, deal, received)
  if (agreed.publicKey !== undefined && !equal(epoch.commitments[0] ?? sid, agreed.publicKey)) {
    throw sessionAbort("the deals add up to another key")
  }

  const answers = ot && (yield* otRound(keys, ot.answer(new Map([...halves].map(([peer, { ot1 }]) => [peer, ot1])))))
  using states = new HeldPairs(ot && answers ? ot.finish(answers, epoch.epochId, halves) : [])
  const group = recordOf(input, epoch, h2, agreed.parent, member === undefined ? "ERASED" : "PREPARED")
  if (member === undefined) yield* record({ kind: "acknowledged", group })
  else {
    const { suite } = input.record
    const { pairs } = states
    if (suite !== undefined) yield* confirmRound(input, { keys, self: member, pairs, hellos, ownNonce: nonce })
    using share = shareFrom(input, member, epoch, deal, received)
    if (suite === 3) yield* trial({ ...input, group, secret: { share, pairs }, keys })
    yield* prepare(group, share, pairs)
  }
  const certificate = yield* ackRound(input, epoch.epochId)
  return { kind: "epoch", groupId: input.record.groupId, epochId: epoch.epochId, certificate }
}

function startPairs(setUp: SetUp, self: Member, h1: Bytes): OtSetup | undefined {
  const peers = setUp.members.filter(({ party }) => party !== self.party)
  return setUp.startOtSetup?.({ sid: setUp.sid, h1, self, peers, rng: setUp.rng })
}

function sumUp(setUp: SetUp, h1: Bytes, h2: Bytes, own: OwnDeal | undefined, received: readonly ReceivedDeal[]): Epoch {
  const dealt = setUp.dealers.map((dealer) => {
    const theirs = received.find((one) => one.dealer.party === dealer.party)
    const points = theirs?.opening.points ?? own?.points
    if (points === undefined) throw new TypeError("a dealer without a deal")
    return { dealer, points, chainCode: theirs?.chainCode ?? setUp.source.chainCode }
  })
  const polynomials = dealt.map(({ points }) => points)
  return epochOf(setUp.curve, setUp.sid, h2, polynomials, setUp.members, setUp.source.chainCodeOf(h1, dealt))
}

/** s_j = sum f_i(x_j), checked against S_j once more, because the other members will rely on the stored share. */
function shareFrom(
  { curve }: SetUp,
  self: Member,
  epoch: Epoch,
  own: OwnDeal | undefined,
  received: readonly ReceivedDeal[],
): Secret {
  const mine = own === undefined ? 0n : evaluate(curve, own.polynomial, self.x)
  const share = received.reduce((sum, deal) => curve.mod(sum + (deal.share ?? 0n)), mine)
  const expected = epoch.members.find(({ party }) => party === self.party)
  if (expected === undefined || !equal(curve.encodePoint(curve.multiplyBase(share)), expected.sharePublicKey)) {
    throw new TypeError("the sum of checked shares is not on the sum of their polynomials")
  }
  return Secret.take(curve.encodeScalar(share))
}

const recordOf = (
  setUp: SetUp,
  epoch: Epoch,
  h2: Bytes,
  parent: Parent | undefined,
  status: GroupStatus,
): GroupPublic => ({
  ...setUp.record,
  ...epoch,
  curve: setUp.curve.name,
  status,
  threshold: setUp.threshold,
  sid: setUp.sid,
  ackView: h2,
  ...(parent && { parent }),
})

/** The record is complete and durable before the ack, because the ack is a promise to keep it. */
function* prepare(group: GroupPublic, share: Secret, pairs: readonly PairState[]): Protocol<void> {
  try {
    yield* record({ kind: "prepared", group, secret: { share, pairs } })
  } finally {
    wipeGroupSecret({ share, pairs })
  }
}

/** The pairs' states until they are recorded. They are wiped however the session ends. */
class HeldPairs implements Disposable {
  constructor(readonly pairs: readonly PairState[]) {}

  [Symbol.dispose](): void {
    for (const pair of this.pairs) wipePair(pair)
  }
}
