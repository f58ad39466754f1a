/**
 * The peers with which an epoch can no longer run ECDSA: banned after a failed check, or disabled after too many checks whose verdict
 * this node never saw (threshold.md 2.5). Nothing in this file lifts a ban. Only a new epoch does.
 */
import { type Bytes, toHex } from "../bytes.ts"
import type { PartyId } from "../keys/party.ts"
import type { Ban, BanPort } from "../tasks/ports.ts"
import type { Groups } from "./groups.ts"
import { AWAITS_REFRESH, type AwaitsRefresh, BAN, CHECKS, epochName, peerName, type UnprovenChecks } from "./records.ts"
import { putBack, type StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** The peer is disabled when its unproven checks in one (group, epoch) exceed this number (threshold.md 2.5 rule 9). */
const MAX_UNPROVEN = 8

export class Bans implements BanPort {
  readonly #vault: RecordVault
  readonly #groups: Groups
  readonly #bans: Map<string, Ban> = new Map()
  readonly #checks: Map<string, UnprovenChecks> = new Map()
  /** By `<group id>:<hex of the epoch id>`. */
  readonly #awaiting: Map<string, AwaitsRefresh> = new Map()

  constructor(vault: RecordVault, groups: Groups) {
    this.#vault = vault
    this.#groups = groups
  }

  /** Takes a record found at the start. */
  restoreBan(ban: Ban): void {
    this.#bans.set(keyOf(ban), ban)
  }

  /** Takes a record found at the start. */
  restoreChecks(checks: UnprovenChecks): void {
    this.#checks.set(keyOf(checks), checks)
  }

  /** Takes a record found at the start. */
  restoreAwaiting(mark: AwaitsRefresh): void {
    this.#awaiting.set(`${mark.groupId}:${toHex(mark.epochId)}`, mark)
  }

  awaitsRefresh(groupId: string, epochId: Bytes): boolean {
    return this.#awaiting.has(`${groupId}:${toHex(epochId)}`)
  }

  /** Stops ECDSA in that epoch until a reshare makes a new one (threshold.md 2.5 rule 11), in the caller's transaction. */
  awaitRefresh(tx: StoreTransaction, mark: AwaitsRefresh): void {
    if (this.awaitsRefresh(mark.groupId, mark.epochId)) return
    tx.put(AWAITS_REFRESH, epochName(mark.groupId, mark.epochId), mark)
    tx.remember(
      () => this.restoreAwaiting(mark),
      () => this.#awaiting.delete(`${mark.groupId}:${toHex(mark.epochId)}`),
    )
  }

  /** Bans a peer in one epoch and erases the OT state with it. A second ban of the same peer in that epoch changes nothing. */
  add(ban: Ban): void {
    if (this.#bans.has(keyOf(ban))) return
    this.#vault.transaction((tx) => {
      tx.put(BAN, peerName(ban.groupId, ban.epochId, ban.peer), ban)
      this.#groups.eraseOt(tx, ban.groupId, ban.epochId, ban.peer)
      tx.remember(
        () => this.restoreBan(ban),
        () => this.#bans.delete(keyOf(ban)),
      )
    })
  }

  list(): readonly Ban[] {
    return [...this.#bans.values()]
  }

  unusable(groupId: string, epochId: Bytes): readonly PartyId[] {
    const epoch = toHex(epochId)
    const disabled = [...this.#checks.values()].filter((checks) => checks.disabled)
    const peers = [...this.#bans.values(), ...disabled]
      .filter((entry) => entry.groupId === groupId && toHex(entry.epochId) === epoch)
      .map((entry) => entry.peer)
    return [...new Set(peers)].sort()
  }

  hiddenVerdicts(groupId: string, epochId: Bytes): number {
    const epoch = toHex(epochId)
    const counts = [...this.#checks.values()]
      .filter((checks) => checks.groupId === groupId && toHex(checks.epochId) === epoch)
      .map(({ count }) => count)
    return Math.max(0, ...counts)
  }

  /** Every peer with unproven checks, whether it is disabled yet or not. */
  unproven(): readonly UnprovenChecks[] {
    return [...this.#checks.values()]
  }

  /** Counts one unproven check against each of `peers`, in the caller's transaction; returns the new counts. */
  countUnproven(
    tx: StoreTransaction,
    epoch: { readonly groupId: string; readonly epochId: Bytes; readonly peers: readonly PartyId[] },
  ): readonly UnprovenChecks[] {
    const { groupId, epochId, peers } = epoch
    return peers.map((peer) => {
      const name = peerName(groupId, epochId, peer)
      const count = (this.#vault.read(CHECKS, name)?.count ?? 0) + 1
      const checks: UnprovenChecks = { groupId, epochId, peer, count, disabled: count > MAX_UNPROVEN }
      tx.put(CHECKS, name, checks)
      if (checks.disabled) this.#groups.eraseOt(tx, groupId, epochId, peer)
      const before = this.#checks.get(keyOf(checks))
      tx.remember(
        () => this.restoreChecks(checks),
        () => putBack(this.#checks, keyOf(checks), before),
      )
      return checks
    })
  }
}

const keyOf = (parts: { readonly groupId: string; readonly epochId: Bytes; readonly peer: PartyId }): string =>
  `${parts.peer}:${toHex(parts.epochId)}:${parts.groupId}`
