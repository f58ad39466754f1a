import { expect, test } from "bun:test"
import { beToBig, concat, fromHex, toHex, u8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import {
  type AddressKind,
  addressesOf,
  checksummed,
  ethereumAddress,
  segwit,
  solanaAddress,
  taprootOutputKey,
  tronAddress,
} from "../../src/keys/addresses.ts"
import vectors from "../vectors/addresses.json"
import { codeOf } from "./codeOf.ts"

const publicKeyOf = (privateKey: string) => K1.encodePoint(K1.multiplyBase(beToBig(fromHex(privateKey)!)))

const kindOf = (kind: AddressKind, publicKey: Uint8Array) =>
  addressesOf("secp256k1", publicKey).find((one) => one.kind === kind)?.address

test("P2WPKH", () => {
  for (const { publicKey, address } of vectors.p2wpkh) expect(kindOf("btc-p2wpkh", fromHex(publicKey)!)).toBe(address)
})

test("P2TR: output key and address, from the internal key with either parity", () => {
  for (const { internalKey, merkleRoot, outputKey, address } of vectors.p2tr) {
    for (const parity of [2, 3]) {
      const publicKey = concat(u8(parity), fromHex(internalKey)!)
      expect(toHex(taprootOutputKey(publicKey, fromHex(merkleRoot)!))).toBe(outputKey)
      if (merkleRoot === "") expect(kindOf("btc-p2tr", publicKey)).toBe(address)
    }
  }
})

test("segwit addresses of all lengths and both checksums", () => {
  for (const { hrp, version, program, address } of vectors.segwit) {
    expect(segwit(hrp, version, fromHex(program)!)).toBe(address)
  }
})

test("EIP-55 spelling", () => {
  for (const address of vectors.eip55) expect(checksummed(address.slice(2).toLowerCase())).toBe(address)
})

test("Ethereum, TRON and Solana addresses", () => {
  for (const { privateKey, address } of vectors.ethereum) {
    expect(ethereumAddress(publicKeyOf(privateKey))).toBe(address)
  }
  for (const { privateKey, address } of vectors.tron) expect(tronAddress(publicKeyOf(privateKey))).toBe(address)
  for (const { publicKey, address } of vectors.solana) expect(solanaAddress(fromHex(publicKey)!)).toBe(address)
})

test("addressesOf names every kind of the curve, and no other", () => {
  const k1 = addressesOf("secp256k1", publicKeyOf(vectors.ethereum[0]!.privateKey))
  expect(k1.map(({ kind }) => kind)).toEqual(["btc-p2wpkh", "btc-p2tr", "eth", "tron"])
  expect(k1[2]?.address).toBe(vectors.ethereum[0]!.address)
  const ed = addressesOf("ed25519", fromHex(vectors.solana[0]!.publicKey)!)
  expect(ed).toEqual([{ kind: "sol", address: vectors.solana[0]!.address }])
})

test("what is no key of the curve has no address", () => {
  const bad = [new Uint8Array(33), new Uint8Array(32), concat(u8(2), new Uint8Array(32).fill(255)), new Uint8Array(0)]
  for (const key of bad) {
    for (const address of [
      (key: Uint8Array) => addressesOf("secp256k1", key),
      ethereumAddress,
      tronAddress,
      solanaAddress,
    ]) {
      expect(codeOf(() => address(key))).toBe("E-KEY-004")
    }
  }
  expect(() => taprootOutputKey(publicKeyOf("01".repeat(32)), new Uint8Array(31))).toThrow(RangeError)
})
