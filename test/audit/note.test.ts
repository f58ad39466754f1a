/** Signed notes against the known answers of Go's sumdb/note, cosignatures, checkpoints, and what is refused. */
import { describe, expect, test } from "bun:test"
import { incarnationOf, isOfLog, originOf, parseSigned } from "../../src/audit/checkpoint.ts"
import {
  fromBase64,
  noteKeyText,
  noteSigner,
  noteText,
  parseNote,
  parseNoteKey,
  parseSignatures,
  signedBy,
} from "../../src/audit/note.ts"
import { checkpointOf, LOG, leaves, OTHER_LOG, witnessNo } from "./world.ts"

const TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
const VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
const SEED = new Uint8Array(32)
const SIGNED = `${TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`

describe("a note", () => {
  test("has the key, the id and the signature of the known answer", () => {
    const skey = fromBase64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz") ?? SEED
    const signer = noteSigner("PeterNeumann", "log", skey.slice(1))
    expect(noteKeyText(signer.key)).toBe(VKEY)
    expect(noteText({ text: TEXT, signatures: [signer.sign(TEXT, 5)] })).toBe(SIGNED)
    const key = parseNoteKey(VKEY) ?? LOG.key
    const note = parseNote(SIGNED)
    expect(note && signedBy(note, key)).toBe(0)
    expect(note && signedBy(note, { ...key, name: "Peter" })).toBeUndefined()
    expect(note && signedBy({ ...note, text: `${TEXT}x\n` }, key)).toBeUndefined()
  })
  test("of a witness says when, and the time is signed", () => {
    const witness = witnessNo(1)
    expect(parseNoteKey(noteKeyText(witness.key))).toEqual(witness.key)
    const note = parseNote(checkpointOf(leaves(3), { witnesses: [witness] }))
    if (note === undefined) throw new Error("it is a note")
    expect(signedBy(note, witness.key)).toBe(99_000)
    expect(signedBy(note, witnessNo(2).key)).toBeUndefined()
    const [log, cosignature] = note.signatures
    if (log === undefined || cosignature === undefined) throw new Error("there are two")
    const later = cosignature.signature.map((byte, at) => (at === 7 ? byte + 1 : byte))
    expect(signedBy({ ...note, signatures: [log, { ...cosignature, signature: later }] }, witness.key)).toBeUndefined()
    // A log's key is no witness's, although the bytes are the same.
    expect(signedBy(note, { ...LOG.key, role: "witness" })).toBeUndefined()
  })
  test("is read in its one form alone", () => {
    for (const bad of [
      SIGNED.slice(0, -1),
      SIGNED.replace("\n\n", "\n"),
      SIGNED.replace("— ", "- "),
      SIGNED.replace("nAM=", "nAN="),
      SIGNED.replace("If", "\tIf"),
      SIGNED.replace("PeterNeumann x", "Peter+Neumann x"),
      `${TEXT}\n`,
      "",
    ]) {
      expect(parseNote(bad)).toBeUndefined()
    }
    expect(parseSignatures("— a b\n")).toBeUndefined()
    expect(parseSignatures("")).toEqual([])
    for (const bad of [
      "",
      VKEY.replace("c74f20a3", "c74f20a4"),
      VKEY.slice(0, -4),
      `${VKEY}+`,
      VKEY.replace("AR", "AB"),
    ]) {
      expect(parseNoteKey(bad)).toBeUndefined()
    }
  })
})

describe("a checkpoint", () => {
  test("is of the log that signed it, under one of its origins", () => {
    const signed = (text: string) =>
      parseSigned(text) ?? { checkpoint: { origin: "", size: 0, root: SEED }, note: { text: "", signatures: [] } }
    expect(isOfLog(signed(checkpointOf(leaves(3))), LOG.key)).toBe(true)
    expect(isOfLog(signed(checkpointOf(leaves(3), { over: { origin: originOf(LOG.key.name, 7) } })), LOG.key)).toBe(
      true,
    )
    expect(isOfLog(signed(checkpointOf(leaves(3), { by: OTHER_LOG })), LOG.key)).toBe(false)
    expect(isOfLog(signed(checkpointOf(leaves(3), { over: { origin: "cosigner/other" } })), LOG.key)).toBe(false)
  })
  test("names an incarnation in one form", () => {
    const of = (origin: string) => incarnationOf(origin, "a")
    expect(["a", "a/7", originOf("a", 0), originOf("a", 9)].map(of)).toEqual([0, 7, 0, 9])
    expect(["a/0", "a/07", "a/", "a/x", "ab", "a/9/9", "b/1"].map(of)).toEqual(Array(7).fill(undefined))
  })
  test("with anything more or less is none", () => {
    const good = checkpointOf(leaves(2))
    expect(parseSigned(good)?.checkpoint.size).toBe(2)
    const bad = [
      "\n2\n|\n02\n",
      "\n2\n|\n-2\n",
      "\n2\n|\n2\n\n",
      "=\n\n|=\nmore\n\n",
      "cosigner/test\n|\n",
      "\n2\n|\n9007199254740993\n",
    ]
    for (const [from = "", to = ""] of bad.map((one) => one.split("|"))) {
      expect(good).toContain(from)
      expect(parseSigned(good.replace(from, to))).toBeUndefined()
    }
  })
})
