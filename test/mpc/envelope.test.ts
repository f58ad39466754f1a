import { expect, test } from "bun:test"
import { createPublicKey, verify } from "node:crypto"
import fc from "fast-check"
import { concat, toHex, utf8 } from "../../src/bytes.ts"
import { frame, sha256 } from "../../src/crypto/frame.ts"
import { partyBytes } from "../../src/keys/party.ts"
import { authenticOriginals, decodeAbort, encodeAbort } from "../../src/mpc/abort.ts"
import {
  encodeHeader,
  HEADER_LENGTH,
  type Header,
  isAuthentic,
  KIND,
  makeEnvelope,
  PROTOCOL,
  parseEnvelope,
  receiverOf,
  SIGNATURE_LENGTH,
} from "../../src/mpc/envelope.ts"
import { flipped, identityAt, partyAt } from "./cluster.ts"

const body = utf8("a body")
const header: Header = {
  protocol: PROTOCOL.frost,
  round: 2,
  kind: KIND.broadcast,
  bodyLength: body.length,
  sid: new Uint8Array(32).fill(1),
  sender: partyAt(0),
  receiver: undefined,
  view: new Uint8Array(32).fill(2),
}
const make = (change: Partial<Header> = {}, ofBody = body) =>
  makeEnvelope(identityAt(partyAt(0)), encodeHeader({ ...header, ...change }), ofBody)

test("the layout is threshold.md 12's", () => {
  const bytes = make()
  expect(toHex(bytes.subarray(0, 13))).toBe(`${toHex(utf8("TSN1"))}0001${"04"}${"02"}${"00"}00000006`)
  expect(bytes.length).toBe(HEADER_LENGTH + body.length + SIGNATURE_LENGTH)
  expect(toHex(bytes.subarray(13, 45))).toBe("01".repeat(32))
  expect(toHex(bytes.subarray(45, 77))).toBe(partyAt(0))
  expect(toHex(bytes.subarray(77, 109))).toBe("00".repeat(32))
  expect(toHex(bytes.subarray(109, 141))).toBe("02".repeat(32))
})

test("the signature is plain Ed25519 over the frame of header and body digest", () => {
  const bytes = make()
  const signed = frame("msg", bytes.subarray(0, HEADER_LENGTH), sha256(body))
  const spki = concat(Uint8Array.fromHex("302a300506032b6570032100"), partyBytes(partyAt(0)))
  const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" })
  expect(verify(null, signed, key, bytes.subarray(-SIGNATURE_LENGTH))).toBe(true)
})

test("an envelope survives parsing, and says to whom it goes", () => {
  const direct = make({ kind: KIND.sealed, receiver: partyAt(1) })
  const parsed = parseEnvelope(direct)
  expect(parsed?.header).toEqual({ ...header, kind: KIND.sealed, receiver: partyAt(1) })
  expect(parsed && isAuthentic(parsed)).toBe(true)
  expect(receiverOf(direct)).toBe(partyAt(1))
  expect(receiverOf(make())).toBeUndefined()
})

test("every single flipped bit makes it unparsable or unauthentic", () => {
  const bytes = make()
  for (let at = 0; at < bytes.length; at++) {
    const parsed = parseEnvelope(flipped(bytes, at))
    expect(parsed === undefined || !isAuthentic(parsed)).toBe(true)
  }
})

test("decoding is closed: lengths, version, magic, kinds, and receivers that do not fit their kind", () => {
  const bytes = make()
  const cuts = [bytes.slice(0, -1), concat(bytes, new Uint8Array(1)), bytes.slice(0, HEADER_LENGTH), new Uint8Array(0)]
  for (const cut of cuts) expect(parseEnvelope(cut)).toBeUndefined()
  expect(parseEnvelope(make({ receiver: partyAt(1) }))).toBeUndefined()
  expect(parseEnvelope(make({ kind: KIND.clear }))).toBeUndefined()
  const otherKind = Uint8Array.from(bytes)
  otherKind[8] = 3
  expect(parseEnvelope(otherKind)).toBeUndefined()
  const otherVersion = Uint8Array.from(bytes)
  otherVersion[5] = 2
  expect(parseEnvelope(otherVersion)).toBeUndefined()
})

test("no bytes make the parsers throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      const bytes = Uint8Array.from(noise)
      expect(parseEnvelope(bytes)).toBeUndefined()
      decodeAbort(bytes)
      decodeAbort(concat(Uint8Array.of(2, 3), bytes))
    }),
    { seed: 12, numRuns: 300 },
  )
})

test("abort reports: closed, and only authentic originals count", () => {
  const original = make()
  const report = { kind: "view mismatch", originals: [original, flipped(original, -1)] } as const
  const decoded = decodeAbort(encodeAbort(report))
  expect(decoded).toEqual(report)
  expect(decoded && authenticOriginals(decoded).map(({ bytes }) => bytes)).toEqual([original])
  expect(encodeAbort({ kind: "protocol", originals: [] })).toEqual(Uint8Array.of(1, 0))
  const encoded = encodeAbort(report)
  const bad = [
    encoded.slice(0, -1),
    concat(encoded, new Uint8Array(1)),
    Uint8Array.of(3, 0),
    Uint8Array.of(1, 1),
    Uint8Array.of(1),
  ]
  for (const bytes of bad) expect(decodeAbort(bytes)).toBeUndefined()
})
