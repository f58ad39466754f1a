/**
 * How much of a page's answers one client may take, and all clients together. On loopback a client is its connection, because the
 * listener learns nothing else about it. Long answers have a budget of their own, so that a client that reads lists all day does not
 * keep the readiness probe from its answer.
 */
import { type BucketRate, TokenBucket } from "../tokenBucket.ts"

/** Lists and measurements, or the few bytes of health and readiness. */
export type Weight = "long" | "short"

interface Rates {
  readonly each: BucketRate
  readonly all: BucketRate
}

export const PORT_RATES: Readonly<Record<Weight, Rates>> = {
  short: { each: { burst: 200, perSecond: 100 }, all: { burst: 2_000, perSecond: 1_000 } },
  long: { each: { burst: 60, perSecond: 20 }, all: { burst: 400, perSecond: 200 } },
}
const MOST_CLIENTS = 1_024

/** Whether the answer is within bounds; `client` is undefined if clients cannot be distinguished. */
type Admit = (client: string | undefined, weight: Weight, nowMs: number) => boolean

export function createLimits(rates = PORT_RATES, mostClients = MOST_CLIENTS): Admit {
  const all = new Map<Weight, TokenBucket>()
  /** By client and weight; the one that asked last comes last. */
  const clients = new Map<string, TokenBucket>()

  return (client, weight, nowMs) => {
    if (client !== undefined) {
      const name = `${weight} ${client}`
      const bucket = clients.get(name) ?? new TokenBucket(rates[weight].each, nowMs)
      clients.delete(name)
      clients.set(name, bucket)
      const [oldest] = clients.keys()
      if (clients.size > mostClients && oldest !== undefined) clients.delete(oldest)
      if (!bucket.take(nowMs)) return false
    }
    const shared = all.get(weight) ?? new TokenBucket(rates[weight].all, nowMs)
    all.set(weight, shared)
    return shared.take(nowMs)
  }
}
