/**
 * What a node remembers as a witness of its peers' logs: the last checkpoint that it cosigned for each peer, and the peers' keys, which are
 * pinned at first sight and never replaced. And what it knows about its own log: the newest cosigned checkpoint, and evidence that the log
 * went back (a doubt), which only an operator's decision ends.
 */
import { type PartyId, partyBytes } from "../keys/party.ts"
import type { AuditLog } from "./auditLog.ts"
import { COSIGNED, LOG_DOUBT, type LogDoubt, WITNESSED, type WitnessedLog } from "./auditRecords.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** The most last checkpoints of earlier incarnations that are kept for one peer. */
const MOST_EARLIER = 8

export class WitnessMemory {
  readonly #vault: RecordVault
  readonly #audit: AuditLog
  #doubt: LogDoubt | undefined

  constructor(vault: RecordVault, audit: AuditLog) {
    this.#vault = vault
    this.#audit = audit
  }

  /** Takes the record found at the start. */
  restore(doubt: LogDoubt): void {
    this.#doubt = doubt
  }

  /** What is known about a peer; with empty fields if nothing is. */
  of(party: PartyId): WitnessedLog {
    const known = this.#vault.read(WITNESSED, partyBytes(party))
    return known ?? { party, key: "", note: "", earlier: [], witness: "" }
  }

  /** Records a peer's checkpoint; call it before cosigning. `begins` is true for the first checkpoint of another incarnation. */
  saw(party: PartyId, key: string, note: string, begins: boolean): void {
    const before = this.of(party)
    const earlier =
      begins && before.note !== "" ? [before.note, ...before.earlier].slice(0, MOST_EARLIER) : before.earlier
    this.#put({ ...before, key, note, earlier })
  }

  /** Pins the key with which a peer cosigns. */
  pin(party: PartyId, witness: string): void {
    this.#put({ ...this.of(party), witness })
  }

  /** The newest cosigned checkpoint of this node's log, a signed note; undefined if there is none. */
  get cosigned(): string | undefined {
    return this.#vault.read(COSIGNED, NO_NAME)
  }

  cosign(note: string): void {
    this.#vault.transaction((tx) => tx.put(COSIGNED, NO_NAME, note))
  }

  /** Evidence that this node's log went back. While there is one, the node signs nothing. */
  get doubt(): LogDoubt | undefined {
    return this.#doubt
  }

  /**
   * Records a doubt, in one commit with a leaf about it. Ignored if there is one already. If the store cannot write, this throws, and the
   * doubt is in force all the same, until this process ends.
   */
  raise(doubt: LogDoubt, facts: { readonly size: number; readonly theirs: number }): void {
    if (this.#doubt !== undefined) return
    this.#doubt = doubt
    this.#vault.transaction((tx) => {
      tx.put(LOG_DOUBT, NO_NAME, doubt)
      this.#audit.append(tx, doubt.atMs, { kind: "contradiction", facts: { ...facts, from: doubt.from } })
    })
  }

  /** Ends the doubt, because the operator continues from this copy (Store.acceptRollback) and a new log incarnation begins. */
  settle(tx: StoreTransaction): void {
    const before = this.#doubt
    tx.remove(LOG_DOUBT, NO_NAME)
    tx.remember(
      () => {
        this.#doubt = undefined
      },
      () => {
        this.#doubt = before
      },
    )
  }

  #put(log: WitnessedLog): void {
    this.#vault.transaction((tx) => tx.put(WITNESSED, partyBytes(log.party), log))
  }
}
