/** The shipped servers on a full pipe that nobody reads: a callback server that waited for its reader would stop signing. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { FORM_FIELD, tokenSigner } from "../../src/wire/tssJwt.ts"
import { binary, cosigner } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { fullPipe } from "../support/fullPipe.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

setDefaultTimeout(60_000)

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
const sign = tokenSigner(privateKey, "test key")

async function unread(dir: string, args: readonly string[], port: number, use: (url: string) => Promise<void>) {
  using pipe = fullPipe(join(dir, "stdout"))
  const child = Bun.spawn([binary, ...args], {
    cwd: dir,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: dir },
    stdin: "ignore",
    stdout: pipe.stderr,
    stderr: "inherit",
    timeout: 30_000,
    killSignal: "SIGKILL",
  })
  try {
    const url = `http://127.0.0.1:${port}`
    const ping = () => fetch(`${url}/ping`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined)
    while ((await ping())?.status !== 200) {
      expect(child.exitCode).toBeNull()
      await Bun.sleep(50)
    }
    await use(url)
    child.kill("SIGTERM")
    expect(await child.exited).toBe(0)
  } finally {
    child.kill("SIGKILL")
  }
}

const post = async (url: string, body: string): Promise<Response> =>
  fetch(url, {
    method: "POST",
    body: new URLSearchParams({ [FORM_FIELD]: await sign(body, Date.now() + 120_000) }),
    signal: AbortSignal.timeout(5_000),
  })

test("callback-server answers all the same", async () => {
  using dir = temporaryFolder("unread")
  expect((await cosigner(["callback-server", "init"], { cwd: dir.path })).exit).toBe(0)
  const pem = publicKey.export({ type: "spki", format: "pem" })
  const port = freePort()
  const file = join(dir.path, "configs", "callback-server.toml")
  writeFileSync(join(dir.path, "configs", "node.pem"), pem)
  const written = (await Bun.file(file).text())
    .replace(/^#?\s*listen = .*$/m, `listen = "127.0.0.1:${port}"`)
    .replace(/^#?\s*node_public_keys = .*$/m, 'node_public_keys = ["node.pem"]')
  writeFileSync(file, written, { mode: 0o600 })
  await unread(dir.path, ["callback-server", "-c", file], port, async (url) => {
    for (let i = 0; i < 20; i++) {
      const body = { request_id: randomUUID(), request_type: 2, request_detail: "{}", extra_info: "{}" }
      expect((await post(`${url}/v2/check`, JSON.stringify(body))).status).toBe(200)
    }
  })
})

test("event-server takes events while there is room for them, and leaves the others to be sent again", async () => {
  using dir = temporaryFolder("unread")
  writeFileSync(join(dir.path, "node.pem"), publicKey.export({ type: "spki", format: "pem" }))
  const port = freePort()
  const event = () =>
    JSON.stringify({
      event_id: randomUUID(),
      event_type: "request.keysign.succeeded",
      node_id: "cosNode",
      created_timestamp: 1,
      data: { x: "x".repeat(200_000) },
    })
  await unread(
    dir.path,
    ["event-server", "--listen", `127.0.0.1:${port}`, "--node-key", "node.pem"],
    port,
    async (url) => {
      const answers: number[] = []
      for (let i = 0; i < 8; i++) answers.push((await post(`${url}/v2/event`, event())).status)
      expect(answers.slice(0, 4)).toEqual([200, 200, 200, 200])
      expect(answers.at(-1)).toBe(500)
      expect((await fetch(`${url}/ping`)).status).toBe(200)
    },
  )
})
