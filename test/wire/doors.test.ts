/** Every place where an Ed25519 key comes in from outside, each shown the keys of nobody: small order, not canonical, torsion. */
import { describe, expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { type Bytes, concat, toHex, u8, utf8 } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import { encodeBase58Check } from "../../src/keys/base58.ts"
import { verifyCheckup } from "../../src/keys/checkupSign.ts"
import { decodeExtendedPublicKey, encodeExtendedPublicKey, rootPublicKey } from "../../src/keys/extendedKey.ts"
import { partyOf } from "../../src/keys/party.ts"
import { checkTarget } from "../../src/link/options.ts"
import { encodeHeader, isAuthentic, KIND, PROTOCOL, parseEnvelope } from "../../src/mpc/envelope.ts"
import { parseApiKey, verifiesApiSignature } from "../../src/waas/apiKey.ts"
import { nodeId } from "../../src/wire/fields.ts"
import { decodeToNode, encodeToNode } from "../../src/wire/framesCodec.ts"
import { isProof, type Transcript } from "../../src/wire/hello.ts"
import { parseNodeId } from "../../src/wire/nodeId.ts"
import { verifyDocument } from "../../src/wire/signed.ts"
import { KEYS_OF_NOBODY, UNSIGNED } from "../support/keysOfNobody.ts"

const proper = Uint8Array.from(ed25519.getPublicKey(new Uint8Array(32).fill(9)))
const written = (key: Uint8Array) => `cos${encodeBase58Check(concat(u8(0x42), key))}`
/** Anybody's "signature" holds for one message in eight at most: forty of each are tried. */
const MESSAGES = Array.from({ length: 40 }, (_, n) => utf8(`message ${n}`))

function envelopeOf(sender: Uint8Array, body: Bytes) {
  const party = partyOf(sender)
  if (party === undefined) throw new Error("32 bytes are a party")
  const header = {
    protocol: PROTOCOL.dkg,
    round: 1,
    kind: KIND.broadcast,
    bodyLength: body.length,
    sid: new Uint8Array(32),
    view: new Uint8Array(32),
  }
  const envelope = parseEnvelope(
    concat(encodeHeader({ ...header, sender: party, receiver: undefined }), body, UNSIGNED),
  )
  if (envelope === undefined) throw new Error("an envelope is one")
  return envelope
}

const transcript = (nodeKey: Bytes, waasKey: Bytes, n: number): Transcript => ({
  version: 1,
  nodeKey,
  waasKey,
  nodeNonce: new Uint8Array(32).fill(n),
  waasNonce: new Uint8Array(32).fill(n),
  waasMs: n,
})

function opens<T>(door: () => T): boolean {
  try {
    return door() !== undefined
  } catch {
    return false
  }
}

const checkupsOf = (key: Uint8Array) => {
  const party = partyOf(key)
  if (party === undefined) throw new Error("32 bytes are a party")
  const frame = { kind: "checkups", groupId: "GroupGroupGroupGroup", epochId: new Uint8Array(32) } as const
  return encodeToNode({ ...frame, checkups: [{ party, message: utf8("m"), signature: UNSIGNED }] })
}

/** Doors that take a key: whether they let it in. */
const DOORS: readonly (readonly [string, (key: Bytes) => boolean])[] = [
  ["a node id", (key) => parseNodeId(written(key)) !== undefined],
  ["a node id in a document", (key) => opens(() => nodeId(written(key), "$"))],
  [
    "the key of WaaS in the configuration",
    (key) =>
      opens(() => {
        checkTarget({
          url: "wss://waas.example.com/ws",
          waasKey: key,
          proxy: undefined,
          ca: undefined,
          client: undefined,
        })
        return true
      }),
  ],
  ["an API key", (key) => opens(() => parseApiKey(toHex(key)))],
  [
    "a member in a frame from WaaS",
    (key) => opens(() => checkupsOf(key)) && !("problem" in decodeToNode(checkupsOf(key))),
  ],
  [
    "a root key on Ed25519",
    (key) =>
      opens(() => decodeExtendedPublicKey(encodeExtendedPublicKey(rootPublicKey("ed25519", key, new Uint8Array(32))))),
  ],
]

describe.each(DOORS)("%s", (_, letsIn) => {
  test("takes a key of somebody", () => expect(letsIn(proper)).toBe(true))
  test("refuses a key of nobody", () => {
    for (const key of KEYS_OF_NOBODY) expect(letsIn(key)).toBe(false)
  })
})

/** Doors that verify under a key that they were given: whether they take what nobody signed. */
const VERIFIERS: readonly (readonly [string, (key: Bytes, message: Bytes, n: number) => boolean])[] = [
  ["an envelope of a member", (key, message) => isAuthentic(envelopeOf(key, message))],
  ["the proof of a node", (key, _, n) => isProof("node", transcript(key, proper, n), UNSIGNED)],
  ["the proof of WaaS", (key, _, n) => isProof("waas", transcript(proper, key, n), UNSIGNED)],
  ["a task document", (key, document) => verifyDocument(key, "waas/task", { document, signature: UNSIGNED })],
  ["a REST request", (key, message) => verifiesApiSignature(toHex(key), message, UNSIGNED)],
  ["a check-up", (key, message) => verifyCheckup("ed25519", key, message, UNSIGNED)],
]

test.each(VERIFIERS)("%s: nothing verifies that nobody signed", (_, verifies) => {
  for (const key of KEYS_OF_NOBODY)
    for (const [n, message] of MESSAGES.entries()) expect(verifies(key, message, n)).toBe(false)
})

test("the configuration says which key it refuses", () => {
  const target = { url: "wss://waas.example.com/ws", proxy: undefined, ca: undefined, client: undefined }
  const attempt = () => checkTarget({ ...target, waasKey: KEYS_OF_NOBODY[0] ?? proper })
  expect(attempt).toThrow(/waas_public_key/)
  try {
    attempt()
  } catch (error) {
    expect(isCode(error, "E-LNK-012")).toBe(true)
  }
})
