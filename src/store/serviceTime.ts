/**
 * The time that this node has been in service, over all its starts. It only grows, by the monotonic clock, so no clock jump and no restart
 * can shorten a wait that is measured by it. A crash may lose the last seconds of it, which only lengthens the wait.
 */
import * as c from "../codec.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** The time in service, ms. */
export const SERVED: RecordKind<number> = kind<number>(51, "service time", c.u64)

export class ServiceTime {
  readonly #vault: RecordVault
  /** The time in service before this process, ms. */
  #before = 0
  /** When the service began in this process, by the monotonic clock; undefined if this process does not serve as the node. */
  #begunAt: number | undefined

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the record found at the start. */
  restore(servedMs: number): void {
    this.#before = servedMs
  }

  /** Starts to count, because the node is in service from now on. */
  begin(): void {
    this.#begunAt ??= performance.now()
  }

  get ms(): number {
    return this.#before + (this.#begunAt === undefined ? 0 : Math.floor(performance.now() - this.#begunAt))
  }

  /** Makes the time so far durable. */
  keep(): void {
    this.#vault.transaction((tx) => this.put(tx))
  }

  put(tx: StoreTransaction): void {
    tx.put(SERVED, NO_NAME, this.ms)
  }
}
