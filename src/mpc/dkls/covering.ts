/**
 * Covering designs: sets of t out of n that together contain every pair (threshold.md 3.8). Every node has the same list, because it
 * depends only on n and t.
 */

/**
 * Sets of `size` of the indices 0 .. count - 1, each ascending, such that every two indices are together in one of them. Greedy: each
 * set begins with the first pair that is in no set. It then takes the index that makes the most new pairs in it, and among several such
 * indices the one that is in the fewest sets. For 2 <= size <= count <= 32 this makes at most
 * 1.7 times as many sets as the Schönheim bound, and no two indices are together more than nine times.
 */
export function coveringSets(count: number, size: number): readonly (readonly number[])[] {
  const together = new Uint8Array(count * count)
  const uses = new Uint16Array(count)
  const isNew = (a: number, b: number): boolean => together[a * count + b] === 0
  const sets: (readonly number[])[] = []
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      if (!isNew(a, b)) continue
      const set = [a, b]
      while (set.length < size) set.push(best(set, count, isNew, uses))
      for (const one of set) {
        uses[one] = (uses[one] ?? 0) + 1
        for (const other of set) together[one * count + other] = 1
      }
      sets.push(set.sort((x, y) => x - y))
    }
  }
  return sets
}

function best(
  set: readonly number[],
  count: number,
  isNew: (a: number, b: number) => boolean,
  uses: Uint16Array,
): number {
  let chosen = -1
  let chosenRank: readonly [number, number] = [-1, 0]
  for (let candidate = 0; candidate < count; candidate++) {
    if (set.includes(candidate)) continue
    const made = set.filter((one) => isNew(one, candidate)).length
    const rank = [made, -(uses[candidate] ?? 0)] as const
    const isBetter = rank[0] > chosenRank[0] || (rank[0] === chosenRank[0] && rank[1] > chosenRank[1])
    if (chosen < 0 || isBetter) [chosen, chosenRank] = [candidate, rank]
  }
  return chosen
}

/** The largest number of sets that any two indices share. */
export function mostTogether(sets: readonly (readonly number[])[]): number {
  const times = new Map<string, number>()
  for (const set of sets) {
    for (const a of set) for (const b of set) if (a < b) times.set(`${a} ${b}`, (times.get(`${a} ${b}`) ?? 0) + 1)
  }
  return Math.max(0, ...times.values())
}
