/**
 * The peers that misbehaved towards this node, and how often since the operator last pardoned them (threshold.md 2.4). Unlike a ban, a
 * strike does not belong to an epoch and may be lifted without risk for a secret: it only excludes a peer that wastes sessions.
 */
import { type PartyId, partyBytes } from "../keys/party.ts"
import type { Strike, StrikePort } from "../tasks/ports.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { AuditLog } from "./auditLog.ts"
import { STRIKES, type StrikeRecord } from "./records.ts"
import { putBack, type StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** A peer with this many strikes since its last pardon is refused. */
export const MAX_STRIKES = 3
/** The number of newest strikes, and of newest pardons, that are kept of each peer. Older ones are only counted. */
export const KEPT_STRIKES = 32

export class Strikes implements StrikePort {
  readonly #vault: RecordVault
  readonly #audit: AuditLog
  /** Strikes since the last pardon. */
  readonly #counts: Map<PartyId, number> = new Map()

  constructor(vault: RecordVault, audit: AuditLog) {
    this.#vault = vault
    this.#audit = audit
  }

  /** Takes a record found at the start. */
  restore({ peer, count }: StrikeRecord): void {
    this.#counts.set(peer, count)
  }

  add(strikes: readonly Strike[]): void {
    this.#vault.transaction((tx) => {
      for (const strike of strikes) {
        const before = this.#recordOf(strike.peer)
        this.#put(tx, {
          ...before,
          count: before.count + 1,
          total: before.total + 1,
          strikes: [...before.strikes, strike].slice(-KEPT_STRIKES),
        })
      }
    })
  }

  refused(): readonly PartyId[] {
    return [...this.#counts].filter(([, count]) => count >= MAX_STRIKES).map(([peer]) => peer)
  }

  /** Every peer that ever had a strike, in ascending order. */
  list(): readonly StrikeRecord[] {
    return [...this.#counts.keys()].sort().map((peer) => this.#recordOf(peer))
  }

  /** The operator's decision to work with that peer again. Returns the number of strikes that it lifted; if 0, nothing was written. */
  pardon(peer: PartyId, atMs: number): number {
    const before = this.#recordOf(peer)
    if (before.count === 0) return 0
    this.#vault.transaction((tx) => {
      this.#audit.append(tx, atMs, { kind: "pardon", facts: { node: nodeIdOf(peer), strikes: before.count } })
      const pardons = [...before.pardons, { atMs, strikes: before.count }].slice(-KEPT_STRIKES)
      this.#put(tx, { ...before, count: 0, pardons })
    })
    return before.count
  }

  #recordOf(peer: PartyId): StrikeRecord {
    return this.#vault.read(STRIKES, partyBytes(peer)) ?? { peer, count: 0, total: 0, strikes: [], pardons: [] }
  }

  #put(tx: StoreTransaction, record: StrikeRecord): void {
    tx.put(STRIKES, partyBytes(record.peer), record)
    const before = this.#counts.get(record.peer)
    tx.remember(
      () => this.restore(record),
      () => putBack(this.#counts, record.peer, before),
    )
  }
}
