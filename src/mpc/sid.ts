/**
 * Session ids (threshold.md 2.1). Each node computes its own from its own records and the task that it approved. A node that means
 * another path, group, set or version means another session, and their messages never meet.
 */
import { type Bytes, concat, u8, u32be, u64be, utf8 } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { H } from "../crypto/frame.ts"
import { OT_PARAMETERS } from "../crypto/parameters.ts"
import { type GroupPublic, NO_EPOCH } from "../keys/group.ts"
import { type Member, type PartyId, partyBytes } from "../keys/party.ts"
import type { Algorithm, DkgSpec, MessageToSign, ReshareSpec, SignSpec, SuiteTerms } from "./session.ts"
import type { SigningKey } from "./signingKey.ts"

/** Messages of one session; a larger task is split (threshold.md 5.10). The frame itself would allow 62. */
export const MAX_BATCH = 32

interface SidInput {
  readonly curve: CurveName
  /** dkg, reshare, or one of SIGNING. */
  readonly protocol: string
  readonly taskId: string
  readonly attempt: number
  readonly groupId: string
  readonly epochId: Bytes
  readonly threshold: number
  /** All members of the group; in a reshare of the new one. */
  readonly members: readonly Member[]
  /** The signers, or the dealers of a set-up. */
  readonly active: readonly Member[]
  readonly payload: Bytes
  readonly suite: 1 | 2 | 3
  /** For a signature of suite 2: the start's 16 random bytes. A set-up is recognised later by an id computed from its task alone. */
  readonly startNonce?: Bytes
}

function sessionId(sidInput: SidInput): Bytes {
  const curve = curveNamed(sidInput.curve)
  const list = (members: readonly Member[]): readonly Bytes[] => [
    u32be(members.length),
    ...ascending(members).flatMap(({ party, x }) => [partyBytes(party), curve.encodeScalar(x)]),
  ]
  return H(
    "sid",
    utf8(sidInput.curve),
    utf8(sidInput.protocol),
    utf8(String(sidInput.suite)),
    sidInput.curve === "secp256k1" ? OT_PARAMETERS : new Uint8Array(0),
    utf8(sidInput.taskId),
    u32be(sidInput.attempt),
    utf8(sidInput.groupId),
    sidInput.epochId,
    u32be(sidInput.threshold),
    ...list(sidInput.members),
    ...list(sidInput.active),
    sidInput.payload,
    ...(sidInput.startNonce === undefined ? [] : [sidInput.startNonce]),
  )
}

/** Disjoint protocol names for the three ways to sign with one sharing (threshold.md 7.4). */
const SIGNING: Readonly<Record<Algorithm, string>> = {
  ecdsa: "dkls23",
  eddsa: "frost-ed25519-sha512",
  bip340: "frost-secp256k1-sha256-tr",
}

/** The inputs of a key generation's id. */
export type DkgTerms = Omit<DkgSpec, "protocol" | "self">

export function dkgSid(dkgTerms: DkgTerms): Bytes {
  return sessionId({
    ...dkgTerms,
    suite: dkgTerms.suite ?? 1,
    protocol: "dkg",
    epochId: NO_EPOCH,
    active: dkgTerms.members,
    // The time is included because it ranks epochs: nodes that were told different times must not make an epoch together.
    payload: H("dkg/payload", utf8(dkgTerms.curve), utf8(dkgTerms.groupId), u64be(dkgTerms.createdMs)),
  })
}

/** The inputs of a reshare's id: only values that a node that is new to the group can know from the approved task. */
export type ReshareTerms = Omit<ReshareSpec, "protocol" | "self" | "chainCode" | "old">

/** H("reshare/payload"; mode, old group id, enc(PK), t_old, created) is the payload; members and group are the new ones. */
export function reshareSid(reshareTerms: ReshareTerms): Bytes {
  return sessionId({
    curve: reshareTerms.curve,
    suite: reshareTerms.suite ?? 1,
    protocol: "reshare",
    taskId: reshareTerms.taskId,
    attempt: reshareTerms.attempt,
    groupId: reshareTerms.newGroupId,
    epochId: NO_EPOCH,
    threshold: reshareTerms.newThreshold,
    members: reshareTerms.members,
    active: reshareTerms.dealers,
    payload: H(
      "reshare/payload",
      utf8(reshareTerms.mode),
      utf8(reshareTerms.oldGroupId),
      reshareTerms.rootPublicKey,
      u32be(reshareTerms.oldThreshold),
      u64be(reshareTerms.createdMs),
    ),
  })
}

/** `keys[n]` is the key of `spec.messages[n]`. */
export function signSid(spec: SignSpec, keys: readonly SigningKey[]): Bytes {
  const { group } = spec
  return sessionId({
    curve: group.curve,
    protocol: SIGNING[spec.algorithm],
    taskId: spec.taskId,
    attempt: spec.attempt,
    groupId: group.groupId,
    epochId: group.epochId,
    threshold: group.threshold,
    members: membersOf(group),
    active: membersOf(group, spec.signers),
    payload: signPayload(spec.algorithm, spec.messages, keys, spec.terms),
    suite: spec.terms?.suite ?? 1,
    ...(spec.terms && { startNonce: spec.terms.nonce }),
  })
}

/**
 * H("sign/payload"; algorithm, count, then path, tweak, key and message of each). In suite 2 each message has one field more: the
 * hash of its intent, empty where it has no payload. So nodes that read a payload differently never meet in one session.
 */
export function signPayload(
  algorithm: Algorithm,
  messages: readonly MessageToSign[],
  keys: readonly SigningKey[],
  terms?: SuiteTerms,
): Bytes {
  if (messages.length !== keys.length || messages.length > MAX_BATCH) throw new RangeError("not a batch")
  const fields = messages.flatMap((message, n) => [
    concat(...message.path.map(u32be)),
    tweakBytes(algorithm, message.taproot),
    keys[n]?.publicKey ?? new Uint8Array(0),
    message.message,
    ...(terms === undefined ? [] : [message.intent ?? new Uint8Array(0)]),
  ])
  return H("sign/payload", utf8(algorithm), u32be(messages.length), ...fields)
}

/** The group's members with their share ids, all of them or those named. */
export const membersOf = (group: GroupPublic, named?: readonly PartyId[]): readonly Member[] =>
  group.members
    .filter(({ party }) => named === undefined || named.includes(party))
    .map(({ party, shareId }) => ({ party, x: shareId }))

/** As requested: bip340 0, or 1 and the merkle root; nothing for the others. */
function tweakBytes(algorithm: Algorithm, taproot: Bytes | undefined): Bytes {
  if (algorithm !== "bip340") return new Uint8Array(0)
  return taproot === undefined ? u8(0) : concat(u8(1), taproot)
}

export const ascending = (members: readonly Member[]): readonly Member[] =>
  [...members].sort((a, b) => (a.party < b.party ? -1 : a.party > b.party ? 1 : 0))
