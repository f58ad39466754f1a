/**
 * FROST signing (RFC 9591 section 5, threshold.md 7.3): two broadcasts, for a batch of messages under child keys of one group.
 *
 * It differs from the RFC's text only in the order of computation: the group commitment is one multi-scalar multiplication per
 * message, and shares are verified one by one only if the resulting signature does not verify.
 */
import { type Bytes, concat } from "../../bytes.ts"
import type { Curve, Point } from "../../crypto/curve.ts"
import { evaluateCommitted } from "../../crypto/feldman.ts"
import type { Rng } from "../../crypto/random.ts"
import { lagrange } from "../../crypto/shamir.ts"
import type { Member, PartyId } from "../../keys/party.ts"
import type { Secret } from "../../secret.ts"
import { Blame, sessionAbort } from "../blame.ts"
import { PROTOCOL } from "../envelope.ts"
import { allOf, by, exchange, type Protocol, record } from "../exchange.ts"
import type { MessageSignature } from "../session.ts"
import type { SessionShape } from "../shape.ts"
import { type SigningKey, signingPoint, signingScalar } from "../signingKey.ts"
import { FROST } from "../stages.ts"
import { commitmentsCodec, sharesCodec } from "./messages.ts"
import { NonceBatch, type NonceCommitment, NoncePair } from "./nonces.ts"
import type { Suite } from "./suite.ts"

export interface FrostRequest {
  readonly key: SigningKey
  readonly message: Bytes
}

interface FrostSession {
  readonly suite: Suite
  readonly self: PartyId
  /** Exactly threshold members, this party included, with their share ids. */
  readonly signers: readonly Member[]
  /** enc(A_0) .. enc(A_{t-1}) of the root; shares are verified with these, if this becomes necessary. */
  readonly commitments: readonly Bytes[]
  /** sc(s_i) of the root. */
  readonly share: Secret
  readonly requests: readonly FrostRequest[]
  /** Identifies the signed content in the record that a share has left. */
  readonly digest: Bytes
  readonly rng: Rng
}

export function frostShape(frostSession: Pick<FrostSession, "suite" | "self" | "signers" | "requests">): SessionShape {
  const { curve } = frostSession.suite
  const participants = frostSession.signers.map(({ party }) => party)
  const peers = participants.filter((party) => party !== frostSession.self)
  const count = frostSession.requests.length
  return {
    protocol: PROTOCOL.frost,
    participants,
    rounds: [
      { round: 1, broadcast: by(peers, () => commitmentsCodec(curve, count).size) },
      { round: 2, broadcast: by(peers, () => sharesCodec(curve, count).size) },
    ],
  }
}

export function* frostSign(frostSession: FrostSession): Protocol<readonly MessageSignature[]> {
  const { curve } = frostSession.suite
  const peers = frostSession.signers.map(({ party }) => party).filter((party) => party !== frostSession.self)
  const share = curve.decodeScalar(frostSession.share.expose())
  if (share === undefined || frostSession.signers.length !== frostSession.commitments.length)
    throw new TypeError("not a signer's session")

  // Round 1: commit to a nonce pair per message.
  using nonces = new NonceBatch(
    frostSession.suite,
    frostSession.requests.map(
      ({ key }) => new NoncePair(frostSession.suite, signingScalar(curve, key, share), frostSession.rng),
    ),
  )
  const own = nonces.commitments
  const commitCodec = commitmentsCodec(curve, frostSession.requests.length)
  const first = yield* exchange({
    stage: FROST.commit,
    broadcast: {
      send: commitCodec.encode({ nonce: frostSession.rng(32), pairs: own }),
      from: allOf(peers, commitCodec),
    },
  })

  // Round 2: a share of each signature, for this list of commitments and no other.
  const signers = signersOf(curve, frostSession.signers)
  const signings = frostSession.requests.map((request, n) => {
    const list = new Map([...first.broadcasts].map(([party, { pairs }]) => [party, pairs[n]]))
    return signingOf(frostSession, signers, request, list.set(frostSession.self, own[n]), nonces.pairs[n])
  })
  const mine = signings.map((signing, n) => signShare(frostSession, signing, share, nonces.pairs[n]))
  yield* record({ kind: "emitted", digest: frostSession.digest })
  const shareCodec = sharesCodec(curve, frostSession.requests.length)
  const second = yield* exchange({
    stage: FROST.release,
    broadcast: { send: shareCodec.encode(mine), from: allOf(peers, shareCodec) },
  })

  const shares = new Map(second.broadcasts).set(frostSession.self, mine)
  return signings.map((signing, n) =>
    aggregate(frostSession, signing, new Map([...shares].map(([party, z]) => [party, z[n] ?? 0n]))),
  )
}

/** The public state of one message's signature after round 1. */
interface Signing {
  readonly request: FrostRequest
  readonly signers: readonly SigningParty[]
  /** R in the form that it has in the signature. */
  readonly R: Bytes
  /** -1 if R must be negated to become the signature's R. */
  readonly sign: 1n | -1n
  readonly challenge: bigint
}

/** A signer as all messages of a session have it. */
interface SessionSigner {
  readonly member: Member
  /** sc(x_i). */
  readonly id: Bytes
  readonly lambda: bigint
}

interface SigningParty extends SessionSigner {
  readonly commitment: NonceCommitment
  readonly bindingFactor: bigint
}

/** In the order of the commitment list, which is that of their ids (RFC 9591 4.3). */
function signersOf(curve: Curve, members: readonly Member[]): readonly SessionSigner[] {
  const sorted = members.toSorted((a, b) => (a.x < b.x ? -1 : 1))
  const ids = sorted.map(({ x }) => x)
  const lambdas = lagrange(curve, ids)
  return sorted.map((member, i) => ({ member, id: curve.encodeScalar(member.x), lambda: lambdas[i] ?? 0n }))
}

/** RFC 9591 4.3 to 4.6: encode the list, bind every nonce to it, sum up. */
function signingOf(
  { suite, self }: FrostSession,
  signers: readonly SessionSigner[],
  request: FrostRequest,
  list: ReadonlyMap<PartyId, NonceCommitment | undefined>,
  nonces: NoncePair | undefined,
): Signing {
  const { curve } = suite
  const { key, message } = request
  const entries = signers.map((signer) => {
    const commitment = list.get(signer.member.party)
    if (commitment === undefined) throw new TypeError("a signer without commitments")
    return { ...signer, commitment }
  })
  const encodedList = concat(...entries.flatMap(({ id, commitment }) => [id, commitment.encoded]))
  const prefix = concat(key.encoded, suite.H4(message), suite.H5(encodedList))
  const parties = entries.map((entry) => ({ ...entry, bindingFactor: suite.H1(concat(prefix, entry.id)) }))
  const R = groupCommitment(curve, parties, self, nonces)
  if (curve.isIdentity(R)) throw sessionAbort("the nonces cancel out")
  const encoded = curve.encodePoint(R)
  const inSignature = suite.inSignature(encoded)
  return {
    request,
    signers: parties,
    R: inSignature,
    sign: suite.negatesNonces(encoded) ? -1n : 1n,
    challenge: suite.challenge(inSignature, key.publicKey, message),
  }
}

/** R = sum of D_j + rho_j E_j; this party computes its own term from its nonces. */
function groupCommitment(
  curve: Curve,
  parties: readonly SigningParty[],
  self: PartyId,
  nonces: NoncePair | undefined,
): Point {
  const own = parties.find(({ member }) => member.party === self)
  if (own === undefined || nonces === undefined) throw new TypeError("this party is no signer")
  const peers = parties.filter((party) => party !== own)
  const hiding = peers.reduce((sum, { commitment }) => curve.add(sum, commitment.D), nonces.bound(own.bindingFactor))
  const binding = curve.sumOfProductsPublic(
    peers.map(({ commitment }) => commitment.E),
    peers.map(({ bindingFactor }) => bindingFactor),
  )
  return curve.add(hiding, binding)
}

/** z_i = ±(d_i + rho_i e_i) + lambda_i c s'_i. */
function signShare(frostSession: FrostSession, signing: Signing, share: bigint, nonces: NoncePair | undefined): bigint {
  const { curve } = frostSession.suite
  const me = signing.signers.find(({ member }) => member.party === frostSession.self)
  if (me === undefined || nonces === undefined) throw new TypeError("this party is no signer")
  const { d, e } = nonces.take()
  const s = signingScalar(curve, signing.request.key, share)
  return curve.mod(signing.sign * (d + me.bindingFactor * e) + curve.mod(me.lambda * signing.challenge) * s)
}

/** The signature, after another implementation has verified it; otherwise FAULT of all parties whose shares are wrong. */
function aggregate(
  frostSession: FrostSession,
  signing: Signing,
  shares: ReadonlyMap<PartyId, bigint>,
): MessageSignature {
  const { suite } = frostSession
  const { key, message } = signing.request
  const z = suite.curve.mod([...shares.values()].reduce((sum, share) => sum + share, 0n))
  const signature = concat(signing.R, suite.curve.encodeScalar(z))
  if (suite.verify(key.publicKey, message, signature)) {
    return { publicKey: key.publicKey, signature, recoveryId: undefined }
  }
  const root = frostSession.commitments.map((encoded) => suite.curve.decodePoint(encoded) ?? suite.curve.identity)
  const cheaters = signing.signers
    .filter((party) => !isShareValid(suite.curve, root, signing, party, shares.get(party.member.party) ?? 0n))
    .map(({ member }) => member.party)
  if (cheaters.length === 0 || cheaters.includes(frostSession.self)) {
    throw new TypeError("valid shares made no signature, or our own share is not valid")
  }
  throw new Blame("FAULT", cheaters, "a signature share is not valid")
}

/** z_j G == ±(D_j + rho_j E_j) + lambda_j c S'_j. Views were equal, so all nodes judge by the same list. */
function isShareValid(
  curve: Curve,
  root: readonly Point[],
  { request, sign, challenge }: Signing,
  { member, commitment, bindingFactor, lambda }: SigningParty,
  share: bigint,
): boolean {
  const nonce = curve.add(commitment.D, curve.multiplyPublic(commitment.E, bindingFactor))
  const shareKey = signingPoint(curve, request.key, evaluateCommitted(curve, root, member.x))
  const expected = curve.add(
    sign === 1n ? nonce : curve.negate(nonce),
    curve.multiplyPublic(shareKey, curve.mod(lambda * challenge)),
  )
  return curve.equals(curve.multiplyBasePublic(share), expected)
}
