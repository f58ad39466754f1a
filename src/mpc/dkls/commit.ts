/**
 * Round 1 of a signature. To everybody: nonces and the commitment to them. To each peer: the confirmation of the pair's state, and
 * the OT extension with this party as Bob, whose choice bits encode its multipliers.
 */
import { type Bytes, concat, secretEqual } from "../../bytes.ts"
import { commitTo, SALT_LENGTH, type Speaker } from "../../crypto/commit.ts"
import { K1, type Point } from "../../crypto/curve.ts"
import { type Extended, extend, extensionId } from "../../crypto/otExtension.ts"
import { XI } from "../../crypto/parameters.ts"
import { type Rng, randomScalar } from "../../crypto/random.ts"
import { multipliers } from "../../crypto/rvole.ts"
import { type PartyId, partyBytes } from "../../keys/party.ts"
import { sessionAbort } from "../blame.ts"
import { allOf, exchange, type Protocol } from "../exchange.ts"
import { ephemeralKey, type SealingKeys } from "../seal.ts"
import { DKLS } from "../stages.ts"
import { confirmation } from "./confirmation.ts"
import { type Commit, commitCodec, type Offer, offerCodec } from "./messages.ts"
import type { OpenPair } from "./pairs.ts"
import type { OpenSignerContext } from "./signerContext.ts"

/** One nonce per message: r, its mask phi, and R = rG. */
interface Nonces {
  readonly r: readonly bigint[]
  readonly phi: readonly bigint[]
  readonly R: readonly Point[]
  readonly encodedR: Bytes
}

/** The instance of the pair's OT extension in which this party is Bob. */
interface AsBob {
  readonly psid1: Bytes
  readonly extended: Extended
  /** chi(n): this party's multiplier for message n. */
  readonly chi: readonly bigint[]
}

/** What this party knows about one peer after round 1. */
export interface Committed {
  readonly pair: OpenPair
  readonly bob: AsBob
  readonly commit: Commit
  readonly offer: Offer
}

export interface AfterCommit {
  readonly nonces: Nonces
  /** nu and salt of this party. */
  readonly nonce: Bytes
  readonly salt: Bytes
  readonly h1: Bytes
  readonly keys: SealingKeys
  readonly links: readonly Committed[]
}

/** Ends once every peer's state is confirmed: no OT is evaluated against a peer that holds another epoch (threshold.md 2.3). */
export function* commit(signer: OpenSignerContext): Protocol<AfterCommit> {
  const { context, scope, count, pairs, peers } = signer
  const { sid, self, rng } = context
  const nonces = drawNonces(rng, count)
  const nonce = rng(32)
  const salt = rng(SALT_LENGTH)
  scope.defer(() => salt.fill(0))
  const eph = scope.use(ephemeralKey(rng))
  const bobs = pairs.map((pair) => startAsBob(signer, pair, nonce))
  const commitment = commitTo(sid, speakerOf(self, signer.x), "sign", concat(nonce, nonces.encodedR), salt)
  const heard = yield* exchange({
    stage: DKLS.commit,
    broadcast: {
      send: commitCodec.encode({ nonce, ephemeral: eph.publicKey, commitment }),
      from: allOf(peers, commitCodec),
    },
    direct: {
      channel: "clear",
      send: new Map(
        pairs.map((pair, i) => [
          pair.party,
          offerCodec(count).encode({
            confirmation: confirmation(pair, sid, signer.x, pair.x, nonce),
            extension: at(bobs, i).extended.message,
          }),
        ]),
      ),
      from: allOf(peers, offerCodec(count)),
    },
  })
  const links = pairs.map((pair, i): Committed => {
    const commit = of(heard.broadcasts, pair.party)
    const offer = of(heard.directs, pair.party)
    const expected = confirmation(pair, sid, pair.x, signer.x, commit.nonce)
    if (!secretEqual(offer.confirmation, expected)) throw sessionAbort("epoch mismatch")
    return { pair, bob: at(bobs, i), commit, offer }
  })
  const ephemerals = new Map([...heard.broadcasts].map(([party, { ephemeral }]) => [party, ephemeral]))
  return { nonces, nonce, salt, h1: heard.view, keys: scope.use(eph.agree(sid, self, ephemerals)), links }
}

function drawNonces(rng: Rng, count: number): Nonces {
  const draw = () => Array.from({ length: count }, () => randomScalar(rng, K1.order))
  const r = draw()
  const R = r.map((scalar) => K1.multiplyBaseOnce(scalar))
  return { r, phi: draw(), R, encodedR: concat(...K1.encodePoints(R)) }
}

function startAsBob({ context, scope, x, count }: OpenSignerContext, pair: OpenPair, nonce: Bytes): AsBob {
  const psid1 = extensionId(context.sid, pair.pairId, x, pair.x, nonce)
  for (;;) {
    const extended = scope.use(extend(pair.bob, psid1, XI * count, context.rng))
    const chi = multipliers(extended.choices, pair.bobGadget, count)
    // A multiplier of 0 would check nothing; it occurs once in 2^256 tries.
    if (chi.every((b) => b !== 0n)) return { psid1, extended, chi }
  }
}

export const speakerOf = (party: PartyId, x: Bytes): Speaker => ({ nodeId: partyBytes(party), shareId: x })

/** The value of a party, which the exchange has waited for. */
export function of<T>(heard: ReadonlyMap<PartyId, T>, party: PartyId): T {
  const value = heard.get(party)
  if (value === undefined) throw new TypeError("a peer's message is missing")
  return value
}

/** Item n of a list with one item per message or peer. */
export function at<T>(list: readonly T[], n: number): T {
  const value = list[n]
  if (value === undefined) throw new TypeError("a list is shorter than the batch")
  return value
}
