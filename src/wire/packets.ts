/**
 * The messages of one WebSocket connection (formats.md 13.1): a handshake (hello.ts), then the numbered channel (channel.ts) that
 * carries frames, and a heartbeat. One packet is one binary message. Owns only the bytes.
 */
import { type Bytes, concat, u8, u64be } from "../bytes.ts"
import { ByteReader } from "../codec.ts"
import { MAX_FRAME_BYTES, MAX_FROM_NODE_BYTES } from "./framesCodec.ts"
import { BOOT_ID_BYTES, encodeFencingToken, type FencingToken } from "./hello.ts"
import { attempt, type FormProblem, malformed } from "./json.ts"
import { encodeVersions, readVersions, type Versions } from "./versions.ts"
import { encodeSignedToken, readSignedToken, type SignedWaasToken } from "./waasToken.ts"

/** The form of the first packet. It never changes, so that every WaaS can read it; the link version is in the nonce (versions.ts). */
export const HELLO_FORM = 1
export const EPOCH_BYTES = 16

/** A data packet adds kind, sequence number and acknowledgement to its frame. */
export const MAX_PACKET_BYTES = MAX_FRAME_BYTES + 17
/** The largest packet of a node. */
export const MAX_NODE_PACKET_BYTES = MAX_FROM_NODE_BYTES + 17
/** The largest packet of the handshake; a peer that has not proved its key may not send more. */
export const MAX_HANDSHAKE_BYTES = 256

/** Why WaaS ends a connection; the numbers are those on the wire. */
export const REFUSALS = {
  version: 1,
  proof: 2,
  unknownNode: 3,
  busy: 4,
  replaced: 5,
  tooFast: 6,
  protocol: 7,
  stopping: 8,
  silent: 9,
  rolledBack: 10,
  twin: 11,
  fenced: 12,
} as const
export type RefusalReason = keyof typeof REFUSALS
const REASONS = Object.keys(REFUSALS) as readonly RefusalReason[]

type HandshakePacket =
  | { readonly kind: "hello"; readonly form: number; readonly nodeKey: Bytes; readonly nodeNonce: Bytes }
  | {
      readonly kind: "challenge"
      readonly waasNonce: Bytes
      /** Clock of WaaS, ms since 1970. */
      readonly waasMs: number
      readonly signature: Bytes
      /** From link version 4 on. */
      readonly standing?: SignedWaasToken
    }
  | {
      readonly kind: "proof"
      readonly signature: Bytes
      readonly fencingToken?: FencingToken
      /** From link version 2 on. */
      readonly versions?: Versions
      /** From link version 4 on, if the node has followed a WaaS with this key. */
      readonly followed?: SignedWaasToken
    }
  | { readonly kind: "welcome" }
  | { readonly kind: "refused"; readonly reason: RefusalReason }

export type ChannelPacket =
  /**
   * First on every connection, in both directions: the sender's own epoch, the peer's epoch that it knows (or zeros), and the number
   * of the last frame that it received.
   */
  | { readonly kind: "resume"; readonly epoch: Bytes; readonly knows: Bytes; readonly received: number }
  | { readonly kind: "data"; readonly seq: number; readonly ack: number; readonly payload: Bytes }
  | { readonly kind: "ack"; readonly ack: number }

type Heartbeat =
  | { readonly kind: "ping"; readonly stamp: number }
  /** The stamp of the ping, and the clock of the answering side, ms since 1970. */
  | { readonly kind: "pong"; readonly stamp: number; readonly nowMs: number }

export type Packet = HandshakePacket | ChannelPacket | Heartbeat

const KIND = {
  hello: 1,
  challenge: 2,
  proof: 3,
  welcome: 4,
  refused: 5,
  proofWithVersions: 6,
  challengeWithToken: 7,
  proofWithToken: 8,
  resume: 16,
  data: 17,
  ack: 18,
  ping: 19,
  pong: 20,
} as const

export function encodePacket(packet: Packet): Bytes {
  const kind = u8(KIND[packet.kind])
  switch (packet.kind) {
    case "hello":
      return concat(kind, u8(packet.form), packet.nodeKey, packet.nodeNonce)
    case "challenge": {
      const { waasNonce, waasMs, signature, standing } = packet
      if (standing === undefined) return concat(kind, waasNonce, u64be(waasMs), signature)
      const token = encodeSignedToken(standing)
      return concat(u8(KIND.challengeWithToken), waasNonce, u64be(waasMs), signature, token)
    }
    case "proof": {
      const { signature, fencingToken, versions, followed } = packet
      const token = fencingToken === undefined ? new Uint8Array(0) : encodeFencingToken(fencingToken)
      if (versions === undefined) return concat(kind, signature, token)
      if (followed === undefined) return concat(u8(KIND.proofWithVersions), signature, encodeVersions(versions), token)
      const seen = encodeSignedToken(followed)
      return concat(u8(KIND.proofWithToken), signature, encodeVersions(versions), seen, token)
    }
    case "welcome":
      return kind
    case "refused":
      return concat(kind, u8(REFUSALS[packet.reason]))
    case "resume":
      return concat(kind, packet.epoch, packet.knows, u64be(packet.received))
    case "data":
      return concat(kind, u64be(packet.seq), u64be(packet.ack), packet.payload)
    case "ack":
      return concat(kind, u64be(packet.ack))
    case "ping":
      return concat(kind, u64be(packet.stamp))
    case "pong":
      return concat(kind, u64be(packet.stamp), u64be(packet.nowMs))
  }
}

export function decodePacket(bytes: Uint8Array): Packet | FormProblem {
  return attempt(() => {
    if (bytes.length > MAX_PACKET_BYTES) malformed("packet", "too large")
    const from = new ByteReader(bytes)
    const packet = fields(from.u8(), from)
    from.end()
    return packet
  })
}

function fields(kind: number, from: ByteReader): Packet {
  switch (kind) {
    case KIND.hello:
      return hello(from)
    case KIND.challenge:
      return { kind: "challenge", waasNonce: from.take(32), waasMs: from.u64(), signature: from.take(64) }
    case KIND.challengeWithToken: {
      const [waasNonce, waasMs, signature] = [from.take(32), from.u64(), from.take(64)]
      return { kind: "challenge", waasNonce, waasMs, signature, standing: readSignedToken(from) }
    }
    case KIND.proof:
      return { kind: "proof", signature: from.take(64), ...fencingToken(from) }
    case KIND.proofWithToken: {
      const [signature, versions] = [from.take(64), readVersions(from)]
      return { kind: "proof", signature, versions, followed: readSignedToken(from), ...fencingToken(from) }
    }
    case KIND.proofWithVersions:
      return { kind: "proof", signature: from.take(64), versions: readVersions(from), ...fencingToken(from) }
    case KIND.welcome:
      return { kind: "welcome" }
    case KIND.refused:
      return { kind: "refused", reason: reasonOf(from.u8()) }
    case KIND.resume:
      return { kind: "resume", epoch: from.take(EPOCH_BYTES), knows: from.take(EPOCH_BYTES), received: from.u64() }
    case KIND.data:
      return { kind: "data", seq: from.u64(), ack: from.u64(), payload: from.rest() }
    case KIND.ack:
      return { kind: "ack", ack: from.u64() }
    case KIND.ping:
      return { kind: "ping", stamp: from.u64() }
    case KIND.pong:
      return { kind: "pong", stamp: from.u64(), nowMs: from.u64() }
    default:
      return malformed("kind", "not known")
  }
}

function fencingToken(from: ByteReader): { readonly fencingToken?: FencingToken } {
  if (from.left() === 0) return {}
  const incarnation = from.u64()
  const boot = from.u64()
  const bootId = from.take(BOOT_ID_BYTES)
  return { fencingToken: { incarnation, boot, bootId, generation: from.u64() } }
}

/** Of another form only the number is read, because nothing is known about the bytes that follow. */
function hello(from: ByteReader): Packet {
  const form = from.u8()
  if (form === HELLO_FORM) return { kind: "hello", form, nodeKey: from.take(32), nodeNonce: from.take(32) }
  from.rest()
  return { kind: "hello", form, nodeKey: new Uint8Array(0), nodeNonce: new Uint8Array(0) }
}

const reasonOf = (value: number): RefusalReason =>
  REASONS.find((reason) => REFUSALS[reason] === value) ?? malformed("reason", "not known")
