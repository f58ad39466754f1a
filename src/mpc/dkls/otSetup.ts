/**
 * The OT set-up of one party with all its peers (threshold.md 3.4, 4): in every pair each side is base-OT receiver once and
 * sender once. Implements the interface of setup.ts; the set-up routine decides in which rounds the messages travel.
 *
 * If a set-up fails at one peer, it is discarded whole, with every secret in it. Nothing outlives it, so no ban is needed.
 */
import { type Bytes, concat } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import { H, sha256 } from "../../crypto/frame.ts"
import { answerBaseOt, BaseOtReceiver, SECOND_LENGTH } from "../../crypto/otBase.ts"
import { aliceState, bobState, correct } from "../../crypto/pprf.ts"
import type { PairState } from "../../keys/group.ts"
import type { Member, PartyId } from "../../keys/party.ts"
import { Secret } from "../../secret.ts"
import { fault } from "../blame.ts"
import { OT1_SIZE, OT2_SIZE, type OtSetup, type OtSetupContext, type StartOtSetup, type ZeroHalves } from "./setup.ts"

export const startOtSetup: StartOtSetup = (context) => new PairSetups(context)

/** What this party holds of one pair while the set-up runs. */
interface PairSetup extends Disposable {
  readonly peer: Member
  readonly receiver: BaseOtReceiver
  /** Bob's at-rest state, and the two transcripts, once the peer's message was answered. */
  bob: Bytes | undefined
  answered: { readonly first: Bytes; readonly second: Bytes } | undefined
}

class PairSetups implements OtSetup {
  readonly first: ReadonlyMap<PartyId, Bytes>
  readonly #pairs: readonly PairSetup[]

  constructor(readonly context: OtSetupContext) {
    this.#pairs = context.peers.map((peer) => startPair(context, peer))
    this.first = new Map(this.#pairs.map(({ peer, receiver }) => [peer.party, receiver.first]))
  }

  answer(first: ReadonlyMap<PartyId, Bytes>): ReadonlyMap<PartyId, Bytes> {
    const out = new Map<PartyId, Bytes>()
    for (const pair of this.#pairs) {
      const { party } = pair.peer
      const theirs = messageOf(first, party, OT1_SIZE)
      const sidOt = otSessionId(this.context, pair.peer, this.context.self)
      const sent = answerBaseOt(sidOt, theirs, this.context.rng)
      if (sent === undefined) throw fault(party, "a base-OT point does not decode")
      const second = concat(sent.second, correct(sidOt, sent.keys))
      pair.bob = bobState(sidOt, sent.keys)
      pair.answered = { first: theirs, second }
      for (const keys of sent.keys) keys.fill(0)
      out.set(party, second)
    }
    return out
  }

  finish(
    second: ReadonlyMap<PartyId, Bytes>,
    epochId: Bytes,
    zeroHalves: ReadonlyMap<PartyId, ZeroHalves>,
  ): readonly PairState[] {
    const alices = new Map<PartyId, Secret>()
    try {
      // Checks all of them before it makes any state, because one failure discards the whole set-up.
      for (const pair of this.#pairs) alices.set(pair.peer.party, Secret.take(this.#alice(pair, second)))
      return this.#pairs.map((pair) => {
        const alice = alices.get(pair.peer.party)
        const halves = zeroHalves.get(pair.peer.party)
        if (alice === undefined || halves === undefined) throw new TypeError("a pair is incomplete")
        return this.#state(pair, alice, messageOf(second, pair.peer.party, OT2_SIZE), epochId, halves)
      })
    } catch (error) {
      for (const alice of alices.values()) alice.wipe()
      throw error
    }
  }

  [Symbol.dispose](): void {
    for (const pair of this.#pairs) pair[Symbol.dispose]()
  }

  #alice(pair: PairSetup, second: ReadonlyMap<PartyId, Bytes>): Bytes {
    const { party } = pair.peer
    const theirs = messageOf(second, party, OT2_SIZE)
    const keys = pair.receiver.finish(theirs.subarray(0, SECOND_LENGTH))
    if (keys === undefined) throw fault(party, "the base-OT answer does not decode")
    const sidOt = otSessionId(this.context, this.context.self, pair.peer)
    const state = aliceState(sidOt, keys, pair.receiver.choices, theirs.subarray(SECOND_LENGTH))
    keys.fill(0)
    if (state === undefined) throw fault(party, "the PPRF corrections do not match their digest")
    return state
  }

  #state(pair: PairSetup, alice: Secret, second: Bytes, epochId: Bytes, halves: ZeroHalves): PairState {
    const { sid, h1, self } = this.context
    const { bob, answered, peer, receiver } = pair
    if (bob === undefined || answered === undefined) throw new TypeError("the set-up was finished before it answered")
    const selfIsLow = self.x < peer.x
    const ids = (selfIsLow ? [self, peer] : [peer, self]).map(({ x }) => K1.encodeScalar(x))
    const asReceiver = sha256(concat(receiver.first, second))
    const asSender = sha256(concat(answered.first, answered.second))
    const transcripts = selfIsLow ? [asReceiver, asSender] : [asSender, asReceiver]
    const seeds = selfIsLow ? [halves.sent, halves.received] : [halves.received, halves.sent]
    return {
      peer: peer.party,
      pairId: H("pair", epochId, ...ids, ...transcripts),
      zeroSeed: Secret.take(H("zseed", sid, h1, ...ids, ...seeds)),
      otAlice: alice,
      otBob: Secret.from(bob),
    }
  }
}

function startPair(context: OtSetupContext, peer: Member): PairSetup {
  const receiver = new BaseOtReceiver(otSessionId(context, context.self, peer), context.rng)
  return {
    peer,
    receiver,
    bob: undefined,
    answered: undefined,
    [Symbol.dispose]() {
      receiver[Symbol.dispose]()
      this.bob?.fill(0)
    },
  }
}

/** H("ot/sid"; sid, h1, sc(x_R), sc(x_S)): ordered, so the two directions of a pair differ. */
const otSessionId = ({ sid, h1 }: OtSetupContext, receiver: Member, sender: Member): Bytes =>
  H("ot/sid", sid, h1, K1.encodeScalar(receiver.x), K1.encodeScalar(sender.x))

function messageOf(messages: ReadonlyMap<PartyId, Bytes>, party: PartyId, length: number): Bytes {
  const message = messages.get(party)
  if (message?.length !== length) throw new TypeError("an OT message is missing or of the wrong length")
  return message
}
