/** Covering designs: every size that a group can have. */
import { expect, test } from "bun:test"
import { coveringSets, mostTogether } from "../../../src/mpc/dkls/covering.ts"

/** No covering has fewer sets (Schönheim, 1964). */
const schoenheim = (n: number, t: number): number => Math.ceil((n / t) * Math.ceil((n - 1) / (t - 1)))

test("every pair is together in a set of t, for all t of n up to 32, with few sets", () => {
  for (let n = 2; n <= 32; n++) {
    for (let t = 2; t <= n; t++) {
      const sets = coveringSets(n, t)
      const together = new Set<number>()
      for (const set of sets) {
        expect(set.length).toBe(t)
        expect(new Set(set).size).toBe(t)
        expect(set.every((index, i) => index >= 0 && index < n && (i === 0 || (set[i - 1] ?? n) < index))).toBe(true)
        for (const a of set) for (const b of set) if (a < b) together.add(a * n + b)
      }
      expect(together.size).toBe((n * (n - 1)) / 2)
      expect(sets.length).toBeLessThanOrEqual(1.7 * schoenheim(n, t))
      expect(mostTogether(sets)).toBeLessThanOrEqual(9)
    }
  }
})

test("known answers: one set a pair for threshold 2, one set for all, two of three", () => {
  expect(coveringSets(3, 2)).toEqual([
    [0, 1],
    [0, 2],
    [1, 2],
  ])
  expect(coveringSets(5, 5)).toEqual([[0, 1, 2, 3, 4]])
  expect(coveringSets(4, 3)).toEqual([
    [0, 1, 2],
    [0, 1, 3],
    [0, 2, 3],
  ])
  expect(coveringSets(32, 2).length).toBe(496)
})
