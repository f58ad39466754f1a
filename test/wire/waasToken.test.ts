/** Which copy of a WaaS is the newest, and who can say so. */
import { expect, test } from "bun:test"
import { ByteReader } from "../../src/codec.ts"
import {
  encodeSignedToken,
  isNewestWaas,
  isTokenOf,
  readSignedToken,
  signToken,
  type WaasToken,
} from "../../src/wire/waasToken.ts"
import { newIdentity } from "./documents.ts"

const token = (incarnation: number, mark: number, id = 1): WaasToken => ({
  incarnation,
  mark,
  markId: new Uint8Array(16).fill(id),
})

test("the higher incarnation, then the higher mark, then the mark id that was seen", () => {
  const seen = token(5, 10)
  expect(isNewestWaas(seen, undefined)).toBe(true)
  expect(isNewestWaas(seen, seen)).toBe(true)
  expect(isNewestWaas(token(5, 11, 2), seen)).toBe(true)
  expect(isNewestWaas(token(6, 0, 2), seen)).toBe(true)
  expect(isNewestWaas(token(5, 10, 2), seen)).toBe(false)
  expect(isNewestWaas(token(5, 9), seen)).toBe(false)
  expect(isNewestWaas(token(4, 999), seen)).toBe(false)
})

test("a signed token is of one key, and of every bit of it", () => {
  const [waas, other] = [newIdentity(), newIdentity()]
  const signed = signToken(waas, token(5, 10))
  expect(isTokenOf(waas.publicKey, signed)).toBe(true)
  expect(isTokenOf(other.publicKey, signed)).toBe(false)
  for (const changed of [token(6, 10), token(5, 11), token(5, 10, 2)]) {
    expect(isTokenOf(waas.publicKey, { ...signed, token: changed })).toBe(false)
  }
  const bytes = encodeSignedToken(signed)
  expect(bytes.length).toBe(96)
  expect(readSignedToken(new ByteReader(bytes))).toEqual(signed)
})
