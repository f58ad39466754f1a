/**
 * The envelope: the message format between nodes (threshold.md 12). A fixed header, the body, and the sender's signature over the
 * frame of both (1.8). Decoding is closed: bytes that are not exactly an envelope of this version give undefined.
 */

import { sign } from "node:crypto"
import { type Bytes, concat, copy, equal, u8, u16be, u32be, utf8 } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame, sha256 } from "../crypto/frame.ts"
import { privateKeyOf, rawPublicKey } from "../crypto/rawKeys.ts"
import { type PartyId, partyBytes, partyOf } from "../keys/party.ts"

const MAGIC = utf8("TSN1")
const WIRE_VERSION = u16be(1)
const NOBODY: Bytes = new Uint8Array(32)

export const HEADER_LENGTH = 4 + 2 + 1 + 1 + 1 + 4 + 4 * 32
export const SIGNATURE_LENGTH = 64

export const PROTOCOL = { dkg: 1, ecdsa: 2, reshare: 3, frost: 4, checkup: 5 } as const
export type ProtocolCode = (typeof PROTOCOL)[keyof typeof PROTOCOL]

export const KIND = { broadcast: 0, clear: 1, sealed: 2 } as const
export type EnvelopeKind = (typeof KIND)[keyof typeof KIND]

/** The round number of the abort report (abort.ts), which belongs to no round. */
export const ABORT_ROUND = 0

export interface Header {
  readonly protocol: number
  readonly round: number
  readonly kind: EnvelopeKind
  readonly bodyLength: number
  readonly sid: Bytes
  readonly sender: PartyId
  /** undefined: to everybody. */
  readonly receiver: PartyId | undefined
  /** The sender's view of that round (threshold.md 2.2). */
  readonly view: Bytes
}

export interface Envelope {
  readonly header: Header
  readonly headerBytes: Bytes
  readonly body: Bytes
  readonly signature: Bytes
  /** All bytes of the envelope, as received. */
  readonly bytes: Bytes
}

/** A node's identity: signs envelopes. */
export interface Identity {
  readonly party: PartyId
  sign(bytes: Bytes): Bytes
}

/** The identity of a 32-byte Ed25519 seed (RFC 8032's private key). */
export function identityOf(seed: Bytes): Identity {
  const key = privateKeyOf("ed25519", seed)
  const party = partyOf(rawPublicKey(key))
  if (party === undefined) throw new TypeError("an Ed25519 public key has 32 bytes")
  return { party, sign: (bytes) => copy(sign(null, bytes, key)) }
}

export function encodeHeader(header: Header): Bytes {
  return concat(
    MAGIC,
    WIRE_VERSION,
    u8(header.protocol),
    u8(header.round),
    u8(header.kind),
    u32be(header.bodyLength),
    header.sid,
    partyBytes(header.sender),
    header.receiver === undefined ? NOBODY : partyBytes(header.receiver),
    header.view,
  )
}

/** Signs and joins. Deterministic: the same record makes the same bytes again. */
export function makeEnvelope(identity: Identity, headerBytes: Bytes, body: Bytes): Bytes {
  return concat(headerBytes, body, identity.sign(signedBytes(headerBytes, sha256(body))))
}

/** Parsed, not yet verified. */
export function parseEnvelope(bytes: Bytes): Envelope | undefined {
  if (bytes.length < HEADER_LENGTH + SIGNATURE_LENGTH) return undefined
  const headerBytes = bytes.subarray(0, HEADER_LENGTH)
  const header = parseHeader(headerBytes)
  if (header === undefined || bytes.length !== HEADER_LENGTH + header.bodyLength + SIGNATURE_LENGTH) return undefined
  return {
    header,
    headerBytes,
    body: bytes.subarray(HEADER_LENGTH, HEADER_LENGTH + header.bodyLength),
    signature: bytes.subarray(-SIGNATURE_LENGTH),
    bytes,
  }
}

/** Whether the sender that the header names signed it. */
export const isAuthentic = ({ header, headerBytes, body, signature }: Envelope): boolean =>
  isSigned(header, headerBytes, sha256(body), signature)

/** The same if only the SHA-256 of the body is known. */
export const isSigned = (header: Header, headerBytes: Bytes, bodyDigest: Bytes, signature: Bytes): boolean =>
  verifyEd25519(partyBytes(header.sender), signedBytes(headerBytes, bodyDigest), signature)

/** Whether both have the same content, even if their signatures' bytes differ. */
export const sameContent = (a: Envelope, b: Envelope): boolean =>
  equal(a.headerBytes, b.headerBytes) && equal(a.body, b.body)

/** The party that an envelope names as its sender; nothing else of it is checked. Undefined: it cannot be an envelope. */
export const senderOf = (envelope: Bytes): PartyId | undefined =>
  envelope.length < HEADER_LENGTH + SIGNATURE_LENGTH || !equal(envelope.subarray(0, 4), MAGIC)
    ? undefined
    : partyOf(envelope.subarray(45, 77))

/** The receiver of one of our envelopes; undefined: all other participants. */
export const receiverOf = (envelope: Bytes): PartyId | undefined => parseEnvelope(envelope)?.header.receiver

/** Whether one of our envelopes is an abort report. */
export const isAbort = (envelope: Bytes): boolean => parseEnvelope(envelope)?.header.round === ABORT_ROUND

export function parseHeader(bytes: Bytes): Header | undefined {
  const [protocol, round, kind] = bytes.subarray(6, 9)
  if (!equal(bytes.subarray(0, 4), MAGIC) || !equal(bytes.subarray(4, 6), WIRE_VERSION)) return undefined
  if (protocol === undefined || round === undefined || kind === undefined || !isKind(kind)) return undefined
  const bodyLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(9)
  const sender = partyOf(bytes.subarray(45, 77))
  const to = bytes.subarray(77, 109)
  const receiver = equal(to, NOBODY) ? undefined : partyOf(to)
  if (sender === undefined || (kind === KIND.broadcast) !== (receiver === undefined)) return undefined
  return { protocol, round, kind, bodyLength, sid: bytes.subarray(13, 45), sender, receiver, view: bytes.subarray(109) }
}

const isKind = (value: number): value is EnvelopeKind =>
  value === KIND.broadcast || value === KIND.clear || value === KIND.sealed

const signedBytes = (headerBytes: Bytes, bodyDigest: Bytes): Bytes => frame("msg", headerBytes, bodyDigest)
