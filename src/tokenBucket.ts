/** The token bucket: an amount that may be used at once, and a rate at which it is refilled. The caller passes the time. */
export interface BucketRate {
  /** How much may come at once. */
  readonly burst: number
  readonly perSecond: number
}

export class TokenBucket {
  readonly #rate: BucketRate
  #tokens: number
  #atMs: number

  /** Starts full. `nowMs` may be of any clock, but always of the same one. */
  constructor(rate: BucketRate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#atMs = nowMs
  }

  /** The amount at `nowMs`; below zero after more was charged than there was. */
  tokens(nowMs: number): number {
    // A clock that was set back refills nothing.
    const earned = (Math.max(0, nowMs - this.#atMs) / 1000) * this.#rate.perSecond
    this.#atMs = nowMs
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + earned)
    return this.#tokens
  }

  /** Takes `amount` if that much is there, and nothing otherwise. */
  take(nowMs: number, amount = 1): boolean {
    if (this.tokens(nowMs) < amount) return false
    this.#tokens -= amount
    return true
  }

  /** Takes `amount` even if it is not there, because the work is already done. */
  charge(amount: number): void {
    this.#tokens -= amount
  }
}
