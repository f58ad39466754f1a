/** The token bucket against a slow model that keeps every taking with its time. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { TokenBucket } from "../src/tokenBucket.ts"

test("gives the burst at once, then what comes back, and nothing for a clock set back", () => {
  const bucket = new TokenBucket({ burst: 2, perSecond: 0.5 }, 10_000)
  expect([bucket.take(10_000), bucket.take(10_000), bucket.take(10_000)]).toEqual([true, true, false])
  expect(bucket.take(11_999)).toBe(false)
  expect(bucket.take(12_001)).toBe(true)
  expect(bucket.take(0)).toBe(false)
  expect(bucket.take(1_000)).toBe(false)
  expect(bucket.take(1_000_000, 2)).toBe(true)
  expect(bucket.take(1_000_000)).toBe(false)
})

test("what was charged beyond the rest is owed", () => {
  const bucket = new TokenBucket({ burst: 10, perSecond: 1 }, 0)
  bucket.charge(15)
  expect(bucket.tokens(0)).toBe(-5)
  expect(bucket.tokens(5_000)).toBe(0)
  expect(bucket.take(5_999)).toBe(false)
  expect(bucket.take(6_000)).toBe(true)
})

test("in no span of time is more taken than the burst and what came back in it", () => {
  const waits = fc.array(
    fc.record({ ms: fc.integer({ min: 0, max: 3_000 }), amount: fc.integer({ min: 1, max: 4 }) }),
    {
      maxLength: 60,
    },
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 5 }), waits, (burst, perSecond, steps) => {
      const bucket = new TokenBucket({ burst, perSecond }, 0)
      let nowMs = 0
      const taken: { readonly atMs: number; readonly amount: number }[] = []
      for (const { ms, amount } of steps) {
        nowMs += ms
        if (bucket.take(nowMs, amount)) taken.push({ atMs: nowMs, amount })
      }
      for (const [first, { atMs: from }] of taken.entries()) {
        let sum = 0
        for (const { atMs, amount } of taken.slice(first)) {
          sum += amount
          if (sum > burst + ((atMs - from) / 1000) * perSecond + 1e-6) return false
        }
      }
      return true
    }),
  )
})
