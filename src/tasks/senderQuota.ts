/**
 * What one participant may send for one attempt of a task, bounded before anything is done with it: each envelope that reaches a session
 * costs it a check of a signature, and a session shares its worker with others.
 */
import type { Bytes } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

/**
 * No protocol has a participant say as much to one other: a set-up has ten rounds of a broadcast and a direct message each and a report, and the
 * largest signature of a batch of 32 is 1.5 MiB.
 */
export const MOST_ENVELOPES = 64
const MOST_BYTES = 4 * 1024 * 1024

export class SenderQuota {
  readonly #spent = new Map<string, { envelopes: number; bytes: number }>()

  /** Whether it may pass. `over`: the sender's share was spent before; `last`: this one spent it. */
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

/** What reaches the session of one attempt: of its other participants alone, and of each no more than its share. */
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
