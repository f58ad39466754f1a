/**
 * Translates debits of earlier releases to the counter names of this one. Limits with `per = "group"` once counted by group id. Journals
 * still hold such debits; the task in the same record shows which key a debit was for.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { keyCounter } from "../policy/countLimit.ts"
import type { Debit } from "../policy/decision.ts"
import { decodeRecordedTask } from "../wire/task.ts"
import { rootKeyOf } from "./policyRequest.ts"

const BY_GROUP_ID = "sign/group/"

/** The debits of the task in `document`, under current counter names. */
export function currentDebits(debits: readonly Debit[], document: Bytes): readonly Debit[] {
  if (!debits.some(isOld)) return debits
  const counter = counterOf(document)
  return counter === undefined ? debits : debits.map((debit) => (isOld(debit) ? { ...debit, counter } : debit))
}

const isOld = ({ counter }: Debit): boolean => counter.startsWith(BY_GROUP_ID)

function counterOf(document: Bytes): string | undefined {
  const task = decodeRecordedTask(document)
  if ("problem" in task || task.type !== "KeySign") return undefined
  try {
    return keyCounter(rootKeyOf(task.root_pub_key))
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}
