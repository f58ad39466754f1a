/**
 * Three WaaS of the real binary on one Postgres, four nodes linked to each: whatever is asked at one is known, waited for, approved and
 * canceled at any other, and goes on when the one that was asked dies.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { Transaction } from "ethers"
import { Cluster } from "../../scripts/campaign/cluster.ts"
import { signedJson } from "../../src/approvals/json.ts"
import { toHex } from "../../src/bytes.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { Client, SignRequestObject } from "../../src/waas/client.ts"
import { sshTestKey } from "../support/approvers.ts"
import { evmEndpoint } from "../support/evmEndpoint.ts"
import { whyNoPostgres } from "../support/postgres.ts"
import { must } from "../support/waas.ts"
import { EXCHANGE, type Keeper, payment, treasuryRules } from "./treasury.ts"
import { awaited, wordOn } from "./words.ts"

if (whyNoPostgres !== undefined) console.log(`no replicas: ${whyNoPostgres}`)

const READY_MS = 60_000
const LIMIT_MS = 120_000
const [A, B, C] = ["waas1", "waas2", "waas3"] as const
const ENDED: readonly string[] = ["Completed", "Declined", "Failed", "Canceled"]

describe.skipIf(whyNoPostgres !== undefined)("three WaaS on one Postgres", () => {
  let chain: ReturnType<typeof evmEndpoint>
  let cluster: Cluster
  let vault: DemoVault
  let a: Client
  let b: Client
  let c: Client

  beforeAll(async () => {
    chain = evmEndpoint()
    const waasToml = `[[waas.chains]]\nid = "ETH"\nrpc_url = "${chain.url}"\n`
    const started = await Cluster.start({ replicas: 3, nodes: 4, waasToml }, Math.random)
    cluster = started.cluster
    vault = started.vault
    a = cluster.clientOf(A)
    b = cluster.clientOf(B)
    c = cluster.clientOf(C)
    expect(await cluster.callers.untilReady(3, READY_MS)).toBe(true)
  }, LIMIT_MS)
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
    await chain[Symbol.asyncDispose]()
  }, LIMIT_MS)

  const body = (index: number, names: readonly string[] = []) => {
    const { path, message } = solana(vault, index)
    const nodeIds = cluster.nodes.filter(({ name }) => names.includes(name)).map(({ nodeId }) => nodeId)
    return {
      request_id: randomUUID(),
      curve: "ED25519",
      signature_type: 2,
      deadline_seconds: 120,
      ...(nodeIds.length > 0 && { used_tss_node_ids: nodeIds }),
      messages: [{ bip32_path: path, msg_hash: `0x${toHex(message)}`, tweak: "" }],
    } as const
  }
  const ask = async (client: Client, of: ReturnType<typeof body>): Promise<string> =>
    (await client.createSignRequest(vault.vaultId, of)).sign_request_id
  const ended = (client: Client, id: string): Promise<SignRequestObject> =>
    until("the end of a request", async () => {
      const now = await client.signRequest(vault.vaultId, id, 20)
      return ENDED.includes(now.status) ? now : undefined
    })

  test(
    "asked at one, waited for at another, told by all alike",
    async () => {
      const wanted = body(1)
      const id = await ask(a, wanted)
      const done = await ended(b, id)
      expect(done).toMatchObject({ status: "Completed", failed_reason: "" })
      for (const client of [a, b, c]) {
        expect((await client.signRequest(vault.vaultId, id)).signatures).toEqual(done.signatures)
        const again = await client.createSignRequest(vault.vaultId, wanted)
        expect([again.sign_request_id, again.signatures]).toEqual([id, done.signatures])
      }
    },
    LIMIT_MS,
  )

  test(
    "one request_id at all at once is one request",
    async () => {
      const wanted = Array.from({ length: 10 }, (_, index) => body(10 + index))
      const ids = await Promise.all(wanted.map((one) => Promise.all([a, b, c].map((client) => ask(client, one)))))
      for (const of of ids) expect(new Set(of).size).toBe(1)
      expect(new Set(ids.flat()).size).toBe(10)
      for (const [id = ""] of ids) expect((await ended(c, id)).status).toBe("Completed")
      const page = await b.signRequests(vault.vaultId, { limit: "50" })
      expect(page.data.filter(({ sign_request_id: id }) => ids.flat().includes(id))).toHaveLength(10)
    },
    LIMIT_MS,
  )

  test(
    "canceled at another, and whoever waits at a third learns of it",
    async () => {
      await cluster.end("node4", "SIGTERM")
      const id = await ask(a, body(30, ["node3", "node4"]))
      const waiting = b.signRequest(vault.vaultId, id, 50)
      const canceled = await c.cancelSignRequest(vault.vaultId, id)
      expect(canceled.status).toBe("Canceled")
      expect((await waiting).status).toBe("Canceled")
      expect((await a.signRequest(vault.vaultId, id)).status).toBe("Canceled")
      await cluster.begin("node4")
    },
    LIMIT_MS,
  )

  test(
    "whoever was asked is killed: another one ends the request, and it comes back and serves",
    async () => {
      await cluster.end("node4", "SIGTERM")
      const wanted = body(40, ["node3", "node4"])
      const id = await ask(a, wanted)
      await cluster.end(A, "SIGKILL")
      const again = await ask(b, wanted)
      expect(again).toBe(id)
      await cluster.begin("node4")
      expect(await ended(c, id)).toMatchObject({ status: "Completed", failed_reason: "" })
      await cluster.begin(A)
      expect(await cluster.callers.untilReady(3, READY_MS)).toBe(true)
      expect((await ended(a, await ask(a, body(41)))).status).toBe("Completed")
    },
    LIMIT_MS,
  )

  test(
    "vaults made at different ones at one time have keys that sign at any",
    async () => {
      const made = await Promise.all(
        [a, b, c].map(async (client) => generateKeys({ client }, await makeVault({ client }, cluster.nodes, 2))),
      )
      for (const [index, one] of made.entries()) {
        const client = [b, c, a][index] ?? a
        const { path, message } = solana(one, 1)
        const asked = await client.createSignRequest(one.vaultId, {
          ...body(0),
          messages: [{ bip32_path: path, msg_hash: `0x${toHex(message)}`, tweak: "" }],
        })
        const done = await client.signRequest(one.vaultId, asked.sign_request_id, 50)
        expect(done).toMatchObject({ status: "Completed", failed_reason: "" })
      }
    },
    LIMIT_MS,
  )

  test(
    "addresses of one wallet made at all at once are all different",
    async () => {
      const { wallet_id: id } = await a.createWallet(vault.vaultId, "of all")
      const made = await Promise.all(
        [a, b, c, a, b, c].map((client) => client.createAddresses(id, { chain_id: "ETH", count: 5 })),
      )
      expect(new Set(made.flat().map(({ address }) => address)).size).toBe(30)
      expect(new Set(made.flat().map(({ path }) => path)).size).toBe(30)
    },
    LIMIT_MS,
  )

  test(
    "transfers from one address made at all at once have nonces of their own, and go out once each",
    async () => {
      const { wallet_id: id } = await b.createWallet(vault.vaultId, "of transfers")
      const [from] = await c.createAddresses(id, { chain_id: "ETH", count: 1 })
      const source = { source_type: "Org-Controlled", wallet_id: id, address: from?.address }
      const to = { destination_type: "Address", account_output: { address: EXCHANGE, amount: "0.5" } }
      await Promise.all(
        [a, b, c, a, b, c].map((client) =>
          client.call(
            "POST",
            "/transactions/transfer",
            {},
            { request_id: randomUUID(), source, token_id: "ETH", destination: to },
          ),
        ),
      )
      await until("every transfer", async () => (chain.sent.length >= 6 ? true : undefined))
      const nonces = chain.sent.map((raw) => Transaction.from(raw).nonce)
      expect(nonces.toSorted((one, other) => one - other)).toEqual([7, 8, 9, 10, 11, 12])
    },
    LIMIT_MS,
  )

  test(
    "a webhook comes once, whichever wrote its event",
    async () => {
      const told: string[] = []
      const server = Bun.serve({
        ...{ hostname: "127.0.0.1", port: 0 },
        async fetch(request) {
          told.push(await request.text())
          return new Response("ok")
        },
      })
      try {
        await a.call(
          "POST",
          "/webhooks/endpoints",
          {},
          { url: server.url.href, subscribed_events: ["mpc_vaults.created"] },
        )
        // Until then the others may not know of it.
        await Bun.sleep(1_100)
        const names = ["one", "two", "three", "four", "five", "six"]
        for (const [index, name] of names.entries()) await ([a, b, c][index % 3] ?? a).createVault(`hooked ${name}`)
        const came = () => names.map((name) => told.filter((text) => text.includes(`hooked ${name}"`)).length)
        await until("every webhook", async () => (came().every((count) => count > 0) ? true : undefined))
        expect(came()).toEqual([1, 1, 1, 1, 1, 1])
      } finally {
        await server.stop(true)
      }
    },
    LIMIT_MS,
  )

  test(
    "people say at others what a request of one waits for",
    async () => {
      const people = (["carol", "alice", "bob"] as const).map((name) => ({
        name,
        key: sshTestKey("ssh-ed25519", name),
      }))
      const keyOf = (name: Keeper): string => must(people.find((one) => one.name === name)).key.line
      await cluster.configure(treasuryRules({ alice: keyOf("alice"), bob: keyOf("bob"), carol: keyOf("carol") }))
      const { sign_request_id: id } = await a.createSignRequest(vault.vaultId, {
        ...{ request_id: randomUUID(), deadline_seconds: 120 },
        ...payment("2", 0),
      })
      for (const [index, { name, key }] of people.entries()) {
        const client = [b, c, b][index] ?? b
        const task = await awaited(client, vault.vaultId, id)
        const { statement } = await wordOn(task, name, index === 0 ? "request" : "approve")
        const word = { statement, signature: { kind: "ssh", blob: key.sign(statement) } } as const
        await client.approve(vault.vaultId, id, signedJson(word))
      }
      expect(await ended(c, id)).toMatchObject({ status: "Completed", failed_reason: "" })
    },
    LIMIT_MS,
  )
})
