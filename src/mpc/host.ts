/**
 * Hosts sessions: turns a specification, which is plain data, into a running protocol. The caller supplies everything else, so
 * that it runs in a worker as well as on the main thread. Other code decides which task may begin; this
 * file refuses a specification from which no session can be made.
 */
import { type Bytes, equal, toHex } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { sha256 } from "../crypto/frame.ts"
import { type Entropy, type Rng, sessionRandom } from "../crypto/random.ts"
import { areShareIds } from "../crypto/shamir.ts"
import { CosignerError, describe } from "../errors.ts"
import { DerivationCache } from "../keys/derive.ts"
import { checkGroup, checkShare, type GroupPublic, MAX_MEMBERS, MIN_THRESHOLD } from "../keys/group.ts"
import { encodeGroupPublic } from "../keys/groupCodec.ts"
import type { Member, PartyId } from "../keys/party.ts"
import { dkg, dkgShape } from "./dkg/dkg.ts"
import { startOtSetup } from "./dkls/otSetup.ts"
import { GadgetCache } from "./dkls/pairs.ts"
import { ecdsaShape } from "./dkls/shape.ts"
import { signEcdsa } from "./dkls/sign.ts"
import type { Identity } from "./envelope.ts"
import type { Protocol } from "./exchange.ts"
import { frostShape, frostSign } from "./frost/sign.ts"
import { ED25519_SHA512, SECP256K1_SHA256_TR } from "./frost/suite.ts"
import { reshare, reshareShape } from "./reshare/reshare.ts"
import { runSession } from "./run.ts"
import type {
  DkgSpec,
  HostIo,
  MessageSignature,
  ReshareSpec,
  RunningSession,
  SessionResult,
  SessionSpec,
  SignSpec,
} from "./session.ts"
import type { SessionShape } from "./shape.ts"
import { dkgSid, MAX_BATCH, membersOf, reshareSid, signPayload, signSid } from "./sid.ts"
import { type SigningKey, signingKeys } from "./signingKey.ts"

/** A session made from its specification, before it runs. */
export interface Prepared {
  readonly sid: Bytes
  readonly shape: SessionShape
  protocol(rng: Rng): Protocol<SessionResult>
}

/**
 * `entropy` is called once per session and never gives the same value twice (threshold.md 1.5). If no session can be made from a
 * specification, it ends as crashed with its code, before `begin`.
 */
export function sessionHost(
  identity: Identity,
  entropy: () => Entropy,
): (spec: SessionSpec, io: HostIo) => RunningSession {
  const gadgets = new GadgetCache()
  const derived = new DerivationCache()
  const sound = new Set<string>()
  return (spec, io) => {
    try {
      requireSound(spec, sound)
      const { sid, shape, protocol } = prepareSession(spec, identity.party, gadgets, derived)
      const begin = () => io.begin(sid)
      return runSession({ sid, identity, shape, begin }, protocol(sessionRandom(entropy(), sid)), io)
    } catch (error) {
      if (error instanceof CosignerError) return refused(error)
      throw error
    }
  }
}

/** Throws an error with a code if no session can be made, also if the share does not belong to the record. */
export function prepareSession(
  spec: SessionSpec,
  self: PartyId,
  gadgets: GadgetCache,
  derived = new DerivationCache(),
): Prepared {
  if (spec.self !== self) throw new CosignerError("E-TSK-008", {})
  switch (spec.protocol) {
    case "dkg":
      return prepareDkg(spec)
    case "sign":
      return prepareSign(spec, gadgets, derived)
    case "reshare":
      return prepareReshare(spec)
  }
}

/** Checks that the record's points fit together (threshold.md 10.3 no. 23); once per host, because it costs t*n multiplications. */
function requireSound(spec: SessionSpec, sound: Set<string>): void {
  const group = spec.protocol === "sign" ? spec.group : spec.protocol === "reshare" ? spec.old?.group : undefined
  if (group === undefined) return
  const name = toHex(sha256(encodeGroupPublic(group)))
  if (sound.has(name)) return
  checkGroup(group)
  sound.add(name)
}

const refuse = (problem: string) => new CosignerError("E-TSK-009", { problem })

/** Bounds for a set of nodes that hold, or will hold, shares of one polynomial. */
function requireSharers(curve: CurveName, threshold: number, members: readonly Member[]): void {
  if (members.length > MAX_MEMBERS) throw refuse(`${members.length} members, and ${MAX_MEMBERS} are the most`)
  if (!Number.isInteger(threshold) || threshold < MIN_THRESHOLD || threshold > members.length) {
    throw refuse(`threshold ${threshold} of ${members.length} members`)
  }
  if (new Set(members.map(({ party }) => party)).size !== members.length) throw refuse("a participant is named twice")
  const shareIds = members.map(({ x }) => x)
  if (!areShareIds(curveNamed(curve), shareIds)) throw refuse("share ids are not distinct scalars")
}

/** Ed25519 has no pairs, so there is nothing to confirm. */
function requireSuite({ curve, suite }: DkgSpec | ReshareSpec): void {
  if (suite !== undefined && curve !== "secp256k1") throw refuse(`suite ${suite} on ${curve}`)
}

function prepareDkg(spec: DkgSpec): Prepared {
  const { members, threshold } = spec
  requireSharers(spec.curve, threshold, members)
  if (!members.some(({ party }) => party === spec.self)) throw new CosignerError("E-TSK-008", {})
  requireSuite(spec)
  const sid = dkgSid(spec)
  return {
    sid,
    shape: dkgShape(spec, startOtSetup),
    protocol: (rng) => dkg(spec, sid, startOtSetup, rng),
  }
}

function prepareReshare(spec: ReshareSpec): Prepared {
  requireSharers(spec.curve, spec.oldThreshold, spec.dealers)
  requireSharers(spec.curve, spec.newThreshold, spec.members)
  if ((spec.mode === "replace") !== (spec.oldGroupId === spec.newGroupId)) {
    throw refuse("replace keeps the group id, extend makes another")
  }
  const isDealer = spec.dealers.some(({ party }) => party === spec.self)
  if (!isDealer && !spec.members.some(({ party }) => party === spec.self)) throw new CosignerError("E-TSK-008", {})
  if (spec.old !== undefined) requireOld(spec, spec.old.group)
  if (isDealer) {
    if (spec.old?.secret === undefined || spec.old.group.status !== "ACTIVE") {
      throw new CosignerError("E-TSK-006", { groupId: spec.oldGroupId })
    }
    checkShare(spec.old.group, spec.old.secret, spec.self)
  }
  requireSuite(spec)
  const sid = reshareSid(spec)
  return {
    sid,
    shape: reshareShape(spec, startOtSetup),
    protocol: (rng) => reshare(spec, sid, startOtSetup, rng),
  }
}

/** The old group in the task must be the old group of the record. */
function requireOld(spec: ReshareSpec, old: GroupPublic): void {
  const [publicKey] = old.commitments
  const sameKey = publicKey && equal(publicKey, spec.rootPublicKey) && equal(old.chainCode, spec.chainCode)
  if (old.groupId !== spec.oldGroupId || old.curve !== spec.curve || !sameKey) {
    throw new CosignerError("E-TSK-007", { groupId: spec.oldGroupId })
  }
  if (old.threshold !== spec.oldThreshold) throw refuse(`the old threshold is ${old.threshold}`)
  const isMember = ({ party, x }: Member) =>
    old.members.some((member) => member.party === party && member.shareId === x)
  if (!spec.dealers.every(isMember)) throw refuse("a dealer is no member of the old group")
}

function prepareSign(spec: SignSpec, gadgets: GadgetCache, derived: DerivationCache): Prepared {
  const { algorithm, group, messages, secret, self } = spec
  if (group.status !== "ACTIVE") throw new CosignerError("E-TSK-006", { groupId: group.groupId })
  if ((algorithm === "eddsa") !== (group.curve === "ed25519")) {
    throw new CosignerError("E-TSK-010", { algorithm, curve: group.curve })
  }
  requireParties(spec.signers, self)
  const signers = membersOf(group, spec.signers)
  if (signers.length !== spec.signers.length || signers.length !== group.threshold) {
    throw new CosignerError("E-TSK-009", { problem: `${signers.length} signers where it takes ${group.threshold}` })
  }
  requireMessages(spec)
  checkShare(group, secret, self)
  const keys = signingKeys(group, algorithm, messages, derived)
  const sid = signSid(spec, keys)
  if (algorithm === "ecdsa") return ecdsa(spec, keys, sid, gadgets)
  const session = {
    suite: algorithm === "eddsa" ? ED25519_SHA512 : SECP256K1_SHA256_TR,
    self,
    signers,
    commitments: group.commitments,
    share: secret.share,
    requests: paired(keys, messages).map(([key, { message }]) => ({ key, message })),
    digest: signPayload(algorithm, messages, keys, spec.terms),
  }
  return { sid, shape: frostShape(session), protocol: (rng) => signed(frostSign({ ...session, rng })) }
}

function ecdsa(spec: SignSpec, keys: readonly SigningKey[], sid: Bytes, gadgets: GadgetCache): Prepared {
  const { self, group, secret, signers } = spec
  const messages = paired(keys, spec.messages).map(([{ offset, publicKey }, { message }]) => ({
    digest: message,
    tweak: offset,
    publicKey,
  }))
  return {
    sid,
    shape: ecdsaShape(self, signers, messages.length),
    protocol: (rng) => signed(signEcdsa({ sid, self, group, secret, signers, messages, rng, gadgets })),
  }
}

function* signed(protocol: Protocol<readonly MessageSignature[]>): Protocol<SessionResult> {
  return { kind: "signatures", signatures: yield* protocol }
}

/** Distinct, and this node among them. */
function requireParties(parties: readonly PartyId[], self: PartyId): void {
  if (new Set(parties).size !== parties.length) {
    throw new CosignerError("E-TSK-009", { problem: "a participant is named twice" })
  }
  if (!parties.includes(self)) throw new CosignerError("E-TSK-008", {})
}

function requireMessages({ algorithm, messages }: SignSpec): void {
  if (messages.length < 1 || messages.length > MAX_BATCH) {
    const problem = `a session signs 1 to ${MAX_BATCH} messages`
    throw new CosignerError("E-TSK-011", { index: messages.length, problem })
  }
  for (const [index, { message, taproot }] of messages.entries()) {
    const bad = (problem: string) => new CosignerError("E-TSK-011", { index, problem })
    if (algorithm !== "eddsa" && message.length !== 32) throw bad("a digest has 32 bytes")
    if (taproot === undefined) continue
    if (algorithm !== "bip340") throw bad("only BIP-340 signatures take a Taproot tweak")
    if (taproot.length !== 0 && taproot.length !== 32) throw bad("a merkle root has 32 bytes")
  }
}

const paired = <A, B>(a: readonly A[], b: readonly B[]): readonly (readonly [A, B])[] =>
  a.flatMap((one, i) => {
    const other = b[i]
    return other === undefined ? [] : [[one, other] as const]
  })

const refused = (error: CosignerError): RunningSession => ({
  sid: new Uint8Array(32),
  ending: Promise.resolve({ kind: "crashed", reason: describe(error) }),
  deliver: () => {},
  cancel: () => {},
})
