/**
 * Estimates how long a task's payloads take to read, to decide whether that would block the calling thread too long, which also serves the
 * link and the timers of sessions. The constants are upper bounds, measured on one slow core.
 */
import type { KeySignTask } from "../wire/task.ts"
import { statedTransaction } from "./stated.ts"

/** Payloads with a higher estimate are read on another thread. A few kilobytes on one account stay below. */
const MOST_MS = 35

/** For JSON, call data and hashes. */
const MS_PER_KIB = 1
/** Higher for PSBTs, which name a key to derive in every hundred bytes or so. */
const MS_PER_KIB_OF_PSBT = 4
/** For each parent of signing paths: the search for own accounts derives up to a hundred keys the first time (accounts.ts). */
const MS_PER_PARENT = 15

export const isHeavy = (task: KeySignTask): boolean => readingMs(task) > MOST_MS

function readingMs({ messages, payloads = [], extra_info }: KeySignTask): number {
  const stated = payloads.reduce(
    (sum, { format, data }) => sum + kib(data, 3 / 4) * (format === "bitcoin/psbt" ? MS_PER_KIB_OF_PSBT : MS_PER_KIB),
    0,
  )
  const vendors = kib(statedTransaction(extra_info) ?? "", 1 / 2) * MS_PER_KIB_OF_PSBT
  const implied = messages.reduce((sum, { msg_hash }) => sum + kib(msg_hash, 1 / 2) * MS_PER_KIB, 0)
  const parents = new Set(messages.map(({ bip32_path }) => bip32_path.slice(0, bip32_path.lastIndexOf("/"))))
  return stated + vendors + implied + parents.size * MS_PER_PARENT
}

const kib = (text: string, bytesPerCharacter: number): number => (text.length * bytesPerCharacter) / 1024
