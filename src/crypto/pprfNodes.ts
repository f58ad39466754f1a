/**
 * The nodes of a GGM tree of 16 leaves while it grows (threshold.md 4.2), for both sides of the PPRF. Alice's trees miss one node per
 * level: its place is zero and is computed like the others, so which one is missing decides no branch and no index.
 */
import { type Bytes, u8 } from "../bytes.ts"
import { equalMask } from "./bits.ts"
import { frame } from "./frame.ts"
import { TREE_BITS } from "./parameters.ts"
import { sha512Into } from "./xof.ts"

export const LEAVES = 1 << TREE_BITS
/** Bytes of a node; the same as of a base-OT key. */
export const SEED = 32
const SEED_WORDS = SEED / 4

/** The nodes of one level of one tree, grown in place to the next. Their memory is wiped at the end. */
export class Nodes implements Disposable {
  readonly bytes = new Uint8Array(LEAVES * SEED)
  readonly #words = new Uint32Array(this.bytes.buffer)
  readonly #parents = new Uint8Array((LEAVES / 2) * SEED)
  readonly #seed = new Uint32Array(SEED_WORDS)
  readonly #seedBytes = new Uint8Array(this.#seed.buffer)
  readonly #frame: SeedFrame
  // The views are made once, because growing is the inner loop.
  readonly #parentAt = views(this.#parents, SEED)
  readonly #childrenAt = views(this.bytes, 2 * SEED)

  constructor(sid: Uint8Array) {
    this.#frame = new SeedFrame("pprf/node", sid, 3)
  }

  /** Sets both nodes of level 1. */
  load(left: Uint8Array, right: Uint8Array): void {
    this.bytes.set(left, 0)
    this.bytes.set(right, SEED)
  }

  /** Sets level 1 of a punctured tree: `seed` beside the missing node. */
  plant(seed: Uint8Array, missing: number): void {
    this.mend(2, 1 - missing, missing, seed)
  }

  /** Grows level `level` to the next one: every node, including the missing one (zeros). */
  grow(tree: number, level: number): void {
    this.#parents.set(this.bytes.subarray(0, this.#parents.length))
    this.#frame.put(0, tree)
    this.#frame.put(1, level)
    for (let y = 0; y < 1 << level; y++) {
      const parent = this.#parentAt[y]
      const children = this.#childrenAt[y]
      if (parent === undefined || children === undefined) throw new TypeError("a tree has four levels")
      this.#frame.put(2, y)
      this.#frame.hash(parent, children)
    }
  }

  /** The XOR of the first `count` nodes with parity `side`, without the child of `missingParent` (-1 if none is missing). */
  sum(side: 0 | 1, count: number, missingParent: number): Bytes {
    const out = new Uint32Array(SEED_WORDS)
    for (let y = side; y < count; y += 2) {
      const mask = ~equalMask(y >> 1, missingParent)
      for (let w = 0; w < SEED_WORDS; w++) out[w] = (out[w] ?? 0) ^ ((this.#words[y * SEED_WORDS + w] ?? 0) & mask)
    }
    return new Uint8Array(out.buffer)
  }

  /** Sets node `known` to `seed` and node `missing` to zero, by masks over the first `count` nodes. */
  mend(count: number, known: number, missing: number, seed: Uint8Array): void {
    this.#seedBytes.set(seed)
    for (let y = 0; y < count; y++) {
      const put = equalMask(y, known)
      const keep = ~put & ~equalMask(y, missing)
      for (let w = 0; w < SEED_WORDS; w++) {
        const at = y * SEED_WORDS + w
        this.#words[at] = ((this.#words[at] ?? 0) & keep) | ((this.#seed[w] ?? 0) & put)
      }
    }
  }

  [Symbol.dispose](): void {
    this.bytes.fill(0)
    this.#parents.fill(0)
    this.#seed.fill(0)
    this.#frame[Symbol.dispose]()
  }
}

/** Hashes frame(tag, sid, `count` one-byte fields, seed) many times. The frame is built once, and only its last fields change. */
export class SeedFrame implements Disposable {
  readonly #frame: Bytes

  constructor(
    tag: "pprf/node" | "pprf/leafchk",
    sid: Uint8Array,
    readonly count: number,
  ) {
    this.#frame = frame(tag, sid, ...Array.from({ length: count }, () => u8(0)), new Uint8Array(SEED))
  }

  /** Sets the one-byte field `i`. Each takes 5 bytes with its length prefix; 4 bytes of length precede the seed. */
  put(i: number, value: number): void {
    this.#frame[this.#frame.length - SEED - 5 * (this.count - i)] = value
  }

  /** Writes H512 of the frame with this seed, 64 bytes. */
  hash(seed: Uint8Array, out: Uint8Array): void {
    this.#frame.set(seed, this.#frame.length - SEED)
    sha512Into(this.#frame, out)
  }

  [Symbol.dispose](): void {
    this.#frame.fill(0)
  }
}

const views = (bytes: Uint8Array, length: number): readonly Uint8Array[] =>
  Array.from({ length: bytes.length / length }, (_, i) => bytes.subarray(i * length, (i + 1) * length))
