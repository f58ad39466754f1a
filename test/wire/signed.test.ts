import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { concat, utf8 } from "../../src/bytes.ts"
import { verifyEd25519 } from "../../src/crypto/ed25519.ts"
import { frame } from "../../src/crypto/frame.ts"
import { isCode } from "../../src/errors.ts"
import {
  decodeCancel,
  decodeStart,
  encodeCancel,
  encodeStart,
  MAX_ATTEMPTS,
  signDocument,
  verifyDocument,
} from "../../src/wire/signed.ts"
import { newIdentity } from "./documents.ts"

const waas = newIdentity()
const digest = "ab".repeat(32)

test("a signed document verifies under its key and its tag alone", () => {
  const document = encodeStart({ task_id: "t-1", digest, attempt: 1 })
  const signed = signDocument(waas, "waas/start", document)
  expect(verifyDocument(waas.publicKey, "waas/start", signed)).toBe(true)
  expect(ed25519.verify(signed.signature, frame("waas/start", document), waas.publicKey)).toBe(true)
  expect(verifyDocument(waas.publicKey, "waas/cancel", signed)).toBe(false)
  expect(verifyDocument(waas.publicKey, "waas/task", signed)).toBe(false)
  expect(verifyDocument(newIdentity().publicKey, "waas/start", signed)).toBe(false)
  expect(verifyDocument(waas.publicKey, "waas/start", { ...signed, document: concat(document, utf8(" ")) })).toBe(false)
  for (const at of [0, 31, 32, 63]) {
    const signature = signed.signature.slice()
    signature[at] = (signature[at] ?? 0) ^ 1
    expect(verifyDocument(waas.publicKey, "waas/start", { ...signed, signature })).toBe(false)
  }
})

test("wrong lengths and forgeable keys verify nothing", () => {
  const message = utf8("m")
  const signature = waas.sign(message)
  expect(verifyEd25519(waas.publicKey, message, signature)).toBe(true)
  expect(verifyEd25519(waas.publicKey.subarray(1), message, signature)).toBe(false)
  expect(verifyEd25519(concat(waas.publicKey, utf8("x")), message, signature)).toBe(false)
  expect(verifyEd25519(waas.publicKey, message, signature.subarray(1))).toBe(false)
  expect(verifyEd25519(waas.publicKey, message, concat(signature, utf8("x")))).toBe(false)
  // The identity point: R = identity, S = 0 is a "signature" of everything.
  const identity = new Uint8Array(32)
  identity[0] = 1
  const forged = new Uint8Array(64)
  forged[0] = 1
  expect(verifyEd25519(identity, message, forged)).toBe(false)
})

test("start and cancel documents survive the way", () => {
  const start = { task_id: "t-1", digest, attempt: 7 }
  const cancel = { task_id: "t-1", digest, reason: "asked by „ops“" }
  expect(decodeStart(encodeStart(start))).toEqual(start)
  expect(decodeCancel(encodeCancel(cancel))).toEqual(cancel)
})

test("start and cancel documents are closed", () => {
  const bad = [
    { task_id: "t-1", digest, attempt: 0 },
    { task_id: "t-1", digest, attempt: MAX_ATTEMPTS + 1 },
    { task_id: "t-1", digest, attempt: 1.5 },
    { task_id: "t-1", digest: digest.toUpperCase(), attempt: 1 },
    { task_id: "t 1", digest, attempt: 1 },
    { task_id: "t-1", digest, attempt: 1, more: 1 },
    { task_id: "t-1", digest },
  ]
  for (const one of bad) expect("problem" in decodeStart(utf8(JSON.stringify(one)))).toBe(true)
  const long = { task_id: "t-1", digest, reason: "x".repeat(1025) }
  expect("problem" in decodeCancel(utf8(JSON.stringify(long)))).toBe(true)
  expect("problem" in decodeCancel(encodeStart({ task_id: "t-1", digest, attempt: 1 }))).toBe(true)
  expect(
    "problem" in decodeCancel(utf8(JSON.stringify({ task_id: "t-1", digest, reason: "\u00e9".repeat(5000) }))),
  ).toBe(true)
  try {
    encodeStart({ task_id: "t-1", digest, attempt: 0 })
    expect.unreachable()
  } catch (error) {
    expect(isCode(error, "E-LNK-020")).toBe(true)
  }
})
