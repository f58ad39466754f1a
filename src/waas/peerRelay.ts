/**
 * Relays messages between nodes that belong to no task (audit.md 4), to nodes that are online, within quotas of sender and receiver.
 * The receiver verifies the sender's signature; the relay does not read messages.
 */
import type { PartyId } from "../keys/party.ts"
import { type BucketRate, TokenBucket } from "../tokenBucket.ts"
import type { FromNode, ToNode } from "../wire/frames.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"

/** From one sender: more than a member of dozens of groups with dozens of peers needs. */
const SENDER: BucketRate = { burst: 256, perSecond: 8 }
/** To one receiver, from all senders together: its queue is for tasks. */
const RECEIVER: BucketRate = { burst: 256, perSecond: 32 }

interface PeerRelayOptions {
  readonly send: (party: PartyId, frame: ToNode) => void
  /** Whether the node is online and its link version has the frame peer. */
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

  /** False: the message was dropped. `sender` has proved its key. */
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
