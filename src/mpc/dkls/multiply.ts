/**
 * Round 2 of a signature: checks every peer's OT extension, then multiplies as Alice by this party's nonces and additive
 * key shares, and opens its commitment. It sends nothing before all peers' extensions have passed.
 */
import type { Bytes } from "../../bytes.ts"
import { K1, type Point } from "../../crypto/curve.ts"
import { extensionId, type OtReceived, padsId, receive } from "../../crypto/otExtension.ts"
import { XI } from "../../crypto/parameters.ts"
import { randomScalar } from "../../crypto/random.ts"
import { type Inputs, multiplyAsAlice, type Products } from "../../crypto/rvole.ts"
import type { PartyId } from "../../keys/party.ts"
import { allOf, exchange, type Protocol } from "../exchange.ts"
import { DKLS } from "../stages.ts"
import { type CheckResult, guarded } from "./check.ts"
import { type AfterCommit, at, type Committed, of } from "./commit.ts"
import { type Product, productCodec } from "./messages.ts"
import { additiveShares, type OpenSignerContext } from "./signerContext.ts"

/** What this party knows about one peer after round 2. */
export interface Multiplied extends Committed {
  /** c(n): this party's shares of its own inputs times the peer's multiplier. */
  readonly shares: readonly Products[]
  readonly product: Product
}

export interface AfterMultiply {
  /** Additive key shares of this party per message, and their points. */
  readonly sk: readonly bigint[]
  readonly pk: readonly Point[]
  readonly links: readonly Multiplied[]
}

export function* multiply(signer: OpenSignerContext, committed: AfterCommit): Protocol<AfterMultiply> {
  const { count, peers } = signer
  const { rng } = signer.context
  const checked: OtReceived[] = []
  for (const link of committed.links) {
    checked.push(yield* guarded(link.pair.party, "OT extension", () => receiveFrom(signer, link)))
  }
  const sk = additiveShares(signer, committed.h1)
  const pk = sk.map((scalar) => K1.multiplyBaseOnce(scalar))
  const inputs = (): Inputs[] => sk.map((scalar, n) => [at(committed.nonces.r, n), scalar, randomScalar(rng, K1.order)])
  const results = committed.links.map((link, i) => {
    const psid2 = padsId(psid1AsAlice(signer, link), committed.nonce, link.offer.extension)
    return multiplyAsAlice(psid2, at(checked, i), link.pair.aliceGadget, inputs())
  })
  const products = committed.links.map((link, i): [PartyId, Bytes] => {
    const { shares, message } = at(results, i)
    return [link.pair.party, productCodec(count).encode(productFor(committed, link, pk, shares, message))]
  })
  const heard = yield* exchange({
    stage: DKLS.multiply,
    direct: { channel: committed.keys, send: new Map(products), from: allOf(peers, productCodec(count)) },
  })
  const links = committed.links.map((link, i) => ({
    ...link,
    shares: at(results, i).shares,
    product: of(heard.directs, link.pair.party),
  }))
  return { sk, pk, links }
}

/** psid1 of the instance in which the peer is Bob. */
const psid1AsAlice = ({ context, x }: OpenSignerContext, { pair, commit }: Committed): Bytes =>
  extensionId(context.sid, pair.pairId, pair.x, x, commit.nonce)

function receiveFrom(signer: OpenSignerContext, link: Committed): CheckResult<OtReceived> {
  const { alice } = link.pair
  const value = signer.scope.use(receive(alice, psid1AsAlice(signer, link), XI * signer.count, link.offer.extension))
  return { passed: value.passed, value }
}

const productFor = (
  { salt, nonces }: AfterCommit,
  { bob }: Committed,
  pk: readonly Point[],
  shares: readonly Products[],
  multiplication: Product["multiplication"],
): Product => ({
  salt,
  R: nonces.R,
  encodedR: nonces.encodedR,
  pk,
  Gu: shares.map(([u]) => K1.multiplyBaseOnce(u)),
  Gv: shares.map(([, v]) => K1.multiplyBaseOnce(v)),
  psi: bob.chi.map((chi, n) => K1.mod(at(nonces.phi, n) - chi)),
  multiplication,
})
