/** Connections cut in the middle of protocols, on the real binary: the link resumes, and no attempt is lost. */

import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Socket } from "bun"
import { generateKeys, makeVault, sign } from "../../src/kit/demo/keys.ts"
import { ethereum, solana } from "../../src/kit/demo/signatures.ts"
import { scannedDeployment } from "./deployment.ts"

interface Pipe {
  readonly port: number
  /** Bytes carried so far, both ways. */
  carried(): number
  /** Every connection ends here and now, whatever was on its way. */
  cut(): void
  [Symbol.dispose](): void
}

interface End {
  other: Socket<End> | undefined
  /** For the other end, before there is one. */
  readonly early: Uint8Array[]
  /** What this socket could not take yet. */
  waiting: Uint8Array
}

const end = (other: Socket<End> | undefined): End => ({ other, early: [], waiting: new Uint8Array(0) })

function write(to: Socket<End>, bytes: Uint8Array): void {
  const all = to.data.waiting.length === 0 ? Uint8Array.from(bytes) : Buffer.concat([to.data.waiting, bytes])
  const written = Math.max(0, to.write(all))
  to.data.waiting = all.subarray(written)
}

function pipeTo(target: number): Pipe {
  const open = new Set<Socket<End>>()
  let carried = 0
  const handlers = {
    data(socket: Socket<End>, bytes: Uint8Array) {
      carried += bytes.length
      const { other, early } = socket.data
      if (other === undefined) early.push(Uint8Array.from(bytes))
      else write(other, bytes)
    },
    drain(socket: Socket<End>) {
      write(socket, new Uint8Array(0))
    },
    close(socket: Socket<End>) {
      open.delete(socket)
      socket.data.other?.end()
    },
    error() {},
  }
  const server = Bun.listen<End>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      ...handlers,
      open(socket) {
        socket.data = end(undefined)
        open.add(socket)
        Bun.connect<End>({
          hostname: "127.0.0.1",
          port: target,
          data: end(socket),
          socket: handlers,
        }).then(
          (other) => {
            open.add(other)
            for (const bytes of socket.data.early) write(other, bytes)
            socket.data.other = other
          },
          () => socket.end(),
        )
      },
    },
  })
  return {
    port: server.port,
    carried: () => carried,
    cut() {
      for (const socket of [...open]) socket.terminate()
    },
    [Symbol.dispose]: () => server.stop(true),
  }
}

test("key generation and signatures complete in their first attempt over connections that are cut again and again", async () => {
  await using it = await scannedDeployment(3)
  const { deployment } = it
  using pipe = pipeTo(Number(new URL(deployment.url).port))
  for (const node of deployment.nodes) {
    const file = join(node.dir, "configs", "cosigner.toml")
    writeFileSync(file, readFileSync(file, "utf8").replace(new URL(deployment.url).port, String(pipe.port)))
  }
  const bound = await makeVault(deployment, deployment.nodes, 2)
  const actors = await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))

  // Cut when another stretch of a protocol has passed: in the middle of messages, not between them.
  let cuts = 0
  const cutAfter = async (bytes: number, work: Promise<unknown>): Promise<void> => {
    let working = true
    void work.finally(() => {
      working = false
    })
    let next = pipe.carried() + bytes
    while (working && cuts < 5) {
      if (pipe.carried() >= next) {
        pipe.cut()
        cuts++
        next = pipe.carried() + bytes
      }
      await Bun.sleep(1)
    }
    await work
  }
  const generating = generateKeys(deployment, bound)
  await cutAfter(20_000, generating)
  expect(cuts).toBeGreaterThanOrEqual(2)
  const vault = await generating

  for (const [wanted, signatureType, bytes] of [
    [ethereum(vault, 0), 1, 40_000],
    [solana(vault, 0), 2, 1_500],
  ] as const) {
    cuts = 4
    const { curve, path, message, tweak } = wanted
    const signing = sign(deployment, vault, {
      curve,
      signatureType,
      path,
      message,
      tweak,
      nodes: deployment.nodes.slice(0, 2),
      extraInfo: {},
    })
    await cutAfter(bytes, signing)
    expect((await signing).kind).toBe("signed")
  }
  const completed = actors.flatMap((actor) =>
    actor.lines().filter((line) => line.includes("task completed in session")),
  )
  expect(completed.length).toBe(3 * 2 + 2 * 2)
  for (const line of completed) expect(line).toMatch(/:1"?$/) // the attempt number
}, 120_000)
