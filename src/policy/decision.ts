/** What risk control is asked with and what it answers: the counters, what an approval takes from them, the decision. */
import type { Bytes } from "../bytes.ts"
import type { Verdict } from "./verdict.ts"

/** Rolling counters: of signatures, and of amounts of an asset in its base units. */
export interface Usage {
  /** Sum of the signatures debited to `counter` at or after `sinceMs` (ms since 1970) and not released. */
  count(counter: string, sinceMs: number): number
  /**
   * Exact sum of the amounts debited to `counter` at or after `sinceMs` and not released. Of debits that replace one
   * another the largest counts, at the moment of the latest.
   */
  sum(counter: string, sinceMs: number): bigint
  /** What counts of the debits to `counter` that replace one another by this name; undefined if there is none. */
  replaced(counter: string, replaces: string): Replaced | undefined
}

export interface Replaced {
  /** Of the largest. */
  readonly amount: bigint
  /** Of the latest. */
  readonly latestMs: number
}

export const NO_USAGE: Usage = { count: () => 0, sum: () => 0n, replaced: () => undefined }

/** Signatures. */
export interface CountDebit {
  readonly counter: string
  readonly amount: number
}

/** Base units of an asset. */
export interface AmountDebit {
  readonly counter: string
  readonly amount: bigint
  /** At most one of the debits with this name can ever happen, because all of them spend what it names. Empty: it stands alone. */
  readonly replaces: string
}

export type Debit = CountDebit | AmountDebit

export const isAmount = (debit: Debit): debit is AmountDebit => typeof debit.amount === "bigint"

/** A word of people that would end a denial: the one that asks for the task, or approvals of a group. */
export type Awaited =
  | { readonly kind: "request" }
  | {
      readonly kind: "approvals"
      readonly group: string
      readonly min: number
      /** Members who have approved already. */
      readonly by: readonly string[]
    }

/** A person's word that a decision consumes: it counts for nothing else from then on. */
export interface SpentWord {
  readonly approver: string
  readonly decision: "request" | "approve" | "reject"
  readonly nonce: string
  /** Statement and signature, as approvals/approver.ts encodes them. */
  readonly signed: Bytes
}

/** What counts once of all words. */
export type SpentName = Pick<SpentWord, "approver" | "nonce">
/** Whether another task consumed it. */
export type IsSpent = (word: SpentName) => boolean

export interface Decision {
  readonly verdict: Verdict
  /** Written in the transaction that writes the verdict. */
  readonly words?: readonly SpentWord[]
  /** Of a rejection that words of people alone would end: which. Then the task may wait for them; it is not approved. */
  readonly awaits?: readonly Awaited[]
  /** Who of those that have to approve said no. */
  readonly vetoed?: string
  /** Applied only when the verdict approves. Each counter once; of amounts, once for each name that they replace by. */
  readonly debits: readonly Debit[]
}
