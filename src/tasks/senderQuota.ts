/**
 * Bounds what one participant may send for one attempt of a task. The bound applies before any work is done, because each envelope that
 * reaches a session costs a signature verification, and the session shares its worker with others.
 */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

/**
 * More than any protocol needs from one participant to another: a set-up has ten rounds with a broadcast and a direct message each, and a
 * report. The largest signing session, a batch of 32, sends 1.5 MiB.
 */
export const MOST_ENVELOPES = 64
const MOST_BYTES = 4 * 1024 * 1024

export class SenderQuota {
  readonly #spent = new Map<string, { envelopes: number; bytes: number }>()

  /** Charges an envelope. `pass` and `last` may be delivered; `last` used up the sender's quota; `over` must be dropped. */
  take(sender: string, bytes: number): "pass" | "last" | "over" {
    const spent = this.#spent.get(sender) ?? { envelopes: 0, bytes: 0 }
    this.#spent.set(sender, spent)
    if (isSpent(spent)) return "over"
    spent.envelopes++
    spent.bytes += bytes
    return isSpent(spent) ? "last" : "pass"
  }
}

interface InboxParts {
  readonly self: PartyId
  readonly participants: readonly PartyId[]
  readonly taskId: string
  readonly log: Log
  readonly deliver: (envelope: Bytes) => void
}

/** Filters what reaches the session of one attempt: only envelopes of its other participants, and of each no more than its quota. */
export class SessionInbox {
  readonly #parts: InboxParts
  readonly #quota = new SenderQuota()

  constructor(parts: InboxParts) {
    this.#parts = parts
  }

  deliver(sender: PartyId, envelope: Bytes): void {
    const { self, participants, taskId, log, deliver } = this.#parts
    if (sender === self || !participants.includes(sender)) return
    const taken = this.#quota.take(sender, envelope.length)
    if (taken !== "over") deliver(envelope)
    if (taken !== "last") return
    log.warn("a peer sends more than the session can need; the rest is dropped", {
      task: taskId,
      peer: nodeIdOf(sender),
    })
  }
}

const isSpent = ({ envelopes, bytes }: { readonly envelopes: number; readonly bytes: number }): boolean =>
  envelopes >= MOST_ENVELOPES || bytes >= MOST_BYTES
