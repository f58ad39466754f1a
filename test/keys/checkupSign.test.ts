import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import * as ecc from "tiny-secp256k1"
import { type Bytes, beToBig, bigToBe, concat, copy, utf8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed, K1 } from "../../src/crypto/curve.ts"
import { checkupDigest, MAX_MESSAGE, signCheckup, verifyCheckup } from "../../src/keys/checkupSign.ts"
import { Secret } from "../../src/secret.ts"
import { codeOf } from "./codeOf.ts"
import { deal, digest, stream } from "./groups.ts"

const CURVES = ["secp256k1", "ed25519"] as const
const MESSAGE = utf8("check-up of 2026-11-22, challenge 7")

function shareOf(curve: CurveName) {
  const { group, shares } = deal({ curve, threshold: 2, size: 2 })
  const { party, sharePublicKey } = group.members[0]!
  const scalar = shares.get(party)!
  return { scalar, share: () => Secret.take(curveNamed(curve).encodeScalar(scalar)), sharePublicKey }
}

/** Two further implementations: libsecp256k1, and noble's own verifier for the curve that node:crypto checked inside. */
const verifiesElsewhere = (curve: CurveName, signature: Bytes, hash: Bytes, key: Bytes): boolean =>
  curve === "secp256k1" ? ecc.verify(hash, key, signature, true) : ed25519.verify(signature, hash, key)

test("signatures verify here and with another implementation, over the SHA-256 of the message", () => {
  for (const curve of CURVES) {
    const { share, sharePublicKey } = shareOf(curve)
    for (const message of [MESSAGE, new Uint8Array(1), new Uint8Array(MAX_MESSAGE).fill(7)]) {
      const signature = signCheckup(curve, share(), sharePublicKey, message, stream("nonce"))
      expect(signature.length).toBe(64)
      expect(verifyCheckup(curve, sharePublicKey, message, signature)).toBe(true)
      const hash = copy(createHash("sha256").update(message).digest())
      expect(verifiesElsewhere(curve, signature, hash, sharePublicKey)).toBe(true)
    }
  }
})

test("never a caller's digest: a 32-byte message is hashed like any other", () => {
  const hash = digest("a transaction")
  for (const curve of CURVES) {
    const { share, sharePublicKey } = shareOf(curve)
    const signature = signCheckup(curve, share(), sharePublicKey, hash, stream("nonce"))
    expect(verifiesElsewhere(curve, signature, hash, sharePublicKey)).toBe(false)
    expect(verifiesElsewhere(curve, signature, checkupDigest(hash), sharePublicKey)).toBe(true)
  }
})

test("nonces depend on the hedge, the message and the share; the same of all three gives the same signature", () => {
  for (const curve of CURVES) {
    const { share, sharePublicKey } = shareOf(curve)
    const sign = (label: string, message = MESSAGE) =>
      Buffer.from(signCheckup(curve, share(), sharePublicKey, message, stream(label))).toString("hex")
    const nonceOf = (signature: string) => signature.slice(0, 64)
    expect(sign("a")).toBe(sign("a"))
    expect(nonceOf(sign("a"))).not.toBe(nonceOf(sign("b")))
    // a broken random source must not repeat a nonce for two messages
    expect(nonceOf(sign("a"))).not.toBe(nonceOf(sign("a", utf8("another message"))))
  }
  const other = deal({ curve: "ed25519", threshold: 2, size: 2, label: "other" })
  const { party, sharePublicKey } = other.group.members[0]!
  const theirs = curveNamed("ed25519").encodeScalar(other.shares.get(party)!)
  const ours = shareOf("ed25519")
  const first = signCheckup("ed25519", ours.share(), ours.sharePublicKey, MESSAGE, stream("a"))
  const second = signCheckup("ed25519", Secret.take(theirs), sharePublicKey, MESSAGE, stream("a"))
  expect(first.slice(0, 32)).not.toEqual(second.slice(0, 32))
})

test("low s alone is written and accepted", () => {
  const { share, sharePublicKey } = shareOf("secp256k1")
  for (let i = 0; i < 20; i++) {
    const message = utf8(`message ${i}`)
    const signature = signCheckup("secp256k1", share(), sharePublicKey, message, stream(`${i}`))
    const s = beToBig(signature.subarray(32))
    expect(s <= K1.order / 2n).toBe(true)
    const high = concat(signature.subarray(0, 32), bigToBe(K1.order - s, 32))
    expect(secp256k1.verify(high, checkupDigest(message), sharePublicKey, { prehash: false, lowS: false })).toBe(true)
    expect(verifyCheckup("secp256k1", sharePublicKey, message, high)).toBe(false)
  }
})

test("any flipped bit, another message or another key: not this signature", () => {
  for (const curve of CURVES) {
    const { share, sharePublicKey } = shareOf(curve)
    const signature = signCheckup(curve, share(), sharePublicKey, MESSAGE, stream("nonce"))
    fc.assert(
      fc.property(fc.nat(511), (bit) => {
        const flipped = Uint8Array.from(signature)
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        expect(verifyCheckup(curve, sharePublicKey, MESSAGE, flipped)).toBe(false)
      }),
      { seed: 8, numRuns: 60 },
    )
    const other = deal({ curve, threshold: 2, size: 2, label: "other" }).group.members[0]!.sharePublicKey
    expect(verifyCheckup(curve, other, MESSAGE, signature)).toBe(false)
    expect(verifyCheckup(curve, sharePublicKey, utf8("another"), signature)).toBe(false)
    expect(verifyCheckup(curve, sharePublicKey, MESSAGE, signature.slice(1))).toBe(false)
    expect(verifyCheckup(curve, sharePublicKey, new Uint8Array(0), signature)).toBe(false)
    expect(verifyCheckup(curve, new Uint8Array(sharePublicKey.length), MESSAGE, signature)).toBe(false)
  }
})

test("an Ed25519 signature under a key of small order is nobody's", () => {
  // A = identity verifies R = z*G for every message in lax verifiers
  const identity = Uint8Array.from([1, ...new Array<number>(31).fill(0)])
  const forged = concat(ed25519.Point.BASE.toBytes(), Uint8Array.from([1, ...new Array<number>(31).fill(0)]))
  expect(verifyCheckup("ed25519", identity, MESSAGE, forged)).toBe(false)
})

test("messages of no byte, and of more than 4096", () => {
  for (const curve of CURVES) {
    const { share, sharePublicKey } = shareOf(curve)
    for (const length of [0, MAX_MESSAGE + 1]) {
      const message = new Uint8Array(length)
      expect(codeOf(() => signCheckup(curve, share(), sharePublicKey, message, stream("n")))).toBe("E-KEY-009")
    }
  }
})

test("a share that is not the record's signs nothing", () => {
  for (const curve of CURVES) {
    const { sharePublicKey, scalar } = shareOf(curve)
    const wrong = Secret.take(curveNamed(curve).encodeScalar(scalar + 1n))
    expect(codeOf(() => signCheckup(curve, wrong, sharePublicKey, MESSAGE, stream("n")))).toBe("E-CLI-001")
  }
})
