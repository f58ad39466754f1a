/** Choices of a campaign, that one seed decides. */

/** Uniform in [0, 1). */
export type Draw = () => number

/** Mulberry32: the same choices for the same seed. `whose`: each has its own sequence, however fast the others draw. */
export function drawFrom(seed: number, whose = ""): Draw {
  let state = seed >>> 0
  for (const unit of whose) state = (Math.imul(state, 31) + (unit.codePointAt(0) ?? 0)) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export const between = (draw: Draw, least: number, most: number): number => Math.round(least + draw() * (most - least))

export const oneOf = <T>(draw: Draw, all: readonly T[]): T => {
  const one = all[Math.floor(draw() * all.length)]
  if (one === undefined) throw new RangeError("one of none")
  return one
}

/** All of them in an order that is drawn. */
export function shuffled<T>(draw: Draw, all: readonly T[]): readonly T[] {
  return all
    .map((item) => ({ item, at: draw() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
