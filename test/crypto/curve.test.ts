import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, bigToBe, bigToLe, concat, copy, fromHex, u8 } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { curveContract } from "./curveContract.ts"
import { TORSION } from "./torsion.ts"

const P_ED = (1n << 255n) - 19n
const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0)

curveContract()

const G = secp256k1.Point.BASE
const NOT_K1: readonly (readonly [string, Bytes])[] = [
  ["nothing", new Uint8Array(0)],
  ["the identity, in 1 byte", u8(0)],
  ["the identity, in 33", new Uint8Array(33)],
  ["uncompressed", copy(G.toBytes(false))],
  ["hybrid", concat(u8(6), copy(G.toBytes(false)).subarray(1))],
  ["x alone", copy(G.toBytes()).subarray(1)],
  ["a prefix that is neither 2 nor 3", concat(u8(4), copy(G.toBytes()).subarray(1))],
  ["x off the curve", concat(u8(2), bigToBe(5n, 32))],
  ["x of p or more", concat(u8(2), bigToBe(secp256k1.Point.Fp.ORDER + 1n, 32))],
  ["one byte more", concat(copy(G.toBytes()), u8(0))],
]
for (const [what, bytes] of NOT_K1) {
  test(`secp256k1 does not decode ${what}`, () => expect(K1.decodePoint(bytes)).toBeUndefined())
}

test("regression 17: Ed25519 points of small order, and points with a part of small order, do not decode", () => {
  for (const torsion of TORSION) expect(ED.decodePoint(hex(torsion))).toBeUndefined()
  for (const torsion of TORSION.slice(1)) {
    const mixed = ed25519.Point.BASE.add(ed25519.Point.fromBytes(hex(torsion), true))
    expect(ED.decodePoint(copy(mixed.toBytes()))).toBeUndefined()
  }
})

const B = ed25519.Point.BASE
const NOT_ED: readonly (readonly [string, Bytes])[] = [
  ["y of p or more", bigToLe(P_ED + 3n, 32)],
  ["a second form of the identity, y = p + 1", bigToLe(P_ED + 1n, 32)],
  ["x = 0 with the sign bit", concat(u8(1), new Uint8Array(30), u8(128))],
  ["y off the curve", bigToLe(2n, 32)],
  ["31 bytes", copy(B.toBytes()).subarray(1)],
  ["33 bytes", concat(copy(B.toBytes()), u8(0))],
]
for (const [what, bytes] of NOT_ED) {
  test(`Ed25519 does not decode ${what}`, () => expect(ED.decodePoint(bytes)).toBeUndefined())
}
