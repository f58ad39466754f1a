/** Choices that come from one seed, the same each time. */
import type { Bytes } from "../../src/bytes.ts"
import { seededRng } from "../mpc/network.ts"

export class SeededRandom {
  readonly #rng: (length: number) => Bytes

  constructor(seed: number) {
    this.#rng = seededRng(`storm ${seed}`)
  }

  below(n: number): number {
    return new DataView(this.#rng(4).buffer).getUint32(0) % n
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** In so many of a hundred cases. */
  percent(n: number): boolean {
    return this.below(100) < n
  }

  pick<T>(ts: readonly T[]): T {
    const found = ts[this.below(ts.length)]
    if (found === undefined) throw new Error("nothing to pick from")
    return found
  }

  shuffled<T>(ts: readonly T[]): readonly T[] {
    return ts
      .map((item) => ({ item, at: this.below(1 << 30) }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }

  some<T>(ts: readonly T[], count: number): readonly T[] {
    return this.shuffled(ts).slice(0, count)
  }
}
