/** Which orders of people this node has carried out (approvals/order.ts): each counts once, for as long as it could come again. */
import * as c from "../codec.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import { restored } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

interface SpentOrder {
  readonly nonce: string
  /** ms since 1970. */
  readonly notAfterMs: number
}

export const SPENT_ORDERS: RecordKind<readonly SpentOrder[]> = kind<readonly SpentOrder[]>(
  53,
  "spent orders",
  c.list(c.struct<SpentOrder>({ nonce: c.text, notAfterMs: c.u64 })),
)

/** More in their time are no orders of people. */
const MOST_SPENT = 4096

export class SpentOrders {
  readonly #vault: RecordVault
  readonly #kept: Map<"spent", readonly SpentOrder[]> = new Map()

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the record found at the start. */
  restore(spent: readonly SpentOrder[]): void {
    this.#kept.set("spent", spent)
  }

  /** False: it was spent before, or there is no room to remember it. Durable when this returns. */
  spend(order: SpentOrder, nowMs: number): boolean {
    const before = this.#kept.get("spent")
    const live = (before ?? []).filter(({ notAfterMs }) => notAfterMs > nowMs)
    if (live.length >= MOST_SPENT || live.some(({ nonce }) => nonce === order.nonce)) return false
    const spent = [...live, order]
    this.#vault.transaction((tx) => {
      tx.put(SPENT_ORDERS, NO_NAME, spent)
      tx.remember(
        () => this.restore(spent),
        () => restored(this.#kept, "spent", before),
      )
    })
    return true
  }
}
