/**
 * Which transactions replace one another: of those with one name at most one can happen, so limits count the largest of them
 * once. Owns that name. A name must never be shared by two that can both happen; two that cannot may have different names,
 * which counts both and is safe.
 */
import type { Reading } from "./reading.ts"

/**
 * EVM: the account's nonce on its chain. Bitcoin: the first of the spent outpoints in the order of their text, since who
 * raises a fee keeps the inputs and at most adds some. All else, undefined: a blockhash orders nothing, messages are for ever.
 */
export function replacementName({ format, chain, from, nonce }: Reading): string | undefined {
  if (nonce === undefined) return undefined
  if (format === "evm/transaction") return from[0] === undefined ? undefined : `${chain} ${from[0]} ${nonce}`
  if (format !== "bitcoin/psbt") return undefined
  const [first] = nonce.split(" ").sort()
  return `${chain} ${first}`
}
