/** What the service manager hears, on a real datagram socket: python3 receives, because bun has no such sockets. */

import { afterAll, describe, expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { CosignerError } from "../../src/errors.ts"
import { openNotifier } from "../../src/hardening/notify.ts"
import { makeNode } from "../support/nodeProcess.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const hasPython = Bun.which("python3") !== null
if (!hasPython) console.error("skipped: without python3 nothing can receive what the service manager is told")
const withReceiver = describe.skipIf(process.platform !== "linux" || !hasPython)

const folder = temporaryFolder("notify").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RECEIVER = `
import json, socket, sys
at = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + at[1:] if at[0] == "@" else at)
print("bound", flush=True)
while True:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`

interface Receiver extends AsyncDisposable {
  /** The next message that matches; those before it are dropped. */
  next(wanted: RegExp): Promise<string>
}

async function receiver(address: string): Promise<Receiver> {
  const child = Bun.spawn(["python3", "-c", RECEIVER, address], { stdout: "pipe", timeout: 30_000 })
  const lines = linesOf(child.stdout)
  expect((await lines.next()).value).toBe("bound")
  return {
    async next(wanted) {
      for (;;) {
        const { value, done } = await lines.next()
        if (done === true) throw new Error(`nothing said ${wanted}`)
        const message = String(JSON.parse(value))
        if (wanted.test(message)) return message
      }
    },
    async [Symbol.asyncDispose]() {
      child.kill()
      await child.exited
    },
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let rest = ""
  const decoder = new TextDecoder()
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n")
    rest = parts.pop() ?? ""
    yield* parts
  }
}

const unexpected = (error: CosignerError) => {
  throw error
}

withReceiver("the service manager", () => {
  test("hears of a node's whole life, and of its event loop in between", async () => {
    using node = await makeNode()
    node.configure("")
    const address = join(node.dir, "notify")
    await using manager = await receiver(address)
    await using it = node.start({ env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "200000" } })
    expect(await manager.next(/READY/)).toMatch(/^READY=1\nSTATUS=node \w+$/)
    for (let i = 0; i < 3; i++) expect(await manager.next(/WATCHDOG/)).toBe("WATCHDOG=1")
    it.signal("SIGHUP")
    expect(await manager.next(/RELOADING/)).toMatch(/^RELOADING=1\nMONOTONIC_USEC=\d{4,}$/)
    await manager.next(/^READY=1/)
    // a reload that fails ends too
    writeFileSync(join(node.dir, "configs", "cosigner.toml"), "env = 3")
    it.signal("SIGHUP")
    await manager.next(/RELOADING/)
    await manager.next(/^READY=1/)
    it.signal("SIGTERM")
    expect(await manager.next(/STOPPING/)).toBe("STOPPING=1\nSTATUS=stopping")
    expect((await it.ended).exit).toBe(0)
  })

  test("may listen at an abstract address, and is told no more than one line of status", async () => {
    const address = `@cosigner-test-${process.pid}`
    await using manager = await receiver(address)
    using notifier = openNotifier({ NOTIFY_SOCKET: address, WATCHDOG_USEC: "20000", WATCHDOG_PID: "1" }, unexpected)
    notifier.status("a\nREADY=1")
    expect(await manager.next(/STATUS/)).toBe("STATUS=a READY=1")
    notifier.ready("x")
    await manager.next(/^READY=1/)
    // another process is watched: after three of its intervals the next word is still ours
    await Bun.sleep(60)
    notifier.status("last")
    expect(await manager.next(/./)).toBe("STATUS=last")
  })
})

describe.skipIf(process.platform !== "linux")("a service manager that cannot be told", () => {
  const told = (address: string): readonly string[] => {
    const errors: string[] = []
    using notifier = openNotifier({ NOTIFY_SOCKET: address }, (error) => errors.push(error.code))
    notifier.ready("x")
    notifier.stopping()
    return errors
  }
  test("is one warning, whatever is wrong with it", () => {
    expect(told(join(folder, "nobody"))).toEqual(["E-OPS-008"])
    expect(told("@nobody-listens-here")).toEqual(["E-OPS-008"])
    expect(told("relative")).toEqual(["E-OPS-008"])
    expect(told(`/${"x".repeat(200)}`)).toEqual(["E-OPS-008"])
  })
  test("that did not ask hears nothing", () => {
    expect(told("")).toEqual([])
  })
})
