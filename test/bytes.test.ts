/** Integers and bytes: the conversions against their definition by hex text, for every length that occurs. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { beToBig, bigToBe, bigToLe, copy, leToBig } from "../src/bytes.ts"

const byHex = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(`0x${bytes.toHex()}`))

test("there and back, both ways round, whatever the length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (drawn) => {
      // at an odd place in its buffer, as views of frames are
      const bytes = copy(new Uint8Array([7, ...drawn])).subarray(1)
      const reversed = copy(bytes).reverse()
      expect(beToBig(bytes)).toBe(byHex(bytes))
      expect(leToBig(bytes)).toBe(byHex(reversed))
      expect(bigToBe(byHex(bytes), bytes.length)).toEqual(copy(bytes))
      expect(bigToLe(byHex(bytes), bytes.length)).toEqual(reversed)
    }),
    { numRuns: 2_000 },
  )
})

test("what does not fit is refused, not cut", () => {
  for (const length of [0, 1, 7, 8, 9, 32, 33]) {
    for (const write of [bigToBe, bigToLe]) {
      expect(() => write(256n ** BigInt(length), length)).toThrow(RangeError)
      expect(() => write(-1n, length)).toThrow(RangeError)
    }
  }
})
