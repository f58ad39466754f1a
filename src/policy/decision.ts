/** The inputs and the answer of risk control: the counters, what an approval takes from them, the decision. */
import type { Bytes } from "../bytes.ts"
import type { Verdict } from "./verdict.ts"

/** Rolling counters: of signatures, and of amounts of an asset in base units. */
export interface Usage {
  /** Sum of the signatures debited to `counter` at or after `sinceMs` (ms since 1970) and not released. */
  count(counter: string, sinceMs: number): number
  /**
   * Exact sum of the amounts debited to `counter` at or after `sinceMs` and not released. Of debits that replace one
   * another only the largest counts, at the time of the latest.
   */
  sum(counter: string, sinceMs: number): bigint
  /** What counts of the debits to `counter` that replace one another under this name; undefined if there is none. */
  replaced(counter: string, replaces: string): Replaced | undefined
}

export interface Replaced {
  /** Amount of the largest debit. */
  readonly amount: bigint
  /** Time of the latest debit. */
  readonly latestMs: number
}

export const NO_USAGE: Usage = { count: () => 0, sum: () => 0n, replaced: () => undefined }

/** A debit of signatures. */
export interface CountDebit {
  readonly counter: string
  readonly amount: number
}

/** A debit of base units of an asset. */
export interface AmountDebit {
  readonly counter: string
  readonly amount: bigint
  /** At most one of the debits with this name can ever take effect, because all of them spend what it names. Empty: it is independent. */
  readonly replaces: string
}

export type Debit = CountDebit | AmountDebit

export const isAmount = (debit: Debit): debit is AmountDebit => typeof debit.amount === "bigint"

/** A statement of people that would end a denial: the request for the task, or approvals of a group. */
export type Awaited =
  | { readonly kind: "request" }
  | {
      readonly kind: "approvals"
      readonly group: string
      readonly min: number
      /** Members who have approved already. */
      readonly by: readonly string[]
    }

/** A person's signed statement that a decision consumes. From then on it counts for nothing else. */
export interface SpentWord {
  readonly approver: string
  readonly decision: "request" | "approve" | "reject"
  readonly nonce: string
  /** Statement and signature, as approvals/approver.ts encodes them. */
  readonly signed: Bytes
}

/** What identifies a statement, which counts once. */
export type SpentName = Pick<SpentWord, "approver" | "nonce">
/** Whether another task consumed the statement. */
export type IsSpent = (word: SpentName) => boolean

export interface Decision {
  readonly verdict: Verdict
  /** Written in the transaction that writes the verdict. */
  readonly words?: readonly SpentWord[]
  /** For a rejection that only statements of people would end: which ones. The task may then wait for them; it is not approved. */
  readonly awaits?: readonly Awaited[]
  /** The name of a required approver who said no. */
  readonly vetoed?: string
  /** Applied only when the verdict approves. Each counter occurs once; a counter of amounts once for each `replaces`. */
  readonly debits: readonly Debit[]
}
