import { expect, test } from "bun:test"
import fc from "fast-check"
import { concat, u8 } from "../../src/bytes.ts"
import { isProof, prove, type Transcript } from "../../src/wire/hello.ts"
import {
  decodePacket,
  encodePacket,
  MAX_HANDSHAKE_BYTES,
  MAX_PACKET_BYTES,
  type Packet,
  REFUSALS,
  type RefusalReason,
} from "../../src/wire/packets.ts"
import { VERSIONS } from "../../src/wire/versions.ts"
import { newIdentity } from "./documents.ts"
import { numbersIn, sectionOf } from "./specTable.ts"

const filled = (length: number, value: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value)

const standing = { token: { incarnation: 3, mark: 4, markId: filled(16, 7) }, signature: filled(64, 8) }

const packets: readonly Packet[] = [
  { kind: "hello", form: 1, nodeKey: filled(32, 1), nodeNonce: filled(32, 2) },
  { kind: "challenge", waasNonce: filled(32, 3), waasMs: 1_795_341_000_000, signature: filled(64, 4) },
  { kind: "proof", signature: filled(64, 5) },
  { kind: "proof", signature: filled(64, 5), versions: VERSIONS },
  { kind: "challenge", waasNonce: filled(32, 3), waasMs: 1_795_341_000_000, signature: filled(64, 4), standing },
  { kind: "proof", signature: filled(64, 5), versions: VERSIONS, followed: standing },
  { kind: "welcome" },
  ...(Object.keys(REFUSALS) as RefusalReason[]).map((reason): Packet => ({ kind: "refused", reason })),
  { kind: "resume", epoch: filled(16, 6), knows: filled(16, 7), received: 8 },
  { kind: "data", seq: 9, ack: Number.MAX_SAFE_INTEGER, payload: filled(10, 11) },
  { kind: "ack", ack: 12 },
  { kind: "ping", stamp: 13 },
  { kind: "pong", stamp: 14, nowMs: 15 },
]

test("every packet survives the way; those of the handshake are short", () => {
  for (const packet of packets) expect(decodePacket(encodePacket(packet))).toEqual(packet)
  for (const packet of packets.slice(0, 7)) expect(encodePacket(packet).length).toBeLessThan(MAX_HANDSHAKE_BYTES)
  const most = { tasks: [1, 2, 3, 4, 5, 6, 7, 8], suites: [1, 2, 3, 4, 5, 6, 7, 8], readers: [1, 2, 3, 4, 5, 6, 7, 8] }
  const fencingToken = { incarnation: 1, boot: 2, bootId: filled(16, 3), generation: 4 }
  const longest: Packet = { kind: "proof", signature: filled(64, 5), versions: most, followed: standing, fencingToken }
  expect(decodePacket(encodePacket(longest))).toEqual(longest)
  expect(encodePacket(longest).length).toBeLessThan(MAX_HANDSHAKE_BYTES)
})

function suffixOf(packet: Packet): string {
  if (packet.kind === "challenge") return packet.standing ? "WithToken" : ""
  if (packet.kind !== "proof" || packet.versions === undefined) return ""
  return packet.followed ? "WithToken" : "WithVersions"
}

test("kinds and reasons have the numbers of formats.md 13.1", () => {
  const named = packets.map((packet) => `${packet.kind}${suffixOf(packet)}`)
  const numbers = new Map(packets.map((packet, i) => [named[i] ?? "", encodePacket(packet)[0] ?? 0]))
  expect(numbersIn("13.1")).toEqual(numbers)
  const reasons = packets.flatMap((packet) => (packet.kind === "refused" ? [packet] : []))
  const listed = reasons.map((packet) => `${encodePacket(packet)[1]} ${packet.reason}`).join(", ")
  expect(sectionOf("13.1")).toContain(`u8 reason: ${listed} |`)
})

test("shorter and longer forms are refused; only data may be of any length", () => {
  for (const packet of packets) {
    const bytes = encodePacket(packet)
    if (packet.kind === "data") continue
    for (let length = 0; length < bytes.length; length++) {
      expect("problem" in decodePacket(bytes.subarray(0, length))).toBe(true)
    }
    expect("problem" in decodePacket(concat(bytes, u8(0)))).toBe(true)
  }
})

test("unknown kinds and reasons, numbers beyond 2^53 and too large packets are refused", () => {
  for (const kind of [0, 9, 15, 21, 255]) expect("problem" in decodePacket(u8(kind))).toBe(true)
  expect("problem" in decodePacket(concat(u8(5), u8(0)))).toBe(true)
  expect("problem" in decodePacket(concat(u8(5), u8(200)))).toBe(true)
  expect("problem" in decodePacket(concat(u8(18), filled(8, 0xff)))).toBe(true)
  const data = encodePacket({ kind: "data", seq: 1, ack: 0, payload: filled(MAX_PACKET_BYTES - 17, 0) })
  expect(data.length).toBe(MAX_PACKET_BYTES)
  expect("problem" in decodePacket(data)).toBe(false)
  expect("problem" in decodePacket(concat(data, u8(0)))).toBe(true)
})

test("a hello of another version is read as far as its number", () => {
  for (const rest of [filled(0, 0), filled(3, 9), filled(100, 9)]) {
    expect(decodePacket(concat(u8(1), u8(2), rest))).toMatchObject({ kind: "hello", form: 2 })
  }
})

test("garbage never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodePacket(bytes)
    }),
    { seed: 7, numRuns: 1000 },
  )
})

test("a proof holds for its role and exactly its transcript", () => {
  const [node, waas, other] = [newIdentity(), newIdentity(), newIdentity()]
  const transcript: Transcript = {
    version: 1,
    nodeKey: node.publicKey,
    waasKey: waas.publicKey,
    nodeNonce: filled(32, 1),
    waasNonce: filled(32, 2),
    waasMs: 3,
  }
  const byNode = prove("node", transcript, node)
  const byWaas = prove("waas", transcript, waas)
  expect(isProof("node", transcript, byNode)).toBe(true)
  expect(isProof("waas", transcript, byWaas)).toBe(true)
  expect(isProof("waas", transcript, byNode)).toBe(false)
  expect(isProof("node", transcript, byWaas)).toBe(false)
  // One key on both sides: the role alone keeps a proof from being sent back.
  const mirror = { ...transcript, waasKey: node.publicKey }
  expect(isProof("waas", mirror, prove("node", mirror, node))).toBe(false)
  const changes: readonly Partial<Transcript>[] = [
    { version: 2 },
    { nodeKey: other.publicKey },
    { waasKey: other.publicKey },
    { nodeNonce: filled(32, 9) },
    { waasNonce: filled(32, 9) },
    { nodeNonce: transcript.waasNonce, waasNonce: transcript.nodeNonce },
    { waasMs: 4 },
  ]
  for (const change of changes) expect(isProof("node", { ...transcript, ...change }, byNode)).toBe(false)
})
