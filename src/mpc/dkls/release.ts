/**
 * Round 3 of a signature: opens and checks every peer's products. Only when all of them are correct, it records that this
 * party's share of the signatures leaves, and sends it.
 */
import { type Bytes, beToBig, concat, equal } from "../../bytes.ts"
import { opens } from "../../crypto/commit.ts"
import { K1, type Point } from "../../crypto/curve.ts"
import { sha256 } from "../../crypto/frame.ts"
import { padsId } from "../../crypto/otExtension.ts"
import type { Rng } from "../../crypto/random.ts"
import { multiplyAsBob, type Products } from "../../crypto/rvole.ts"
import { fault, sessionAbort } from "../blame.ts"
import { allOf, exchange, type Protocol, record } from "../exchange.ts"
import { DKLS } from "../stages.ts"
import { type CheckResult, guarded } from "./check.ts"
import { type AfterCommit, at, speakerOf } from "./commit.ts"
import { type Product, type Shares, sharesCodec } from "./messages.ts"
import type { AfterMultiply, Multiplied } from "./multiply.ts"
import { type SignerContext, unattributed } from "./signerContext.ts"

export interface Released {
  /** Per message: enc(R) of the nonce point, and r = x(R) mod q. */
  readonly R: readonly Bytes[]
  readonly r: readonly bigint[]
  /** Everybody's (w, u), this party's own included. */
  readonly shares: readonly Shares[]
}

export function* release(signer: SignerContext, committed: AfterCommit, mine: AfterMultiply): Protocol<Released> {
  const { context, count, peers } = signer
  for (const link of mine.links) {
    if (!isOpened(signer, link)) throw fault(link.pair.party, "round 2: the commitment does not open")
  }
  const theirs: (readonly Products[])[] = []
  for (const link of mine.links) {
    const check = () => finishAsBob(committed, link, context.rng)
    theirs.push(yield* guarded(link.pair.party, "multiplication", check))
  }
  const R = noncePoints(signer, committed, mine)
  const r = R.map(xCoordinate)
  const own = signatureShares(signer, committed, mine, theirs, r)
  const send = sharesCodec(count).encode(own)
  yield* record({ kind: "emitted", digest: sha256(send) })
  const heard = yield* exchange({ stage: DKLS.release, broadcast: { send, from: allOf(peers, sharesCodec(count)) } })
  return { R, r, shares: [own, ...heard.broadcasts.values()] }
}

/** enc(R) per message, where R is the sum of everybody's nonces. Also checks that the key shares sum to the message's key. */
function noncePoints(signer: SignerContext, { nonces }: AfterCommit, { pk, links }: AfterMultiply): readonly Bytes[] {
  const { messages } = signer.context
  const keys = messages.map((_, n) => sum(at(pk, n), links, (product) => at(product.pk, n)))
  const points = messages.map((_, n) => sum(at(nonces.R, n), links, (product) => at(product.R, n)))
  const isKey = keys.every((key) => !K1.isIdentity(key))
  if (!isKey || !K1.encodePoints(keys).every((key, n) => equal(key, at(messages, n).publicKey))) {
    throw unattributed(signer, "the key shares do not add up")
  }
  if (points.some(K1.isIdentity)) throw sessionAbort("the nonces cancel out")
  return K1.encodePoints(points)
}

/** Whether the commitment of round 1 was to the nonce sent with it and to these R. */
function isOpened({ context }: SignerContext, { pair, commit, product }: Multiplied): boolean {
  const committed = concat(commit.nonce, product.encodedR)
  return opens(commit.commitment, context.sid, speakerOf(pair.party, pair.x), "sign", committed, product.salt)
}

/** Finishes RVOLE as Bob, and checks that the peer multiplied by the inputs that R and pk show. Evaluates all messages, even after a failure. */
function finishAsBob(committed: AfterCommit, link: Multiplied, rng: Rng): CheckResult<readonly Products[]> {
  const { pair, bob, product, commit } = link
  const psid2 = padsId(bob.psid1, commit.nonce, bob.extended.message)
  const count = committed.nonces.r.length
  const { passed, shares } = multiplyAsBob(psid2, bob.extended, pair.bobGadget, count, product.multiplication)
  const consistent = shares.map((d, n) => isConsistent(product, n, at(bob.chi, n), d, randomWeight(rng)))
  return { passed: passed && !consistent.includes(false), value: shares }
}

/**
 * c1: chi R = d^u G + Gu and c2: chi pk = d^v G + Gv, as c1 + rho c2 for a random rho drawn after the message came in: if
 * either is wrong, at most one rho passes. The multiplications by chi and d are constant time.
 */
function isConsistent(product: Product, n: number, chi: bigint, [du, dv]: Products, rho: bigint): boolean {
  const left = K1.multiplyOnce(K1.add(at(product.R, n), K1.checkedSum(0n, [at(product.pk, n)], [rho])), chi)
  const claimed = K1.add(at(product.Gu, n), K1.checkedSum(0n, [at(product.Gv, n)], [rho]))
  return K1.equals(left, K1.add(K1.multiplyBaseOnce(du + rho * dv), claimed))
}

/** The cube root of unity of secp256k1's endomorphism. */
const LAMBDA = 0x5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72n

/**
 * rho = a + b LAMBDA for uniform 64-bit a and b: 2^128 different weights modulo q, since LAMBDA has no representation by
 * numbers that short. The curve arithmetic splits scalars along LAMBDA, so this multiplication costs half of any other.
 */
function randomWeight(rng: Rng): bigint {
  const bytes = rng(16)
  return K1.mod(beToBig(bytes.subarray(0, 8)) + beToBig(bytes.subarray(8)) * LAMBDA)
}

const sum = (own: Point, links: readonly Multiplied[], pick: (product: Product) => Point): Point =>
  links.reduce((total, { product }) => K1.add(total, pick(product)), own)

/** r = x(R) mod q. */
function xCoordinate(R: Bytes): bigint {
  const r = K1.mod(beToBig(R.subarray(1)))
  if (r === 0n) throw sessionAbort("the nonces cancel out")
  return r
}

/** w_i = m phi_i + r v_i and u_i = r_i Phi + its products, per message. */
function signatureShares(
  { context }: SignerContext,
  { nonces }: AfterCommit,
  { sk, links }: AfterMultiply,
  theirs: readonly (readonly Products[])[],
  r: readonly bigint[],
): Shares {
  const both = context.messages.map(({ digest }, n) => {
    const phi = links.reduce((total, { product }) => total + at(product.psi, n), at(nonces.phi, n))
    const products = [...links.map(({ shares }) => at(shares, n)), ...theirs.map((shares) => at(shares, n))]
    const u = products.reduce((total, [share]) => total + share, at(nonces.r, n) * phi)
    const v = products.reduce((total, [, share]) => total + share, at(sk, n) * phi)
    return { w: K1.mod(beToBig(digest) * at(nonces.phi, n) + at(r, n) * v), u: K1.mod(u) }
  })
  return { w: both.map(({ w }) => w), u: both.map(({ u }) => u) }
}
