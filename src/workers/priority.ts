/**
 * Threads that compute give way to the main thread of their process, which answers the link and commits: on a machine whose cores are
 * all taken it would otherwise wait in the system's row behind sessions that each compute for tens of milliseconds.
 */
import { readlinkSync } from "node:fs"
import { getPriority, setPriority } from "node:os"

/** Of the system's scale of 40 (nice): about a third of the main thread's share where both want the same core. */
const LESS = 5
const LEAST = 19

/** Of this thread, not of its process: only Linux knows the difference. Where it cannot be done everything works, and waits. */
export function giveWay(): void {
  if (process.platform !== "linux") return
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1))
    setPriority(thread, Math.min(getPriority(thread) + LESS, LEAST))
  } catch {
    // no /proc, or not allowed
  }
}
