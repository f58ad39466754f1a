/** BIP-322 messages: the BIP's vectors (its published signatures verify against our digests), a second implementation, refusals. */
import { describe, expect, test } from "bun:test"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import * as bitcoin from "bitcoinjs-lib"
import { type Bytes, copy, equal, toHex, utf8 } from "../../../src/bytes.ts"
import { messageDecoder, messageHash, virtualTransactions } from "../../../src/intent/bitcoin/message.ts"
import { serialized, sha256d } from "../../../src/intent/bitcoin/transaction.ts"
import { BITCOIN } from "../../../src/intent/caip.ts"
import { check } from "../../../src/intent/check.ts"
import { type Asked, type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { decodeBase58Check } from "../../../src/keys/base58.ts"
import { asked, contextOf, keyAt, scriptOf } from "./wallet.ts"

const NO_SCRIPTS = new Uint8Array(0)

function read(message: Uint8Array, messages: readonly Asked[], context: Context = contextOf(messages)): Reading {
  const decoded = messageDecoder.decode(message, context)
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.message}`)
  return decoded
}

const refusal = (message: Uint8Array, context: Context): string => {
  const decoded = messageDecoder.decode(message, context)
  return isProblem(decoded) ? `${decoded.code} ${decoded.at}` : "read"
}

/** The root key itself as the only key of a group. */
const only = (publicKey: Bytes, signature: "ECDSA" | "Schnorr"): Context => ({
  curve: "secp256k1",
  messages: [{ path: [], publicKey, signature, ...(signature === "Schnorr" ? { merkleRoot: NO_SCRIPTS } : {}) }],
  derive: (path) => (path.length === 0 ? publicKey : undefined),
  chains: [BITCOIN],
  settings: DEFAULT_SETTINGS,
})

describe("BIP-322's vectors", () => {
  const ADDRESS = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
  const HASHES: readonly (readonly [text: string, hash: string, toSpend: string, toSign: string])[] = [
    [
      "",
      "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1",
      "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7",
      "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6",
    ],
    [
      "Hello World",
      "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a",
      "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b",
      "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf",
    ],
  ]
  test("hash of the message, both virtual transactions", () => {
    const script = bitcoin.address.toOutputScript(ADDRESS)
    const id = (tx: Parameters<typeof serialized>[0]) => toHex(sha256d(serialized(tx)).reverse())
    for (const [text, hash, toSpend, toSign] of HASHES) {
      expect(toHex(messageHash(utf8(text)))).toBe(hash)
      const made = virtualTransactions(utf8(text), script)
      expect(id(made.toSpend)).toBe(toSpend)
      expect(id(made.toSign)).toBe(toSign)
    }
  })

  /** Message, private key (WIF), address, witness in base64. */
  const SIGNED: readonly (readonly [text: string, key: string, address: string, signature: string])[] = [
    [
      "",
      "L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k",
      ADDRESS,
      "AkcwRAIgM2gBAQqvZX15ZiysmKmQpDrG83avLIT492QBzLnQIxYCIBaTpOaD20qRlEylyxFSeEA2ba9YOixpX8z46TSDtS40ASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=",
    ],
    [
      "Hello World",
      "L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k",
      ADDRESS,
      "AkcwRAIgZRfIY3p7/DoVTty6YZbWS71bc5Vct9p9Fia83eRmw2QCICK/ENGfwLtptFluMGs2KsqoNSk89pO7F29zJLUx9a/sASECx/EgAxlkQpQ9hYjgGu6EBCPMVPwVIVJqO4XCsMvViHI=",
    ],
    [
      "ESHJI7MWUL64AXHBI42L3UR4QA",
      "L1W6mc2yYRcDCkhwhFASvvacvp6Pm4u29dxK9RJHVorXqLciTdq4",
      "bc1qkntwc3c4dzxh9xh6875l03fn3vkk023jgak3u7",
      "AkcwRAIgCYHF/vn67iZX5WBimh84kqD6pTME6eNCMGhfFnnwCNECIAF3nMCk/RfLit+uv8a8FgfQIw0f0ASE21GSz7rX17PsASEDTA2vM8bOtUFgvenSDUmvkq7aWNwoTB0CMiM6carHY1s=",
    ],
    [
      "No prefix fallback",
      "KyrSGCFPhqZMjCe5fNTYddiLMp4tMj4gLKuJ26TsB2rvr1VJGPbt",
      "bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler",
      "AUCJYOwOjxYAvatTAGYaVlNXBVyFuc4MwNQkOuK2tl8xhfKDONd0NjfYyNSYcRqeCp8hsAnCEPHAVEkO9h6vbQ/R",
    ],
    [
      "TPIZPITUIHEUHO5ACOL6W6MBVD",
      "L1rPtXzPkeCuXArPk5QKfaU4PCx16S2zCXnYtFSMGHiDkQyWw5fv",
      "bc1p9cyuceaazr8cz46mvgkzl94wy397mwpqsrk84su37t72jvkg6wzqv52nfp",
      "AUBay6NwR4LEYedkTG+vE9F7C0RTOCB5NH6ZAqf+3hudjHIkOzSZk1jW/5Kt0wRKX3llJ25os+0qktdou4/Y8516",
    ],
  ]
  for (const [text, key, address, signature] of SIGNED) {
    test(`${JSON.stringify(text)} for ${address}`, () => {
      const publicKey = copy(secp256k1.getPublicKey((decodeBase58Check(key) ?? NO_SCRIPTS).slice(1, 33), true))
      const taproot = address.startsWith("bc1p")
      const reading = read(utf8(text), [], only(publicKey, taproot ? "Schnorr" : "ECDSA"))
      expect(reading.from).toEqual([address])
      expect(reading.effects).toEqual([{ kind: "message", from: address, text }])
      const [{ bytes: digest } = { bytes: NO_SCRIPTS }] = reading.signs
      const witness = Buffer.from(signature, "base64")
      const first = witness.subarray(2, 2 + (witness[1] ?? 0))
      if (taproot) {
        const outputKey = bitcoin.address.toOutputScript(address).subarray(2)
        expect(schnorr.verify(first, digest, outputKey)).toBe(true)
      } else {
        const { signature: compact } = bitcoin.script.signature.decode(first)
        expect(secp256k1.verify(compact, digest, publicKey, { prehash: false, lowS: false })).toBe(true)
      }
    })
  }
})

describe("messages", () => {
  const ECDSA = { path: [84, 0, 0, 0, 0], publicKey: keyAt([84, 0, 0, 0, 0]), signature: "ECDSA" } as const
  const { input: _, ...TAPROOT } = asked({ kind: "p2tr", path: [86, 0, 0, 0, 0] }, 0)
  const { input: __, ...RAW } = asked({ kind: "rawtr", path: [86, 0, 0, 0, 1] }, 0)

  test("digests of a second implementation over random messages and lengths", () => {
    for (const length of [1, 31, 32, 33, 252, 253, 1000, 70_000]) {
      const message = Uint8Array.from({ length }, (_, i) => 97 + ((i * 7) % 26))
      for (const [ask, kind] of [
        [ECDSA, "p2wpkh"],
        [TAPROOT, "p2tr"],
        [RAW, "rawtr"],
      ] as const) {
        const script = scriptOf({ kind, path: ask.path })
        const { toSpend } = virtualTransactions(message, script)
        const tx = new bitcoin.Transaction()
        tx.version = 0
        tx.addInput(bitcoin.Transaction.fromBuffer(serialized(toSpend)).getHash(), 0, 0)
        tx.addOutput(new Uint8Array([0x6a]), 0n)
        const code = bitcoin.payments.p2pkh({ pubkey: ask.publicKey }).output!
        const expected =
          kind === "p2wpkh" ? tx.hashForWitnessV0(0, code, 0n, 1) : tx.hashForWitnessV1(0, [script], [0n], 0)
        expect(read(message, [ask]).signs).toEqual([{ path: ask.path, bytes: copy(expected) }])
      }
    }
  })
  test("one message for several addresses: an effect each, and the task must ask for each once", () => {
    const reading = read(utf8("we hold these"), [ECDSA, TAPROOT])
    expect(reading.from).toHaveLength(2)
    expect(reading.effects.map(({ kind }) => kind)).toEqual(["message", "message"])
    const claims = reading.signs.map(({ path = [], bytes }) => ({ path, hash: bytes }))
    expect(check(reading, claims)).toBeUndefined()
    expect(check(reading, claims.slice(1))?.code).toBe("E-INT-006")
    expect(check(read(utf8("x"), [ECDSA, ECDSA]), claims)?.code).toBe("E-INT-006")
  })
  test("what people cannot read is an opaque hash", () => {
    for (const message of [Uint8Array.of(0xff), utf8("pay\u202eto"), utf8("a\u0000b"), utf8("\ufeffa")]) {
      const [effect] = read(message, [ECDSA]).effects
      expect(effect).toMatchObject({ kind: "opaque_hash", hash: messageHash(message) })
    }
    expect(read(utf8("line one\nline two"), [ECDSA]).effects[0]).toMatchObject({ kind: "message" })
  })
  test("one byte of the message, the key or the kind of signature: another digest", () => {
    const digest = (message: string, ask: Asked) => read(utf8(message), [ask]).signs[0]?.bytes ?? NO_SCRIPTS
    const all = [
      digest("a", ECDSA),
      digest("b", ECDSA),
      digest("a", { ...ECDSA, publicKey: keyAt([1]) }),
      digest("a", TAPROOT),
    ]
    for (const [i, one] of all.entries()) for (const other of all.slice(i + 1)) expect(equal(one, other)).toBe(false)
  })
  test("refusals", () => {
    const message = utf8("hello")
    expect(refusal(message, contextOf([{ ...ECDSA, input: 0 }]))).toBe("E-INT-075 message 0")
    expect(refusal(message, contextOf([]))).toBe("E-INT-075 messages")
    expect(refusal(message, contextOf([{ ...ECDSA, signature: "EdDSA" }]))).toBe("E-INT-008 signature type")
    expect(refusal(message, { ...contextOf([ECDSA]), chains: ["eip155:1"] })).toBe("E-INT-004 chain")
    expect(refusal(message, { ...contextOf([ECDSA]), chains: ["bip122:ffffffffffffffffffffffffffffffff"] })).toBe(
      "E-INT-074 chain",
    )
  })
})
