/** Envelopes that came for an attempt before it had begun here: kept within bounds, and handed over once. */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"

/** More than 32 participants send in a round, with room for replays. */
const MOST = 128
/** Of one sender: the first round, with room for replays. One that sends more takes nobody's place. */
const MOST_OF_SENDER = 8
/** 31 peers with the first round of a batch of 32 ECDSA signatures, the most there is. */
const MOST_BYTES = 2 * 1024 * 1024

interface EarlyEnvelope {
  readonly sender: PartyId
  readonly envelope: Bytes
}

export class EarlyEnvelopes {
  #kept: EarlyEnvelope[] = []
  #bytes = 0
  #senders = new Map<PartyId, number>()

  /** What does not fit is dropped: its session will time out, and begin again. */
  keep(sender: PartyId, envelope: Bytes): void {
    const ofSender = this.#senders.get(sender) ?? 0
    if (ofSender >= MOST_OF_SENDER) return
    if (this.#kept.length >= MOST || this.#bytes + envelope.length > MOST_BYTES) return
    this.#senders.set(sender, ofSender + 1)
    this.#kept.push({ sender, envelope })
    this.#bytes += envelope.length
  }

  take(): readonly EarlyEnvelope[] {
    const taken = this.#kept
    this.#kept = []
    this.#bytes = 0
    this.#senders.clear()
    return taken
  }
}
