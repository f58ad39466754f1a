import { expect, test } from "bun:test"
import fc from "fast-check"
import { fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { decodeBase58, decodeBase58Check, encodeBase58, encodeBase58Check } from "../../src/keys/base58.ts"

// draft-msporny-base58-03, section 5, and the edges of leading zeros.
const VECTORS: readonly (readonly [hex: string, text: string])[] = [
  [toHex(utf8("Hello World!")), "2NEpo7TZRRrLZSi2U"],
  [
    toHex(utf8("The quick brown fox jumps over the lazy dog.")),
    "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
  ],
  ["0000287fb4cd", "11233QC4"],
  ["", ""],
  ["00", "1"],
  ["39", "z"],
  ["3a", "21"],
]

test.each(VECTORS)("base58 of %s", (hex, text) => {
  const bytes = fromHex(hex)!
  expect(encodeBase58(bytes)).toBe(text)
  expect(decodeBase58(text)).toEqual(bytes)
})

test("base58 refuses foreign letters and over-long texts", () => {
  for (const text of ["0", "O", "I", "l", " 2g", "2g\n", "ä", "1".repeat(257)])
    expect(decodeBase58(text)).toBeUndefined()
  expect(decodeBase58("1".repeat(256))?.length).toBe(256)
})

test("base58check: round trip, and every single-letter change is caught", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), fc.nat(), fc.nat(), (payload, place, letter) => {
      const text = encodeBase58Check(payload)
      expect(decodeBase58Check(text)).toEqual(Uint8Array.from(payload))
      const at = place % text.length
      const other = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"[letter % 58]!
      if (other === text[at]) return
      expect(decodeBase58Check(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined()
    }),
    { seed: 58, numRuns: 300 },
  )
})

test("base58check wants four bytes of checksum", () => {
  for (const text of ["", "1", "111"]) expect(decodeBase58Check(text)).toBeUndefined()
})
