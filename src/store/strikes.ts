/**
 * Who misbehaved towards this node, and how often since an operator last pardoned it (threshold.md 2.4). Unlike a ban a strike is
 * of no epoch, and lifting it costs no secret: it only keeps a party that wastes sessions out of them.
 */
import { type PartyId, partyBytes } from "../keys/party.ts"
import type { Strike, StrikePort } from "../tasks/ports.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { AuditLog } from "./auditLog.ts"
import { STRIKES, type StrikeRecord } from "./records.ts"
import { restored, type StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** From this many strikes since the last pardon on, a party is refused. */
export const MAX_STRIKES = 3
/** Of each party so many of the newest strikes, and so many pardons, are kept; more are only counted. */
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
        const before = this.#options(strike.peer)
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

  /** Every party that ever had a strike, ascending. */
  list(): readonly StrikeRecord[] {
    return [...this.#counts.keys()].sort().map((peer) => this.#options(peer))
  }

  /** The operator's decision to begin tasks with that party again. Returns how many strikes that lifted; 0 changes nothing. */
  pardon(peer: PartyId, atMs: number): number {
    const before = this.#options(peer)
    if (before.count === 0) return 0
    this.#vault.transaction((tx) => {
      this.#audit.append(tx, atMs, { kind: "pardon", facts: { node: nodeIdOf(peer), strikes: before.count } })
      const pardons = [...before.pardons, { atMs, strikes: before.count }].slice(-KEPT_STRIKES)
      this.#put(tx, { ...before, count: 0, pardons })
    })
    return before.count
  }

  #options(peer: PartyId): StrikeRecord {
    return this.#vault.read(STRIKES, partyBytes(peer)) ?? { peer, count: 0, total: 0, strikes: [], pardons: [] }
  }

  #put(tx: StoreTransaction, record: StrikeRecord): void {
    tx.put(STRIKES, partyBytes(record.peer), record)
    const before = this.#counts.get(record.peer)
    tx.remember(
      () => this.restore(record),
      () => restored(this.#counts, record.peer, before),
    )
  }
}
