/**
 * What stands between callers and several WaaS processes: a TCP proxy to the first that says it is ready, as a load balancer is. One
 * that stops answering loses its connections, so that no caller waits for it.
 */
import { connect, createServer, type Socket } from "node:net"
import { sleep } from "../../src/sleep.ts"

const CHECK_MS = 300
const PATIENCE_MS = 1_000

export interface Balancer extends AsyncDisposable {
  readonly port: number
}

export async function startBalancer(targets: readonly number[]): Promise<Balancer> {
  const stopping = new AbortController()
  let ready: number | undefined
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (ready === undefined) return void client.destroy()
    const upstream = connect(ready, "127.0.0.1")
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one
        .on("error", () => other.destroy())
        .on("close", () => {
          sockets.delete(one)
          other.destroy()
        })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const checking = (async () => {
    while (!stopping.signal.aborted) {
      const states = await Promise.all(targets.map(isReady))
      const now = targets.find((_, index) => states[index])
      if (now !== ready) {
        ready = now
        for (const socket of sockets) socket.destroy()
      }
      await sleep(CHECK_MS, stopping.signal)
    }
  })()
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port")
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      stopping.abort()
      server.close()
      for (const socket of sockets) socket.destroy()
      await checking
    },
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) })
    return answer.status === 200
  } catch {
    return false
  }
}
