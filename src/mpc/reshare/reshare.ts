/**
 * Resharing (threshold.md 6): the set-up that deals the shares of an old epoch again, each as a_{i,0} = lambda_i s_i,
 * so that the key stays and every share changes. A refresh is the case in which all nodes stay. The rounds are those of the
 * set-up; this file defines which secrets the deals must contain.
 */
import { type Bytes, concat, copy, equal } from "../../bytes.ts"
import { type Curve, curveNamed, type Point } from "../../crypto/curve.ts"
import { evaluateCommitted } from "../../crypto/feldman.ts"
import type { Rng } from "../../crypto/random.ts"
import { lagrange } from "../../crypto/shamir.ts"
import type { GroupPublic } from "../../keys/group.ts"
import type { Member, PartyId } from "../../keys/party.ts"
import { Blame, fault, sessionAbort } from "../blame.ts"
import { participantsOf, roundsOf } from "../dkg/rounds.ts"
import { type Agreed, type DealSource, type SetUp, setUp } from "../dkg/setUp.ts"
import type { StartOtSetup } from "../dkls/setup.ts"
import { PROTOCOL } from "../envelope.ts"
import type { Protocol } from "../exchange.ts"
import { allDefined, fieldsOf, takeMany } from "../layout.ts"
import type { ReshareSpec, SessionResult } from "../session.ts"
import type { SessionShape } from "../shape.ts"
import { ascending } from "../sid.ts"

const EPOCH_ID_LENGTH = 32
const CHAIN_CODE_LENGTH = 32

/** `startOtSetup`: required on secp256k1, not used on Ed25519. host.ts has checked the specification. */
export function reshare(
  spec: ReshareSpec,
  sid: Bytes,
  startOtSetup: StartOtSetup | undefined,
  rng: Rng,
): Protocol<SessionResult> {
  return setUp({ ...outline(spec, startOtSetup), sid, rng, source: dealtAgain(spec) })
}

export function reshareShape(spec: ReshareSpec, startOtSetup: StartOtSetup | undefined): SessionShape {
  const omit = outline(spec, startOtSetup)
  const rounds = roundsOf({ ...omit, source: { statementLength: statementLength(spec) } })
  return { protocol: PROTOCOL.reshare, participants: participantsOf(omit), rounds }
}

function outline(spec: ReshareSpec, startOtSetup: StartOtSetup | undefined): Omit<SetUp, "sid" | "rng" | "source"> {
  return {
    curve: curveNamed(spec.curve),
    self: spec.self,
    threshold: spec.newThreshold,
    dealers: ascending(spec.dealers),
    members: ascending(spec.members),
    startOtSetup: spec.curve === "secp256k1" ? startOtSetup : undefined,
    record: {
      groupId: spec.newGroupId,
      mode: spec.mode,
      createdMs: spec.createdMs,
      ...(spec.suite && { suite: spec.suite }),
    },
  }
}

/** A dealer's statement about the epoch that it deals again: its id and its commitments (pubpkg of threshold.md 6.1). */
const statementLength = (spec: ReshareSpec): number =>
  EPOCH_ID_LENGTH + spec.oldThreshold * curveNamed(spec.curve).pointLength

function dealtAgain(spec: ReshareSpec): DealSource {
  const curve = curveNamed(spec.curve)
  const own = spec.old && statementOf(spec.old.group)
  return {
    statementLength: statementLength(spec),
    statement: own ?? new Uint8Array(0),
    constant: ownConstant(curve, spec),
    chainCode: spec.old === undefined ? new Uint8Array(CHAIN_CODE_LENGTH) : copy(spec.old.group.chainCode),
    agree: (statements) => agree(curve, spec, own, statements),
    chainCodeOf: (_, dealt) => oneChainCode(spec, dealt),
  }
}

const statementOf = (group: GroupPublic): Bytes => concat(group.epochId, ...group.commitments)

/** lambda_{i,O} s_i of a dealer; undefined for everybody else. */
function ownConstant(curve: Curve, spec: ReshareSpec): bigint | undefined {
  const at = spec.dealers.findIndex(({ party }) => party === spec.self)
  if (at < 0) return undefined
  const share = curve.decodeScalar(spec.old?.secret?.share.expose() ?? new Uint8Array(0))
  const lambda = lagrange(
    curve,
    spec.dealers.map(({ x }) => x),
  )[at]
  if (share === undefined || lambda === undefined) throw new TypeError("a dealer deals a share that was checked")
  return curve.mod(lambda * share)
}

/**
 * All dealers must deal the same epoch, and it must be the one that this node knows. A dissenting dealer is named only in the
 * reason: an old state, restored or left behind, is no misbehaviour.
 */
function agree(
  curve: Curve,
  spec: ReshareSpec,
  own: Bytes | undefined,
  statements: ReadonlyMap<PartyId, Bytes>,
): Agreed {
  const expected = own ?? [...statements].sort(([a], [b]) => (a < b ? -1 : 1))[0]?.[1]
  if (expected === undefined) throw new TypeError("a reshare has a dealer")
  const dissenters = [...statements].filter(([, statement]) => !equal(statement, expected)).map(([party]) => party)
  if (dissenters.length > 0) throw sessionAbort(`epoch mismatch: ${dissenters.sort().join(", ")}`)

  const take = fieldsOf(expected)
  const epochId = copy(take(EPOCH_ID_LENGTH))
  const commitments = takeMany(take, spec.oldThreshold, curve.pointLength)
  const points = allDefined(commitments.map((bytes) => curve.decodePoint(bytes)))
  if (points === undefined) throw new Blame("FAULT", [...statements.keys()].sort(), "a commitment is not a point")
  if (!equal(commitments[0] ?? epochId, spec.rootPublicKey)) throw sessionAbort("the dealers deal another key")
  const dealers = ascending(spec.dealers)
  return {
    constants: constantsOf(curve, dealers, points),
    publicKey: spec.rootPublicKey,
    parent: { groupId: spec.oldGroupId, epochId, dealers: dealers.map(({ party }) => party) },
  }
}

/** lambda_{i,O} S_i of each dealer, from the one polynomial that all of them committed to. */
function constantsOf(curve: Curve, dealers: readonly Member[], points: readonly Point[]): ReadonlyMap<PartyId, Point> {
  const lambdas = lagrange(
    curve,
    dealers.map(({ x }) => x),
  )
  return new Map(
    dealers.map(({ party, x }, i) => [
      party,
      curve.multiplyPublic(evaluateCommitted(curve, points, x), lambdas[i] ?? 0n),
    ]),
  )
}

/**
 * The chain code that all dealers dealt. Each was bound by its dealer's commitment, so no dealer showed two. A node that
 * holds the old record knows who lies. A node that has the chain code only from the task does not know whether the task is right.
 */
function oneChainCode(
  { self, old, chainCode }: ReshareSpec,
  dealt: readonly { readonly dealer: Member; readonly chainCode: Bytes }[],
): Bytes {
  for (const { dealer, chainCode: theirs } of dealt) {
    if (equal(theirs, chainCode) || dealer.party === self) continue
    throw old === undefined ? sessionAbort("chain code mismatch") : fault(dealer.party, "it deals another chain code")
  }
  return copy(chainCode)
}
