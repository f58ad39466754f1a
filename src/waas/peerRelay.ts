/**
 * Carries what nodes say to each other beside tasks (audit.md 4): to whoever is online now, within quotas of both. Each message is
 * signed by its sender for its receiver, who looks; here it is bytes.
 */
import type { PartyId } from "../keys/party.ts"
import { type BucketRate, TokenBucket } from "../tokenBucket.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"

/** Of one sender: a member of dozens of groups with dozens of peers says less. */
const SENDER: BucketRate = { burst: 256, perSecond: 8 }
/** To one receiver, of all senders together: its queue is for tasks. */
const RECEIVER: BucketRate = { burst: 256, perSecond: 32 }

interface PeerRelayOptions {
  readonly send: (party: PartyId, frame: ToNode) => void
  /** Whether it is online and speaks of peers. */
  readonly hears: (party: PartyId) => boolean
  /** Monotonic, ms. */
  readonly clock: () => number
}

type PeerSaid = Extract<FromNode, { readonly kind: "peer" }>

export class PeerRelay {
  readonly #options: PeerRelayOptions
  readonly #senders = new Map<PartyId, TokenBucket>()
  readonly #receivers = new Map<PartyId, TokenBucket>()

  constructor(options: PeerRelayOptions) {
    this.#options = options
  }

  /** False: nobody got it. `sender` has proved its key. */
  relay(sender: PartyId, { receiver, message }: PeerSaid): boolean {
    const { send, hears, clock } = this.#options
    const to = parseNodeId(receiver)
    if (to === undefined || to === sender || !hears(to)) return false
    const isWithin = taken(this.#senders, sender, SENDER, clock()) && taken(this.#receivers, to, RECEIVER, clock())
    if (!isWithin) return false
    send(to, { kind: "peer", sender: nodeIdOf(sender), message })
    return true
  }
}

function taken(quotas: Map<PartyId, TokenBucket>, party: PartyId, rate: BucketRate, nowMs: number): boolean {
  const quota = quotas.get(party) ?? new TokenBucket(rate, nowMs)
  quotas.set(party, quota)
  return quota.take(nowMs)
}
