/**
 * A signed envelope without its body: header, SHA-256 of the body, signature. It proves as much about
 * its sender in 237 bytes. So two of them are an equivocation that can be kept and shown to anybody (threshold.md 2.2, 2.4).
 */
import { type Bytes, concat, copy, equal } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { PartyId } from "../keys/party.ts"
import {
  ABORT_ROUND,
  HEADER_LENGTH,
  type Header,
  isSigned,
  parseEnvelope,
  parseHeader,
  SIGNATURE_LENGTH,
} from "./envelope.ts"

const DIGEST_LENGTH = 32

interface Statement {
  readonly header: Header
  readonly headerBytes: Bytes
  readonly bodyDigest: Bytes
  readonly signature: Bytes
}

/** Undefined for bytes that are not an envelope. */
export function statementOf(envelope: Bytes): Bytes | undefined {
  const parsed = parseEnvelope(envelope)
  return parsed && concat(parsed.headerBytes, sha256(parsed.body), parsed.signature)
}

/** Undefined unless the bytes are a statement that the sender in its header signed. */
export function parseStatement(bytes: Uint8Array): Statement | undefined {
  if (bytes.length !== HEADER_LENGTH + DIGEST_LENGTH + SIGNATURE_LENGTH) return undefined
  const headerBytes = copy(bytes.subarray(0, HEADER_LENGTH))
  const bodyDigest = copy(bytes.subarray(HEADER_LENGTH, HEADER_LENGTH + DIGEST_LENGTH))
  const signature = copy(bytes.subarray(-SIGNATURE_LENGTH))
  const header = parseHeader(headerBytes)
  if (header === undefined || !isSigned(header, headerBytes, bodyDigest, signature)) return undefined
  return { header, headerBytes, bodyDigest, signature }
}

/**
 * The party that signed two versions of one message; undefined unless these two statements prove it. An honest node may report its
 * abort more than once, so reports prove nothing.
 */
export function equivocatorOf(one: Uint8Array, other: Uint8Array): PartyId | undefined {
  const a = parseStatement(one)
  const b = parseStatement(other)
  if (a === undefined || b === undefined || !isSamePlace(a.header, b.header)) return undefined
  const isSame = equal(a.headerBytes, b.headerBytes) && equal(a.bodyDigest, b.bodyDigest)
  return isSame ? undefined : a.header.sender
}

const isSamePlace = (a: Header, b: Header): boolean =>
  a.round !== ABORT_ROUND &&
  equal(a.sid, b.sid) &&
  a.protocol === b.protocol &&
  a.round === b.round &&
  a.kind === b.kind &&
  a.sender === b.sender &&
  a.receiver === b.receiver
