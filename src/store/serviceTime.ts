/**
 * How long this node has been in service, over all its starts. It only grows, by a clock that nobody sets, so what waits by it
 * is shortened by no clock jump and no restart. A crash may lose the last seconds of it, which lengthens what waits.
 */
import * as c from "../codec.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** Milliseconds that the node was in service, over all its starts. */
export const SERVED: RecordKind<number> = kind<number>(51, "service time", c.u64)

export class ServiceTime {
  readonly #vault: RecordVault
  #before = 0
  /** By the monotonic clock; undefined: this process is not the node in service. */
  #begunAt: number | undefined

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the record found at the start. */
  restore(servedMs: number): void {
    this.#before = servedMs
  }

  /** The node is in service from now on. */
  begin(): void {
    this.#begunAt ??= performance.now()
  }

  get ms(): number {
    return this.#before + (this.#begunAt === undefined ? 0 : Math.floor(performance.now() - this.#begunAt))
  }

  /** Keeps what has passed so far. */
  keep(): void {
    this.#vault.transaction((tx) => this.put(tx))
  }

  put(tx: StoreTransaction): void {
    tx.put(SERVED, NO_NAME, this.ms)
  }
}
