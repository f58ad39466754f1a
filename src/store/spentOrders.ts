/** The orders of people that this node has carried out (approvals/order.ts). Each is kept until its time is over, so it counts once. */
import * as c from "../codec.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

export interface SpentOrder {
  readonly nonce: string
  readonly approver: string
  /** ms since 1970. */
  readonly notAfterMs: number
}

export const SPENT_ORDERS: RecordKind<readonly SpentOrder[]> = kind<readonly SpentOrder[]>(
  53,
  "spent orders",
  c.list(c.struct<SpentOrder>({ nonce: c.text, approver: c.text, notAfterMs: c.u64 })),
)

/** The most orders of one person whose time is not over. Counted per person, so that nobody can use up the room for another's veto. */
const MOST_SPENT = 64

export class SpentOrders {
  readonly #vault: RecordVault
  #spent: readonly SpentOrder[] = []

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes the record found at the start. */
  restore(spent: readonly SpentOrder[]): void {
    this.#spent = spent
  }

  /**
   * Spends all orders or none. Durable when it returns undefined, together with what `beside` writes in the same transaction. Otherwise
   * returns the first order that cannot be spent, and why.
   */
  spend(orders: readonly SpentOrder[], nowMs: number, beside: (tx: StoreTransaction) => void = () => {}): Unspent {
    const before = this.#spent
    let spent = before.filter(({ notAfterMs }) => notAfterMs > nowMs)
    for (const order of orders) {
      const { nonce, approver } = order
      const own = spent.filter((one) => one.approver === approver)
      if (own.some((one) => one.nonce === nonce)) return { approver, why: "it was used before" }
      if (own.length >= MOST_SPENT)
        return { approver, why: `${MOST_SPENT} orders of this person are remembered, until the time of each is over` }
      spent = [...spent, order]
    }
    this.#vault.transaction((tx) => {
      tx.put(SPENT_ORDERS, NO_NAME, spent)
      beside(tx)
      tx.remember(
        () => this.restore(spent),
        () => this.restore(before),
      )
    })
    return undefined
  }
}

/** Undefined if the orders were spent. */
type Unspent = { readonly approver: string; readonly why: string } | undefined
