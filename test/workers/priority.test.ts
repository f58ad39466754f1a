/** Who computes gives way to the main thread of its process. */
import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { getPriority } from "node:os"
import { copy } from "../../src/bytes.ts"
import { startPool } from "../../src/workers/pool.ts"
import { own } from "./hosts.ts"

/** The niceness of each thread of this process, as the kernel has it. */
const priorities = (): readonly number[] =>
  readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8")
      return [Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16])]
    } catch {
      return [] // it ended meanwhile
    }
  })

test.skipIf(process.platform !== "linux")(
  "session workers give way to the main thread, which keeps its place",
  async () => {
    const before = getPriority()
    const lower = Math.min(before + 5, 19)
    const identity = { seed: copy(new Uint8Array(32)), nodeSecret: copy(new Uint8Array(32)), bootCounter: 1 }
    const pool = await startPool({ ...own, size: 1, identity, onDeath: () => {} })
    expect(priorities()).toContain(lower)
    expect(getPriority()).toBe(before)
    pool.close()
  },
)
