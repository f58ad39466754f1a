/**
 * One-time nonces (RFC 9591 4.1, 5.1; threshold.md 7.3). They are hedged, exist only in memory, can be taken once, and are wiped when
 * taken and when the session ends, however it ends.
 */
import { type Bytes, concat } from "../../bytes.ts"
import type { Point } from "../../crypto/curve.ts"
import type { Rng } from "../../crypto/random.ts"
import type { Suite } from "./suite.ts"

/** D = dG hides, E = eG binds. */
export interface NonceCommitment {
  readonly D: Point
  readonly E: Point
  /** enc(D) || enc(E). */
  readonly encoded: Bytes
}

export class NoncePair implements Disposable {
  readonly points: Pick<NonceCommitment, "D" | "E">
  #nonces: { readonly d: Bytes; readonly e: Bytes } | undefined

  constructor(
    readonly suite: Suite,
    signingShare: bigint,
    rng: Rng,
  ) {
    const { curve } = suite
    const d = generate(suite, signingShare, rng)
    const e = generate(suite, signingShare, rng)
    this.points = { D: curve.multiplyBaseOnce(d), E: curve.multiplyBaseOnce(e) }
    this.#nonces = { d: curve.encodeScalar(d), e: curve.encodeScalar(e) }
  }

  /** D + rho E, computed from the nonces themselves: this costs one multiplication of G, a fourth of a multiplication of E. */
  bound(bindingFactor: bigint): Point {
    const { d, e } = this.#open()
    return this.suite.curve.multiplyBaseOnce(d + bindingFactor * e)
  }

  /** Works once: a second signature under one pair would reveal the share. */
  take(): { readonly d: bigint; readonly e: bigint } {
    try {
      return this.#open()
    } finally {
      this[Symbol.dispose]()
    }
  }

  #open(): { readonly d: bigint; readonly e: bigint } {
    const { curve } = this.suite
    const d = this.#nonces && curve.decodeScalar(this.#nonces.d)
    const e = this.#nonces && curve.decodeScalar(this.#nonces.e)
    if (d === undefined || e === undefined) throw new TypeError("a nonce pair is used twice, or after its session")
    return { d, e }
  }

  [Symbol.dispose](): void {
    this.#nonces?.d.fill(0)
    this.#nonces?.e.fill(0)
    this.#nonces = undefined
  }
}

/** H3(32 random bytes || sc(share)): an rng that repeats or can be guessed does not reveal the nonce. Never 0. */
function generate(suite: Suite, signingShare: bigint, rng: Rng): bigint {
  for (;;) {
    const random = rng(32)
    const share = suite.curve.encodeScalar(signingShare)
    const input = concat(random, share)
    const nonce = suite.H3(input)
    for (const bytes of [random, share, input]) bytes.fill(0)
    if (nonce !== 0n) return nonce
  }
}

/** All pairs of a batch, disposed together. */
export class NonceBatch implements Disposable {
  readonly commitments: readonly NonceCommitment[]

  constructor(
    { curve }: Suite,
    readonly pairs: readonly NoncePair[],
  ) {
    const encoded = curve.encodePoints(pairs.flatMap(({ points: { D, E } }) => [D, E]))
    this.commitments = pairs.map(({ points }, n) => ({
      ...points,
      encoded: concat(...encoded.slice(2 * n, 2 * n + 2)),
    }))
  }

  [Symbol.dispose](): void {
    for (const pair of this.pairs) pair[Symbol.dispose]()
  }
}
