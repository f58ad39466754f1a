/**
 * Threads that compute give way to the main thread of their process, which answers the link and commits. On a machine whose cores
 * are all busy, the main thread would otherwise wait for a core behind sessions that each compute for tens of milliseconds.
 */
import { readlinkSync } from "node:fs"
import { getPriority, setPriority } from "node:os"

/** Steps of the system's scale of 40 (nice): the thread gets about a third of the main thread's share where both want the same core. */
const LESS = 5
const LEAST = 19

/** Lowers the priority of this thread, not of its process. Only Linux can do that; elsewhere all works, but the main thread may wait. */
export function giveWay(): void {
  if (process.platform !== "linux") return
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1))
    setPriority(thread, Math.min(getPriority(thread) + LESS, LEAST))
  } catch {
    // There is no /proc, or the system does not allow it: a filter of system calls without setpriority.
  }
}
