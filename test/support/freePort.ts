/**
 * Ports of the loopback for what has to come back at the same address, or is started later by others. They lie below the range from
 * which the kernel takes ports of its own choice: a port of that range may be anybody's connection before it is listened on.
 */
import { randomInt } from "node:crypto"

/** Of Linux and macOS the lowest that the kernel chooses itself is 32768. */
const [FIRST, END] = [20_000, 32_000]
const given = new Set<number>()

/** One that was free a moment ago, and that this process has not given out before. */
export function freePort(): number {
  for (let tries = 0; tries < 1_000; tries++) {
    const port = randomInt(FIRST, END)
    if (given.has(port) || !isFree(port)) continue
    given.add(port)
    return port
  }
  throw new Error("no port is free")
}

function isFree(port: number): boolean {
  try {
    const server = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("") })
    void server.stop(true)
    return true
  } catch {
    return false
  }
}
