/**
 * What a node remembers as a witness of its peers' logs, and what others have said of its own: the last checkpoint that it cosigned for
 * each, keys that it saw first and never replaces, the newest cosigned checkpoint of its own log, and a doubt of it, which only an
 * operator's decision ends.
 */
import { type PartyId, partyBytes } from "../keys/party.ts"
import type { AuditLog } from "./auditLog.ts"
import { COSIGNED, LOG_DOUBT, type LogDoubt, WITNESSED, type WitnessedLog } from "./auditRecords.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** Last checkpoints of earlier incarnations that are kept of one peer. */
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

  of(party: PartyId): WitnessedLog {
    const known = this.#vault.read(WITNESSED, partyBytes(party))
    return known ?? { party, key: "", note: "", earlier: [], witness: "" }
  }

  /** Before it is cosigned. `begins`: it is the first of another incarnation. */
  saw(party: PartyId, key: string, note: string, begins: boolean): void {
    const before = this.of(party)
    const earlier =
      begins && before.note !== "" ? [before.note, ...before.earlier].slice(0, MOST_EARLIER) : before.earlier
    this.#put({ ...before, key, note, earlier })
  }

  /** The key by which a peer cosigns, from the first time on. */
  pin(party: PartyId, witness: string): void {
    this.#put({ ...this.of(party), witness })
  }

  /** A signed note. */
  get cosigned(): string | undefined {
    return this.#vault.read(COSIGNED, NO_NAME)
  }

  cosign(note: string): void {
    this.#vault.transaction((tx) => tx.put(COSIGNED, NO_NAME, note))
  }

  /** Until an operator decides, this node signs nothing. */
  get doubt(): LogDoubt | undefined {
    return this.#doubt
  }

  /** The first one stays. */
  raise(doubt: LogDoubt, facts: { readonly size: number; readonly theirs: number }): void {
    if (this.#doubt !== undefined) return
    this.#vault.transaction((tx) => {
      tx.put(LOG_DOUBT, NO_NAME, doubt)
      this.#audit.append(tx, doubt.atMs, { kind: "contradiction", facts: { ...facts, from: doubt.from } })
      tx.remember(
        () => this.restore(doubt),
        () => {
          this.#doubt = undefined
        },
      )
    })
  }

  /** The operator goes on from this copy (Store.acceptRollback): another log begins. */
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
