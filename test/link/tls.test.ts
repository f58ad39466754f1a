import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { createConnection, createServer, type Socket } from "node:net"
import { join } from "node:path"
import { toHex, utf8 } from "../../src/bytes.ts"
import { Secret } from "../../src/secret.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { makeCertificates, type Pair } from "./certificates.ts"
import { stage } from "./stage.ts"
import { closeServer, codeOf, listen, type Node, type NodeOptions, startNode, type Waas } from "./world.ts"

setDefaultTimeout(20_000)

const made = makeCertificates()
const none: Pair = { cert: "", key: "" }
const { ca, otherCa, server, client, stranger } = made ?? {
  ca: "",
  otherCa: "",
  server: none,
  client: none,
  stranger: none,
}

const { onEnd, aWaas, aNode: nodeOn } = stage()

function secureWaas(tls: Bun.TLSOptions = {}): Waas {
  const waas = aWaas({ tls: { ...server, ...tls } })
  return waas
}
const urlOf = (waas: Waas): string => `wss://localhost:${waas.port}/ws`
function aNode(waas: Waas, options: NodeOptions): Node {
  const node = nodeOn(waas, { url: urlOf(waas), ...options })
  return node
}
const identityOf = (pair: Pair): NonNullable<NodeOptions["client"]> => ({
  certificate: pair.cert,
  key: Secret.take(utf8(pair.key)),
})
const nobodyCame = (waas: Waas): void => expect(waas.journal.entries).toEqual([])

const UNKNOWN_AUTHORITY =
  "Connection failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"
const saysUnknownAuthority = (node: Node): void =>
  expect(node.journal.entries).toContainEqual(
    expect.objectContaining({ line: expect.objectContaining({ message: UNKNOWN_AUTHORITY }) }),
  )

describe.skipIf(made === undefined)("TLS", () => {
  test("a private authority, named", async () => {
    const waas = secureWaas()
    await aNode(waas, { ca }).online()
  })

  test("several authorities in one file", async () => {
    const waas = secureWaas()
    await aNode(waas, { ca: `${otherCa}\n${ca}` }).online()
  })

  test("a private authority that is not named is refused with the words that scripts look for", async () => {
    const waas = secureWaas()
    const node = aNode(waas, {})
    await node.ended("E-LNK-002")
    saysUnknownAuthority(node)
    nobodyCame(waas)
  })

  test("another authority than the named one", async () => {
    const waas = secureWaas()
    const node = aNode(waas, { ca: otherCa })
    await node.ended("E-LNK-002")
    saysUnknownAuthority(node)
    nobodyCame(waas)
  })

  test("a certificate for another name", async () => {
    const waas = secureWaas()
    const node = aNode(waas, { ca, url: `wss://127.0.0.1:${waas.port}/ws` })
    await node.ended("E-LNK-002")
    nobodyCame(waas)
  })

  test("TLS against a server without it", async () => {
    const waas = aWaas()
    await aNode(waas, { ca }).ended("E-LNK-021")
    // nobody is in between: what listens there speaks, and not TLS
    await aNode(waas, { ca, url: `ws://localhost:${waas.port}/ws` }).online()
  })

  test("a place that closes the connection instead of a handshake", async () => {
    const closing = createServer((socket) => socket.once("data", () => socket.destroy()))
    onEnd(() => closeServer(closing))
    const port = await listen(closing)
    const waas = aWaas()
    await aNode(waas, { ca, url: `wss://localhost:${port}/ws` }).ended("E-LNK-001")
  })
})

describe.skipIf(made === undefined)("client certificates", () => {
  const asked = { ca, requestCert: true, rejectUnauthorized: true }

  test("one that the server asks for is shown", async () => {
    const waas = secureWaas(asked)
    await aNode(waas, { ca, client: identityOf(client) }).online()
  })

  test("without one, or with a stranger's, there is no connection", async () => {
    const waas = secureWaas(asked)
    for (const options of [{ ca }, { ca, client: identityOf(stranger) }]) {
      const node = aNode(waas, options)
      await node.journal.until((all) => all.some((one) => one.kind === "line" && one.line.level === "warn"))
      expect(node.link.state().phase).not.toBe("online")
      node.link.stop()
    }
    nobodyCame(waas)
  })

  test("a key of another certificate stops the start", () => {
    const mixed = { certificate: client.cert, key: Secret.take(utf8(stranger.key)) }
    expect(codeOf(() => startNode(secureWaas(), { ca, client: mixed }))).toBe("E-LNK-012")
    const broken = { certificate: client.cert, key: Secret.take(utf8("no key")) }
    expect(codeOf(() => startNode(secureWaas(), { ca, client: broken }))).toBe("E-LNK-012")
  })
})

describe.skipIf(made === undefined)("the environment", () => {
  async function dialWith(waas: Waas, env: Readonly<Record<string, string>>): Promise<string> {
    const script = join(import.meta.dir, "dialOnce.ts")
    const run = Bun.spawn([process.execPath, script, urlOf(waas), toHex(waas.identity.publicKey)], {
      env: { ...process.env, ...env },
      stdout: "pipe",
      stderr: "inherit",
    })
    return (await new Response(run.stdout).text()).trim()
  }

  test("SSL_CERT_FILE names the authorities when the configuration does not", async () => {
    const folder = temporaryFolder("ca").path
    onEnd(() => rmSync(folder, { recursive: true }))
    const file = join(folder, "ca.pem")
    writeFileSync(file, ca)
    const waas = secureWaas()
    expect(await dialWith(waas, { SSL_CERT_FILE: file })).toBe("online")
    expect(await dialWith(waas, {})).toBe("E-LNK-002")
  })

  test("NODE_TLS_REJECT_UNAUTHORIZED=0 does not switch the verification off", async () => {
    const waas = secureWaas()
    expect(await dialWith(waas, { NODE_TLS_REJECT_UNAUTHORIZED: "0" })).toBe("E-LNK-002")
  })
})

describe.skipIf(made === undefined)("an HTTP CONNECT proxy", () => {
  interface Proxy {
    readonly port: number
    /** What it was asked to connect to. */
    readonly asked: string[]
  }

  /** The least proxy there is; with `credentials` it wants them as Basic authentication. */
  async function startProxy(credentials?: string): Promise<Proxy> {
    const asked: string[] = []
    const open = new Set<Socket>()
    const proxy = createServer((near) => {
      open.add(near)
      near.on("error", () => {})
      near.once("data", (head) => {
        const request = head.toString("latin1")
        const [, host = "", port = ""] = /^CONNECT (\S+):(\d+) HTTP\/1\.1\r\n/.exec(request) ?? []
        asked.push(`${host}:${port}`)
        const expected = `Basic ${Buffer.from(credentials ?? "").toString("base64")}`
        const shown = /^Proxy-Authorization: (.+)\r$/im.exec(request)?.[1]
        if (credentials !== undefined && shown !== expected) {
          near.end("HTTP/1.1 407 disconnected.\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
          return
        }
        const far = createConnection(Number(port), "127.0.0.1", () => {
          near.write("HTTP/1.1 200 Connection established\r\n\r\n")
          near.pipe(far).pipe(near)
        })
        open.add(far)
        far.on("error", () => near.destroy())
      })
    })
    const port = await listen(proxy)
    onEnd(() => {
      for (const socket of open) socket.destroy()
      return closeServer(proxy)
    })
    return { port, asked }
  }

  test("without authentication", async () => {
    const waas = secureWaas()
    const proxy = await startProxy()
    await aNode(waas, { ca, proxy: `http://127.0.0.1:${proxy.port}` }).online()
    expect(proxy.asked).toEqual([`localhost:${waas.port}`])
  })

  test("with the right user and password", async () => {
    const waas = secureWaas()
    const proxy = await startProxy("ops:s3cret")
    await aNode(waas, { ca, proxy: `http://ops:s3cret@127.0.0.1:${proxy.port}` }).online()
  })

  test("with the wrong one, or none", async () => {
    const waas = secureWaas()
    const proxy = await startProxy("ops:s3cret")
    for (const user of ["ops:wrong@", ""]) {
      const node = aNode(waas, { ca, proxy: `http://${user}127.0.0.1:${proxy.port}` })
      await node.ended("E-LNK-014")
      node.link.stop()
      // The proxy's own words cannot pass for the line that says that the link is up, and ours hold no password.
      const text = JSON.stringify(node.journal.entries)
      expect(text).not.toContain("connected.")
      expect(text).not.toContain("wrong")
    }
    nobodyCame(waas)
  })

  test("TLS is verified through the proxy as without", async () => {
    const waas = secureWaas()
    const proxy = await startProxy()
    await aNode(waas, { ca: otherCa, proxy: `http://127.0.0.1:${proxy.port}` }).ended("E-LNK-002")
    nobodyCame(waas)
  })

  test("a proxy that is not there", async () => {
    const waas = secureWaas()
    await aNode(waas, { ca, proxy: "http://127.0.0.1:1" }).ended("E-LNK-001")
  })
})
