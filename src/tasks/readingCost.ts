/**
 * How long a task's payloads may take to read, and from when on that is too long for the thread that is asked: it has the link
 * and the timers of sessions as well. An estimate from above, of what was measured on one slow core.
 */
import type { KeySignTask } from "../wire/task.ts"
import { statedTransaction } from "./stated.ts"

/** Payloads of a few kilobytes on one account stay below, and are read at once. */
const MOST_MS = 35

/** JSON, call data and hashes. */
const MS_PER_KIB = 1
/** PSBTs name keys that are derived again, one in some hundred bytes. */
const MS_PER_KIB_OF_PSBT = 4
/** Own accounts are looked for beside each signing path: a hundred keys, at their first time. */
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
