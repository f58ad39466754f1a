import { expect, test } from "bun:test"
import { concat, fromHex, toHex, u8 } from "../../src/bytes.ts"
import { type CurveName, ED, K1 } from "../../src/crypto/curve.ts"
import { decodeBase58Check, encodeBase58Check } from "../../src/keys/base58.ts"
import {
  decodeExtendedPublicKey,
  encodeExtendedPrivateKey,
  encodeExtendedPublicKey,
  neuter,
  rootPrivateKey,
  rootPublicKey,
} from "../../src/keys/extendedKey.ts"
import { derivePrivateKey, derivePublicKey, extendedPrivateKey } from "../support/extendedKeys.ts"
import bip32 from "../vectors/bip32.json"
import ed25519 from "../vectors/ed25519-derivation.json"
import { codeOf } from "./codeOf.ts"

const bip32Keys = bip32.children.flatMap(({ parent, child }) => [parent, child])

test("BIP-32: every extended key of the vectors survives decoding, encoding and losing its private half", () => {
  for (const { xpub, xprv } of bip32Keys) {
    expect(encodeExtendedPublicKey(decodeExtendedPublicKey(xpub))).toBe(xpub)
    using scalar = extendedPrivateKey(xprv).scalar
    expect(encodeExtendedPrivateKey({ ...extendedPrivateKey(xprv), scalar })).toBe(xprv)
    expect(encodeExtendedPublicKey(neuter(extendedPrivateKey(xprv)))).toBe(xpub)
  }
})

test("BIP-32: non-hardened children, public and private", () => {
  for (const { index, parent, child } of bip32.children) {
    expect(encodeExtendedPublicKey(derivePublicKey(decodeExtendedPublicKey(parent.xpub), [index]))).toBe(child.xpub)
    expect(encodeExtendedPrivateKey(derivePrivateKey(extendedPrivateKey(parent.xprv), [index]))).toBe(child.xprv)
  }
})

test("Ed25519: both chains of the vectors, public and private, from the root", () => {
  for (const chain of ed25519.chains) {
    const [first] = chain
    const root = { pub: fromHex(first!.publicKey)!, chain: fromHex(first!.chainCode)!, k: BigInt(`0x${first!.scalar}`) }
    const path: number[] = []
    for (const row of chain) {
      if (row.index !== null) path.push(row.index)
      expect(encodeExtendedPublicKey(derivePublicKey(rootPublicKey("ed25519", root.pub, root.chain), path))).toBe(
        row.cpub,
      )
      const key = derivePrivateKey(rootPrivateKey("ed25519", root.k, root.chain), path)
      expect(encodeExtendedPrivateKey(key)).toBe(row.cprv)
      expect(toHex(key.scalar.expose())).toBe(row.scalar)
      expect(encodeExtendedPublicKey(neuter(extendedPrivateKey(row.cprv)))).toBe(row.cpub)
      expect(encodeExtendedPublicKey(decodeExtendedPublicKey(row.cpub))).toBe(row.cpub)
    }
  }
})

test("the root of a real group", () => {
  const text =
    "xpub661MyMwAqRbcGNFddDqGveSvN9jr1n1GMGFypyhqn34oKyMw9bvrych636CDwgBbLjdLgQRoQtmqPucPb1pZQVBZq3tuXXTQX8wP3JMWAak"
  const key = decodeExtendedPublicKey(text)
  expect(toHex(key.chainCode)).toBe("b74087d551e44ef8d3a1270accb1977fd373c29fe6e235bc681c59a2137e1334")
  expect(encodeExtendedPublicKey(rootPublicKey(key.curve, key.publicKey, key.chainCode))).toBe(text)
})

// ---- every field, one change at a time -------------------------------------------------------------------------

const FIELDS = { version: 0, depth: 4, fingerprint: 5, childNumber: 9, chainCode: 13, key: 45 } as const

/** The extended key with `bytes` written at `at`, and the checksum made right again. */
function altered(text: string, at: number, ...bytes: readonly number[]): string {
  const layout = decodeBase58Check(text)!
  layout.set(bytes, at)
  return encodeBase58Check(layout)
}

const XPUB = bip32.children[3]!.parent.xpub
const XPRV = bip32.children[3]!.parent.xprv
const CPUB = ed25519.chains[0]![0]!.cpub
const CPRV = ed25519.chains[0]![0]!.cprv

test("a public key with any field wrong is refused", () => {
  const wrong: readonly (readonly [what: string, text: string, code: string])[] = [
    ["a wrong letter", `${XPUB.slice(0, -1)}z`, "E-KEY-005"],
    ["cut short", XPUB.slice(0, -1), "E-KEY-005"],
    ["empty", "", "E-KEY-005"],
    ["77 bytes", encodeBase58Check(decodeBase58Check(XPUB)!.slice(0, 77)), "E-KEY-005"],
    ["79 bytes", encodeBase58Check(concat(decodeBase58Check(XPUB)!, u8(0))), "E-KEY-005"],
    ["unknown version", altered(XPUB, FIELDS.version, 0x04, 0x35, 0x87, 0xcf), "E-KEY-005"],
    ["a private key", XPRV, "E-KEY-005"],
    ["a private key of the other curve", CPRV, "E-KEY-005"],
    ["depth 0 with a fingerprint", altered(XPUB, FIELDS.fingerprint, 0, 0, 0, 1), "E-KEY-005"],
    ["depth 0 with an index", altered(XPUB, FIELDS.childNumber, 0, 0, 0, 1), "E-KEY-005"],
    ["a hardened child on ed25519", altered(CPUB, FIELDS.depth, 1, 1, 2, 3, 4, 0x80, 0, 0, 0), "E-KEY-005"],
    ["no zero byte before an ed25519 key", altered(CPUB, FIELDS.key, 1), "E-KEY-005"],
    ["x off the curve", altered(XPUB, FIELDS.key, 2, ...new Array<number>(31).fill(0), 5), "E-KEY-004"],
    ["SEC1 prefix 04", altered(XPUB, FIELDS.key, 4), "E-KEY-004"],
    ["the ed25519 identity", altered(CPUB, FIELDS.key, 0, 1, ...new Array<number>(31).fill(0)), "E-KEY-004"],
    ["an xpub's bytes under cpub's version", altered(XPUB, FIELDS.version, 0x02, 0xe8, 0xde, 0x90), "E-KEY-005"],
    ["a cpub's bytes under xpub's version", altered(CPUB, FIELDS.version, 0x04, 0x88, 0xb2, 0x1e), "E-KEY-004"],
  ]
  for (const [what, text, code] of wrong) {
    expect([what, codeOf(() => decodeExtendedPublicKey(text))]).toEqual([what, code])
  }
})

test("a private scalar with leading zero bytes still fills its field", () => {
  for (const curve of ["secp256k1", "ed25519"] as const) {
    const text = encodeExtendedPrivateKey(rootPrivateKey(curve, 1n, new Uint8Array(32).fill(9)))
    expect(decodeBase58Check(text)?.length).toBe(78)
    using scalar = extendedPrivateKey(text).scalar
    expect(toHex(scalar.expose())).toBe(`${"00".repeat(31)}01`)
  }
})

test("roots are made of valid parts alone", () => {
  const chain = new Uint8Array(32)
  expect(codeOf(() => rootPublicKey("secp256k1", new Uint8Array(33), chain))).toBe("E-KEY-004")
  expect(codeOf(() => rootPublicKey("ed25519", K1.encodePoint(K1.generator), chain))).toBe("E-KEY-004")
  for (const [curve, order] of [
    ["secp256k1", K1.order],
    ["ed25519", ED.order],
  ] as [CurveName, bigint][]) {
    for (const scalar of [0n, -1n, order]) expect(() => rootPrivateKey(curve, scalar, chain)).toThrow(RangeError)
  }
  expect(() => rootPublicKey("secp256k1", K1.encodePoint(K1.generator), new Uint8Array(31))).toThrow(RangeError)
})

test("the format ends at depth 255", () => {
  let key = rootPublicKey("secp256k1", K1.encodePoint(K1.generator), new Uint8Array(32))
  key = { ...key, depth: 254 }
  expect(derivePublicKey(key, [0]).depth).toBe(255)
  expect(codeOf(() => derivePublicKey(key, [0, 0]))).toBe("E-KEY-005")
  using scalar = rootPrivateKey("secp256k1", 5n, new Uint8Array(32)).scalar
  const deep = { ...rootPrivateKey("secp256k1", 5n, new Uint8Array(32)), scalar, depth: 254 }
  expect(codeOf(() => derivePrivateKey(deep, [0, 0]))).toBe("E-KEY-005")
})
