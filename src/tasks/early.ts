/** Keeps, within bounds, the envelopes that arrive for an attempt before it begins on this node. */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"

/** More envelopes than 32 participants send in one round, with room for repetitions. */
const MOST = 128
/** The most envelopes of one sender: its first round, with room for repetitions. So no sender can use up another's place. */
const MOST_OF_SENDER = 8
/** Enough for the largest case: 31 peers with the first round of a batch of 32 ECDSA signatures. */
const MOST_BYTES = 2 * 1024 * 1024

interface EarlyEnvelope {
  readonly sender: PartyId
  readonly envelope: Bytes
}

export class EarlyEnvelopes {
  #kept: EarlyEnvelope[] = []
  #bytes = 0
  #senders = new Map<PartyId, number>()

  /** Keeps an envelope, or drops it if there is no room: then the session times out, and WaaS starts another attempt. */
  keep(sender: PartyId, envelope: Bytes): void {
    const ofSender = this.#senders.get(sender) ?? 0
    if (ofSender >= MOST_OF_SENDER) return
    if (this.#kept.length >= MOST || this.#bytes + envelope.length > MOST_BYTES) return
    this.#senders.set(sender, ofSender + 1)
    this.#kept.push({ sender, envelope })
    this.#bytes += envelope.length
  }

  /** Returns the kept envelopes and forgets them. */
  take(): readonly EarlyEnvelope[] {
    const taken = this.#kept
    this.#kept = []
    this.#bytes = 0
    this.#senders.clear()
    return taken
  }
}
