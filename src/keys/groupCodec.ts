/**
 * The bytes of a group record at rest: the public part and the secret part, each with a version byte, closed, and with one
 * encoding per value. This file checks structure and bounds. checkGroup checks that the points fit together, checkShare that the
 * share fits, and the store seals.
 */
import { type Bytes, beToBig, bigToBe, concat, u8, u32be, u64be, utf8 } from "../bytes.ts"
import { ByteReader, Malformed, Writer } from "../codec.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { Secret } from "../secret.ts"
import {
  type GroupMember,
  type GroupMode,
  type GroupPublic,
  type GroupSecret,
  type GroupStatus,
  MAX_MEMBERS,
  type PairState,
  type Parent,
} from "./group.ts"
import { type PartyId, partyBytes, partyOf } from "./party.ts"

const VERSION = 1
/**
 * Versions of the public part by the suite of its epoch. All others have version 1, so records that were written before keep their bytes.
 */
const VERSION_OF_SUITE = { 2: 2, 3: 3 } as const
const MAX_GROUP_ID = 64
const MAX_ACK = 4096
/** Dealers of the old epoch and members of the new. */
const MAX_ACKS = 2 * MAX_MEMBERS
const MAX_OT_STATE = 1 << 20

// The position in the list is the byte on disk: append only.
const CURVES: readonly CurveName[] = ["secp256k1", "ed25519"]
const MODES: readonly GroupMode[] = ["keygen", "extend", "replace", "import"]
const STATUSES: readonly GroupStatus[] = ["PREPARED", "ACTIVE", "SUPERSEDED", "ERASED"]

/** Throws RangeError for a record beyond the bounds, because it could not be read back. */
export function encodeGroupPublic(group: GroupPublic): Bytes {
  return concat(
    u8(group.suite === undefined ? VERSION : VERSION_OF_SUITE[group.suite]),
    short(utf8(group.groupId), MAX_GROUP_ID),
    exactly(group.epochId, 32),
    index(CURVES, group.curve),
    index(MODES, group.mode),
    index(STATUSES, group.status),
    u8(group.threshold),
    count(group.members, MAX_MEMBERS),
    ...group.members.map((member) => encodeMember(group.curve, member)),
    count(group.commitments, MAX_MEMBERS),
    ...group.commitments.map((point) => exactly(point, curveNamed(group.curve).pointLength)),
    exactly(group.chainCode, 32),
    u64be(group.createdMs),
    exactly(group.sid, 32),
    exactly(group.ackView, 32),
    encodeCertificate(group.certificate),
    group.parent === undefined ? u8(0) : concat(u8(1), encodeParent(group.parent)),
  )
}

/** undefined for bytes that encodeGroupPublic does not write. */
export function decodeGroupPublic(bytes: Uint8Array): GroupPublic | undefined {
  return decoding(bytes, [VERSION, VERSION_OF_SUITE[2], VERSION_OF_SUITE[3]], (r, version) => {
    const groupId = r.text(1, MAX_GROUP_ID)
    const epochId = r.take(32)
    const curve = r.oneOf(CURVES)
    const mode = r.oneOf(MODES)
    const status = r.oneOf(STATUSES)
    const threshold = r.u8()
    const members = r.list(MAX_MEMBERS, () => decodeMember(curve, r))
    const commitments = r.list(MAX_MEMBERS, () => r.take(curveNamed(curve).pointLength))
    const common = { groupId, epochId, curve, mode, status, threshold, members, commitments, ...decodeOrigin(r) }
    const certificate = r.flag() ? r.list(MAX_ACKS, () => r.block(0, MAX_ACK)) : undefined
    const parent = r.flag() ? decodeParent(r) : undefined
    const suite = ([2, 3] as const).find((one) => VERSION_OF_SUITE[one] === version)
    if (suite !== undefined && curve !== "secp256k1") r.refuse("a suite that this curve does not have")
    return { ...common, ...(certificate && { certificate }), ...(suite && { suite }), ...(parent && { parent }) }
  })
}

/** The caller owns and wipes the bytes. */
export function encodeGroupSecret(secret: GroupSecret): Bytes {
  // Writes into one buffer: joining parts would leave the parts behind unwiped.
  const out = new Writer()
  out.add(u8(VERSION))
  out.add(exactly(secret.share.expose(), 32))
  out.add(count(secret.pairs, MAX_MEMBERS))
  for (const pair of secret.pairs) {
    out.add(partyBytes(pair.peer))
    out.add(exactly(pair.pairId, 32))
    out.add(exactly(pair.zeroSeed.expose(), 32))
    for (const state of [pair.otAlice, pair.otBob]) writeState(out, state)
  }
  return out.finish()
}

/** undefined for bytes that encodeGroupSecret does not write. The caller disposes the Secrets. */
export function decodeGroupSecret(bytes: Uint8Array): GroupSecret | undefined {
  return decoding(bytes, [VERSION], (r) => {
    const share = Secret.take(r.take(32))
    const pairs = r.list(MAX_MEMBERS, (): PairState => {
      const peer = readParty(r)
      const pairId = r.take(32)
      const zeroSeed = Secret.take(r.take(32))
      return { peer, pairId, zeroSeed, otAlice: decodeState(r), otBob: decodeState(r) }
    })
    return { share, pairs }
  })
}

const encodeMember = (curve: CurveName, member: GroupMember): Bytes =>
  concat(
    partyBytes(member.party),
    bigToBe(member.shareId, 32),
    exactly(member.sharePublicKey, curveNamed(curve).pointLength),
  )

function decodeMember(curve: CurveName, r: ByteReader): GroupMember {
  const party = readParty(r)
  const shareId = beToBig(r.view(32))
  return { party, shareId, sharePublicKey: r.take(curveNamed(curve).pointLength) }
}

function decodeOrigin(r: ByteReader) {
  const chainCode = r.take(32)
  const createdMs = r.u64()
  return { chainCode, createdMs, sid: r.take(32), ackView: r.take(32) }
}

const encodeParent = ({ groupId, epochId, dealers }: Parent): Bytes =>
  concat(
    short(utf8(groupId), MAX_GROUP_ID),
    exactly(epochId, 32),
    count(dealers, MAX_MEMBERS),
    ...dealers.map(partyBytes),
  )

function decodeParent(r: ByteReader): Parent {
  const groupId = r.text(1, MAX_GROUP_ID)
  return { groupId, epochId: r.take(32), dealers: r.list(MAX_MEMBERS, () => readParty(r)) }
}

const encodeCertificate = (acks: readonly Bytes[] | undefined): Bytes =>
  acks === undefined ? u8(0) : concat(u8(1), count(acks, MAX_ACKS), ...acks.map((ack) => long(ack, MAX_ACK)))

function writeState(out: Writer, state: Secret | undefined): void {
  out.add(u8(state === undefined ? 0 : 1))
  if (state === undefined) return
  out.add(u32be(state.length))
  out.add(atMost(state.expose(), MAX_OT_STATE))
}

const decodeState = (r: ByteReader): Secret | undefined =>
  r.flag() ? Secret.take(r.block(0, MAX_OT_STATE)) : undefined

// ---- fields --------------------------------------------------------------------------------------------------------

function exactly(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`a field of ${length} bytes has ${bytes.length}`)
  return bytes
}

function atMost(bytes: Uint8Array, max: number): Uint8Array {
  if (bytes.length > max) throw new RangeError(`a field of at most ${max} bytes has ${bytes.length}`)
  return bytes
}

const short = (bytes: Uint8Array, max: number): Bytes => concat(u8(bytes.length), atMost(bytes, max))
const long = (bytes: Uint8Array, max: number): Bytes => concat(u32be(bytes.length), atMost(bytes, max))

function count(items: readonly unknown[], max: number): Bytes {
  if (items.length > max) throw new RangeError(`at most ${max} entries, not ${items.length}`)
  return u8(items.length)
}

function index<T>(names: readonly T[], name: T): Bytes {
  return u8(names.indexOf(name))
}

/** Runs a decoder over all of `bytes`. Undefined if it cannot read them, or leaves some over. */
function decoding<T>(
  bytes: Uint8Array,
  versions: readonly number[],
  decode: (reader: ByteReader, version: number) => T,
): T | undefined {
  const reader = new ByteReader(bytes)
  try {
    const version = reader.u8()
    if (!versions.includes(version)) return undefined
    const value = decode(reader, version)
    reader.end()
    return value
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

const readParty = (r: ByteReader): PartyId => partyOf(r.view(32)) ?? r.refuse("not a party")
