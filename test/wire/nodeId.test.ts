import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { concat, fromHex, u8 } from "../../src/bytes.ts"
import { encodeBase58Check } from "../../src/keys/base58.ts"
import { type PartyId, partyOf } from "../../src/keys/party.ts"
import { nodeIdOf, parseNodeId } from "../../src/wire/nodeId.ts"
import { KEYS_OF_NOBODY } from "../support/keysOfNobody.ts"

const LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0OIl -"

const party = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((seed): PartyId => {
  const of = partyOf(ed25519.getPublicKey(seed))
  if (of === undefined) throw new RangeError("32 bytes are a party")
  return of
})

test("a node id is its key, readable, and of one length", () => {
  fc.assert(
    fc.property(party, (partyId) => {
      const id = nodeIdOf(partyId)
      expect(id).toMatch(/^cos[1-9A-HJ-NP-Za-km-z]{51}$/)
      expect(parseNodeId(id)).toBe(partyId)
    }),
    { seed: 1, numRuns: 300 },
  )
})

test("known answer: RFC 8032, test 1", () => {
  const of = partyOf(fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a") ?? new Uint8Array())
  expect(of === undefined ? "" : nodeIdOf(of)).toBe("cos3Evya1H5YcdBSyLVW26d4dSpRsEyRz5jDW5VraU29mUpA25J9ue")
})

test("every change of one letter is refused", () => {
  fc.assert(
    fc.property(party, (partyId) => {
      const id = nodeIdOf(partyId)
      for (let i = 0; i < id.length; i++) {
        for (const letter of LETTERS) {
          if (letter === id.charAt(i)) continue
          expect(parseNodeId(id.slice(0, i) + letter + id.slice(i + 1))).toBeUndefined()
        }
      }
    }),
    { seed: 2, numRuns: 3 },
  )
})

test("every swap of two neighbours, every letter too many or too few is refused", () => {
  fc.assert(
    fc.property(party, (partyId) => {
      const id = nodeIdOf(partyId)
      for (let i = 0; i < id.length; i++) {
        const [a, b] = [id.charAt(i), id.charAt(i + 1)]
        if (b !== "" && a !== b) expect(parseNodeId(id.slice(0, i) + b + a + id.slice(i + 2))).toBeUndefined()
        expect(parseNodeId(id.slice(0, i) + id.slice(i + 1))).toBeUndefined()
        expect(parseNodeId(`${id.slice(0, i)}1${id.slice(i)}`)).toBeUndefined()
      }
    }),
    { seed: 3, numRuns: 20 },
  )
})

test("another version, another length and another prefix are refused", () => {
  const key = ed25519.getPublicKey(new Uint8Array(32).fill(7))
  const id = (prefix: string, ...payload: readonly Uint8Array[]): string =>
    prefix + encodeBase58Check(concat(...payload))
  expect(parseNodeId(id("cos", u8(0x42), key))).toBeDefined()
  expect(parseNodeId(id("cos", u8(0x43), key))).toBeUndefined()
  expect(parseNodeId(id("cos", u8(0x42), key, u8(0)))).toBeUndefined()
  expect(parseNodeId(id("cos", u8(0x42), key.subarray(1)))).toBeUndefined()
  expect(parseNodeId(id("cobo", u8(0x42), key))).toBeUndefined()
  expect(parseNodeId(id("", u8(0x42), key))).toBeUndefined()
  expect(parseNodeId("")).toBeUndefined()
})

test("a key that is nobody's names no node", () => {
  for (const key of KEYS_OF_NOBODY)
    expect(parseNodeId(`cos${encodeBase58Check(concat(u8(0x42), key))}`)).toBeUndefined()
  const { publicKey } = ed25519.keygen()
  expect(parseNodeId(`cos${encodeBase58Check(concat(u8(0x42), publicKey))}`)).toBeDefined()
})
