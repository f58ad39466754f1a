import { expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { copy } from "../../src/bytes.ts"
import { ByteReader, Malformed } from "../../src/codec.ts"
import {
  BEFORE_VERSIONS,
  common,
  encodeVersions,
  LINK,
  markedNonce,
  newestOfAll,
  rangeOf,
  readVersions,
  VERSIONS,
} from "../../src/wire/versions.ts"

const range = fc
  .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 20 }))
  .map(([oldest, more]) => ({ oldest, newest: oldest + more }))
const numbers = fc
  .uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 6 })
  .map((list) => list.sort((a, b) => a - b))

test("a mark in a nonce is read as it was written, and leaves 22 bytes of it random", () => {
  fc.assert(
    fc.property(range, fc.uint8Array({ minLength: 32, maxLength: 32 }), (spoken, random) => {
      const nonce = markedNonce(random, spoken)
      expect(nonce).toHaveLength(32)
      expect(rangeOf(nonce)).toEqual(spoken)
      expect(nonce.subarray(0, 22)).toEqual(copy(random.subarray(0, 22)))
    }),
    { seed: 1 },
  )
})

test("a nonce of a program of before is version 1 alone", () => {
  for (let i = 0; i < 100; i++) expect(rangeOf(randomBytes(32))).toEqual({ oldest: 1, newest: 1 })
  const nonce = markedNonce(randomBytes(32), LINK)
  // One flipped bit of the mark, and it is none.
  for (let bit = 22 * 8; bit < 30 * 8; bit++) {
    const other = copy(nonce)
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(rangeOf(other)).toEqual({ oldest: 1, newest: 1 })
  }
})

test("the common version is the newest that is in both ranges, by counting", () => {
  fc.assert(
    fc.property(range, range, (ours, theirs) => {
      const both: number[] = []
      for (let v = 1; v <= 50; v++) {
        if (v >= ours.oldest && v <= ours.newest && v >= theirs.oldest && v <= theirs.newest) both.push(v)
      }
      expect(common(ours, theirs)).toBe(both.at(-1))
      expect(common(theirs, ours)).toBe(both.at(-1))
    }),
    { seed: 2 },
  )
  expect(common(LINK, rangeOf(randomBytes(32)))).toBe(1)
})

test("the newest of all lists, by counting", () => {
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 4 }), (lists) => {
      const shared = [...Array(13).keys()].filter((v) => lists.every((list) => list.includes(v)))
      expect(newestOfAll(lists)).toBe(shared.at(-1))
    }),
    { seed: 3 },
  )
})

test("versions survive the way; what is not ascending, empty or too long is refused", () => {
  for (const versions of [VERSIONS, { tasks: [1, 2], suites: [3], readers: [] }]) {
    expect(readVersions(new ByteReader(encodeVersions(versions)))).toEqual(versions)
  }
  const bad = [
    { tasks: [], suites: [1], readers: [] },
    { tasks: [1], suites: [], readers: [] },
    { tasks: [0], suites: [1], readers: [] },
    { tasks: [2, 1], suites: [1], readers: [] },
    { tasks: [1, 1], suites: [1], readers: [] },
    { tasks: [1, 2, 3, 4, 5, 6, 7, 8, 9], suites: [1], readers: [] },
  ]
  for (const versions of bad) expect(() => readVersions(new ByteReader(encodeVersions(versions)))).toThrow(Malformed)
})

test("this release still speaks with those of before", () => {
  expect(common(LINK, { oldest: 1, newest: 1 })).toBe(BEFORE_VERSIONS.link)
  expect(newestOfAll([VERSIONS.tasks, BEFORE_VERSIONS.tasks])).toBe(1)
  expect(newestOfAll([VERSIONS.suites, BEFORE_VERSIONS.suites])).toBe(1)
})
