/** The whole of WaaS on a loopback port: REST over HTTP, nodes over real links, keys and lock on disk. */

import { afterAll, expect, test } from "bun:test"
import { createPublicKey, generateKeyPairSync, randomBytes, randomUUID, verify } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { concat, copy, fromHex, toHex } from "../../src/bytes.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import { decodeExtendedPublicKey } from "../../src/keys/extendedKey.ts"
import { partyOf } from "../../src/keys/party.ts"
import { parsePath } from "../../src/keys/path.ts"
import type { Link } from "../../src/link/link.ts"
import { startLink } from "../../src/link/links.ts"
import { LINK_TIMING } from "../../src/link/options.ts"
import { silentLog } from "../../src/log.ts"
import { Secret } from "../../src/secret.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { createClient } from "../../src/waas/client.ts"
import { readConfig, type WaasConfig } from "../../src/waas/config.ts"
import { filesIn, readKeyFile, type WaasFiles } from "../../src/waas/files.ts"
import { waasInit, waasKeyCreate, waasKeyRevoke } from "../../src/waas/keys.ts"
import { allAnswered, type RunningWaas, startWaas } from "../../src/waas/server.ts"
import { CHANNEL_LIMITS } from "../../src/wire/channel.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { signToken } from "../../src/wire/waasToken.ts"
import { makeCertificates } from "../link/certificates.ts"
import { startNode } from "../link/world.ts"
import { SimulatedNode, Vaults } from "../support/simulatedNodes.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { must } from "../support/waas.ts"
import { newIdentity } from "../wire/documents.ts"

const WHOLE = { role: "admin", addresses: [] } as const

const dir = temporaryFolder("waas-server").path
afterAll(() => rmSync(dir, { recursive: true }))

const serving = async (config: WaasConfig, files: WaasFiles): Promise<RunningWaas> =>
  must(await startWaas(config, files, silentLog, new AbortController().signal))

const start = (folder: string, listen = "127.0.0.1:0"): Promise<RunningWaas> =>
  serving(readConfig(filesIn(folder), listen), filesIn(folder))

interface Linked {
  readonly node: SimulatedNode
  readonly id: string
  connect(): void
  disconnect(): void
}

/** A simulated node behind a real link. */
function linked(waas: RunningWaas, vaults: Vaults): Linked {
  const signer = ed25519Signer(Secret.take(copy(randomBytes(32))))
  const waasKey = must(fromHex(waas.publicKey))
  const id = nodeIdOf(must(partyOf(signer.publicKey)))
  let link: Link | undefined
  const node = new SimulatedNode(id, waasKey, vaults, (frame) => void link?.send(frame))
  const connect = () => {
    link = startLink(
      {
        url: `${waas.url.replace("http", "ws")}/ws`,
        waasKey,
        node: signer,
        ca: undefined,
        client: undefined,
        proxy: undefined,
        limits: CHANNEL_LIMITS,
        timing: { ...LINK_TIMING, backoffMs: 10, backoffCapMs: 50 },
        clock: Date.now,
        jitter: () => 0.5,
        log: silentLog,
      },
      { onFrame: (frame) => node.receive(frame), onOnline() {}, onOffline() {}, onWritable() {} },
    )
  }
  return { node, id, connect, disconnect: () => link?.stop() }
}

async function until<T>(ask: () => Promise<T>, done: (t: T) => boolean): Promise<T> {
  for (const end = Date.now() + 10_000; ; ) {
    const got = await ask()
    if (done(got)) return got
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(got)}`)
    await Bun.sleep(10)
  }
}

const SPKI = must(fromHex("302a300506032b6570032100"))

/** A program that signs as an HSM's would, with a key that WaaS never sees. */
function keyCommand(folder: string): string {
  const { privateKey } = generateKeyPairSync("ed25519")
  const script = join(folder, "hsm.mjs")
  const pem = JSON.stringify(privateKey.export({ type: "pkcs8", format: "pem" }))
  writeFileSync(
    script,
    `import { createPublicKey, sign } from "node:crypto"
import { readFileSync } from "node:fs"
const publicKey = () => createPublicKey(${pem}).export({ type: "spki", format: "der" }).subarray(-32)
console.log((process.argv.at(-1) === "sign" ? sign(null, readFileSync(0), ${pem}) : publicKey()).toString("hex"))`,
  )
  return `key_command = [${JSON.stringify(process.execPath)}, ${JSON.stringify(script)}]\n`
}

test.each([
  ["main", () => ""],
  ["hsm", keyCommand],
] as const)(
  "vault, keys, signatures over HTTP and links; a restart in between loses nothing (%s)",
  async (name, more) => {
    const folder = join(dir, name)
    const { files } = await waasInit(folder, Date.now())
    writeFileSync(files.config, `[waas]\n${more(folder)}`)
    using secret = (await waasKeyCreate(folder, { name: "test", ...WHOLE, curve: "ed25519" }, Date.now())).secret
    let waas = await start(folder)
    const client = createClient({
      baseUrl: waas.url,
      apiKeyCurve: "ed25519",
      apiKeySecret: secret,
      responseKey: waas.responseKey,
    })
    const vaults = new Vaults()
    const nodes = [0, 1, 2].map(() => linked(waas, vaults))
    try {
      const { vault_id: vault } = await client.createVault("main")
      const group = await client.createGroup(vault, {
        key_share_holder_group_type: "MainGroup",
        participants: 3,
        threshold: 2,
        key_share_holders: nodes.map(({ id }, i) => ({ name: `n${i}`, type: "API", tss_node_id: id, signer: i < 2 })),
      })
      const request = await client.createKeyGen(vault, group.key_share_holder_group_id, "first")
      for (const node of nodes) node.connect()
      await until(
        () => client.tssRequest(vault, request.tss_request_id),
        ({ status }) => status === "Success",
      )
      const holders = await client.holders(vault, {})
      expect(holders.data.map((holder) => holder.online)).toEqual([true, true, true])

      must(nodes[1]).node.behaviour = { decide: () => "silent" }
      const message = "0x0102"
      const path = "m/44/501/7"
      const sign = await client.createSignRequest(vault, {
        request_id: randomUUID(),
        curve: "ED25519",
        signature_type: 2,
        used_tss_node_ids: [must(nodes[0]).id, must(nodes[1]).id],
        messages: [{ bip32_path: path, msg_hash: message }],
      })
      await until(
        async () => must(nodes[0]).node.journal.size,
        (size) => size === 3,
      )
      await waas.stop()
      must(nodes[1]).node.behaviour = {}
      waas = await start(folder, new URL(waas.url).host)
      const done = await until(
        () => client.signRequest(vault, sign.sign_request_id),
        ({ status }) => status === "Completed",
      )
      const root = decodeExtendedPublicKey(
        must((await client.vault(vault)).root_pubkeys.find((of) => of.curve === "ED25519")).root_pubkey,
      )
      const child = deriveTweak("ed25519", root.publicKey, root.chainCode, parsePath(path)).publicKey
      const key = createPublicKey({ key: Buffer.from(concat(SPKI, child)), format: "der", type: "spki" })
      const [signature] = done.signatures
      expect(signature?.public_key).toBe(toHex(child))
      expect(verify(null, must(fromHex("0102")), key, must(fromHex(must(signature).signature)))).toBe(true)
    } finally {
      for (const node of nodes) node.disconnect()
      await waas.stop()
    }
  },
  20_000,
)

test("one process serves a folder; a revoked key stops working while it runs; answers must be WaaS's own", async () => {
  const folder = join(dir, "second")
  await waasInit(folder, Date.now())
  const pair = await waasKeyCreate(folder, { name: "test", ...WHOLE, curve: "secp256k1" }, Date.now())
  using secret = pair.secret
  const waas = await start(folder)
  const clientWith = (responseKey: string) =>
    createClient({ baseUrl: waas.url, apiKeyCurve: "secp256k1", apiKeySecret: secret, responseKey })
  try {
    expect((await clientWith(waas.responseKey).organisation()).name).toBe("My organisation")
    await expect(clientWith(waas.publicKey).organisation()).rejects.toMatchObject({ code: "E-WAA-013" })
    await expect(start(folder)).rejects.toMatchObject({ code: "E-WAA-004" })
    await expect(clientWith(waas.responseKey).vault("none")).rejects.toMatchObject({
      code: "E-WAA-012",
      data: { status: 404, errorCode: 2028 },
    })
    await waasKeyRevoke(folder, pair.publicKey, Date.now())
    await expect(clientWith(waas.responseKey).organisation()).rejects.toMatchObject({ data: { errorCode: 2024 } })
  } finally {
    await waas.stop()
  }
  const again = await start(folder)
  await again.stop()
  await expect(clientWith(waas.responseKey).organisation()).rejects.toMatchObject({ code: "E-WAA-013" })
})

test("/readyz needs no key and says what it looked at", async () => {
  const folder = join(dir, "ready")
  await waasInit(folder, Date.now())
  const waas = await start(folder)
  try {
    const answer = await fetch(`${waas.url}/readyz`)
    expect(answer.status).toBe(200)
    expect(await answer.json()).toMatchObject({
      ready: true,
      items: [
        { name: "store", state: "ok", code: "" },
        { name: "newest", state: "ok", code: "" },
      ],
    })
    expect((await fetch(`${waas.url}/readyz`, { method: "POST" })).status).toBeGreaterThanOrEqual(400)
  } finally {
    await waas.stop()
  }
})

test("a WaaS that was shown a newer copy of itself changes nothing more, and says why", async () => {
  const folder = join(dir, "fenced")
  await waasInit(folder, Date.now())
  const pair = await waasKeyCreate(folder, { name: "test", ...WHOLE, curve: "ed25519" }, Date.now())
  using secret = pair.secret
  const waas = await start(folder)
  try {
    const client = createClient({
      baseUrl: waas.url,
      apiKeyCurve: "ed25519",
      apiKeySecret: secret,
      responseKey: waas.responseKey,
    })
    await client.createVault("before")
    // As an operator's decision elsewhere has it: signed with the key that both copies have.
    const newer = { incarnation: 7, mark: 1, markId: new Uint8Array(16).fill(1) }
    const followed = signToken(readKeyFile(filesIn(folder)).tasks, newer)
    const identity = newIdentity()
    const memory = { latest: () => followed, follow: () => {} }
    const node = startNode(
      { identity: { ...identity, publicKey: must(fromHex(waas.publicKey)) }, port: Number(new URL(waas.url).port) },
      { followed: memory },
    )
    await node.ended("E-LNK-022")
    node.link.stop()
    await until(
      () => fetch(`${waas.url}/readyz`),
      ({ status }) => status === 503,
    )
    expect(await (await fetch(`${waas.url}/readyz`)).json()).toMatchObject({
      ready: false,
      items: [
        { name: "store", state: "ok" },
        { name: "newest", state: "failed", code: "E-WAA-060" },
      ],
    })
    await expect(client.createVault("after")).rejects.toMatchObject({ data: { status: 400, errorCode: 2029 } })
    expect((await client.vaults({})).data.map(({ name }) => name)).toEqual(["before"])
  } finally {
    await waas.stop()
  }
})

test("an address that is taken is said so, and the folder is free again", async () => {
  const folder = join(dir, "third")
  await waasInit(folder, Date.now())
  const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() })
  try {
    await expect(start(folder, `127.0.0.1:${other.port}`)).rejects.toMatchObject({ code: "E-WAA-011" })
  } finally {
    await other.stop(true)
  }
  await (await start(folder)).stop()
})

const certificates = makeCertificates()

test.skipIf(certificates === undefined)("with a certificate it speaks TLS, and only that", async () => {
  const folder = join(dir, "tls")
  const { files } = await waasInit(folder, Date.now())
  const { ca, server } = must(certificates)
  writeFileSync(join(folder, "c.pem"), server.cert)
  writeFileSync(join(folder, "k.pem"), server.key)
  writeFileSync(files.config, '[waas]\nlisten = "127.0.0.1:0"\ntls_cert = "c.pem"\ntls_key = "k.pem"\n')
  const waas = await serving(readConfig(files), files)
  try {
    const port = new URL(waas.url).port
    expect(waas.url).toStartWith("https:")
    const answer = await fetch(`https://localhost:${port}/v2/organizations/info`, { tls: { ca } })
    expect(answer.status).toBe(401)
    await expect(fetch(`https://localhost:${port}/v2/organizations/info`)).rejects.toThrow()
    await expect(fetch(`http://localhost:${port}/v2/organizations/info`)).rejects.toThrow()
  } finally {
    await waas.stop()
  }
  writeFileSync(join(folder, "c.pem"), "not a certificate")
  await expect(serving(readConfig(files), files)).rejects.toMatchObject({ code: "E-WAA-011" })
})

test("a body above the cap is answered with a signed error, not read", async () => {
  const folder = join(dir, "fourth")
  await waasInit(folder, Date.now())
  const waas = await start(folder)
  try {
    const pair = await waasKeyCreate(folder, { name: "test", ...WHOLE, curve: "ed25519" }, Date.now())
    pair.secret.wipe()
    for (const [publicKey, bytes, expected] of [
      [pair.publicKey, 2_097_153, [400, 2006]],
      [pair.publicKey, 4_000_000, [400, 2006]],
      ["11".repeat(32), 4_000_000, [401, 2024]],
    ] as const) {
      const headers = {
        "BIZ-API-KEY": publicKey,
        "BIZ-API-NONCE": String(Date.now()),
        "BIZ-API-SIGNATURE": "00".repeat(64),
      }
      const url = `${waas.url}/v2/wallets/mpc/vaults`
      const answer = await fetch(url, { method: "POST", body: "x".repeat(bytes), headers })
      const { error_code } = (await answer.json()) as { error_code: number }
      expect([answer.status, error_code]).toEqual([...expected])
      expect(answer.headers.get("BIZ-RESP-SIGNATURE")).toMatch(/^[0-9a-f]{128}$/)
    }
  } finally {
    const beganMs = performance.now()
    await waas.stop()
    // What was refused and is on its way still does not hold the stop for the 5 s that requests in work have.
    expect(performance.now() - beganMs).toBeLessThan(4_000)
  }
})

test("a request in work at the stop is answered before the connections are cut", async () => {
  const [entered, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const order: string[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch() {
      entered.resolve()
      await release.promise
      order.push("answered")
      return new Response("whole")
    },
  })
  const asked = fetch(server.url)
  await entered.promise
  const over = allAnswered(server).then(() => order.push("over"))
  await new Promise((resolve) => setImmediate(resolve))
  release.resolve()
  await over
  await server.stop(true)
  expect(await (await asked).text()).toBe("whole")
  expect(order).toEqual(["answered", "over"])
})
