import { expect, test } from "bun:test"
import fc from "fast-check"
import { toHex, utf8 } from "../../src/bytes.ts"
import { frame, H, H512, HS, XOF } from "../../src/crypto/frame.ts"
import { OT_HASH_TO_CURVE_DST, TAGS, type Tag } from "../../src/crypto/tags.ts"

test("tags are unique, ASCII, and no two of them differ by case alone", () => {
  const all = [...TAGS, OT_HASH_TO_CURVE_DST]
  expect(new Set(all.map((tag) => tag.toLowerCase())).size).toBe(all.length)
  for (const tag of all) expect(tag).toMatch(/^[\x21-\x7e]{1,60}$/)
})

test("a frame is what threshold.md 1.4 writes down", () => {
  expect(toHex(frame("x", utf8("ab"), new Uint8Array(0)))).toBe(
    `${toHex(utf8("TSSN1"))}01${toHex(utf8("x"))}0200000002${toHex(utf8("ab"))}00000000`,
  )
})

test("regression 5: frames are injective, however fields are cut", () => {
  const fields = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 5 })
  const tags = fc.constantFrom<Tag>("x", "sid", "ot/sid", "ote/1")
  fc.assert(
    fc.property(tags, fields, tags, fields, (tagA, a, tagB, b) => {
      const same = tagA === tagB && JSON.stringify(a.map(toHex)) === JSON.stringify(b.map(toHex))
      expect(toHex(frame(tagA, ...a)) === toHex(frame(tagB, ...b))).toBe(same)
    }),
    { seed: 5, numRuns: 500 },
  )
  // The classic: the same bytes, another boundary.
  expect(H("x", utf8("ab"), utf8("c"))).not.toEqual(H("x", utf8("a"), utf8("bc")))
  expect(H("x", utf8("abc"))).not.toEqual(H("x", utf8("abc"), new Uint8Array(0)))
})

test("more than 255 fields are refused, never counted modulo 256", () => {
  const many = (count: number) => Array.from({ length: count }, () => new Uint8Array(1))
  expect(frame("x", ...many(255)).length).toBeGreaterThan(255)
  expect(() => frame("x", ...many(256))).toThrow(RangeError)
})

test("known answers", () => {
  expect(toHex(H("x", utf8("a")))).toBe("5aae149b6e45b22cabae86490de211f8db7bde7d638deef3dc60140a37f754f2")
  expect(toHex(H512("x", utf8("a"))).slice(0, 64)).toBe(
    "c70cda5a807a2db9f2f3c9a6d7ce5e49eabd8f87cd066a78da8678dad57b1a80",
  )
  expect(HS(1_000_003n, "x", utf8("a"))).toBe(BigInt(`0x${toHex(H512("x", utf8("a")))}`) % 1_000_003n)
  expect(toHex(XOF(20, "x", utf8("a")))).toBe("9af56625f14ac2a0d1fc09b363b503cef0ddf5f4")
  expect(XOF(40, "x").subarray(0, 20)).toEqual(XOF(20, "x"))
})
