/** Choices that come from one seed, the same each time. */
import type { Bytes } from "../../src/bytes.ts"
import { seededRng } from "../mpc/network.ts"

export class Dice {
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

  pick<T>(of: readonly T[]): T {
    const found = of[this.below(of.length)]
    if (found === undefined) throw new Error("nothing to pick from")
    return found
  }

  shuffled<T>(of: readonly T[]): readonly T[] {
    return of
      .map((item) => ({ item, at: this.below(1 << 30) }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item)
  }

  some<T>(of: readonly T[], count: number): readonly T[] {
    return this.shuffled(of).slice(0, count)
  }
}
