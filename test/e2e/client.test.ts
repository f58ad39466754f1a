/**
 * From nothing to a verified signature by `cosigner client` alone, on the real binary: profile, vault, group, keys, signatures; what
 * it refuses to believe, and how it ends when nodes refuse. Signatures are verified here by other implementations.
 */

import { expect, test } from "bun:test"
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  hashMessage,
  keccak256,
  parseEther,
  parseTransaction,
  recoverAddress,
  recoverMessageAddress,
  recoverTransactionAddress,
  serializeTransaction,
} from "viem"
import { generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import type { Ended } from "../support/binary.ts"
import { addressAt } from "./addresses.ts"
import { runBeside, runScanned, type ScannedDeployment, scannedDeployment } from "./deployment.ts"

const PATH = "m/44/60/0/0/5"

interface Caller {
  /** What the command says with --json, which must have ended well. */
  readonly json: (...args: readonly string[]) => Promise<Record<string, unknown>>
  readonly run: (...args: readonly string[]) => Promise<Ended>
}

/** Every command runs in the deployment's folder, where the profile is; the scanner reads what it says. */
function callerOf(it: ScannedDeployment): Caller {
  const run = (...args: readonly string[]): Promise<Ended> => runBeside(it, args)
  return {
    run,
    json: async (...args) => {
      const { exit, stdout, stderr } = await run(...args, "--json")
      expect({ args, exit, stderr: exit === 0 ? "" : stderr }).toEqual({ args, exit: 0, stderr: "" })
      return JSON.parse(stdout)
    },
  }
}

/** A profile in `folder` whose API key was made where it is used, and registered by its public half. */
async function makeProfile(
  { deployment, surveillance }: ScannedDeployment,
  { json }: Caller,
  { folder = ".", allowed = [] }: { readonly folder?: string; readonly allowed?: readonly string[] } = {},
): Promise<void> {
  const waas = await json("waas", "info", "--dir", "waas")
  mkdirSync(join(deployment.dir, folder), { recursive: true })
  const made = await json(
    ...["client", "init", "--profile", join(folder, "client.toml"), "--url", deployment.url],
    ...["--response-key", String(waas["response_key"])],
  )
  const file = join(deployment.dir, folder, "client.key")
  surveillance.leakScanner.secret("API key of a client", readFileSync(file, "utf8").trim())
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const key = ["--name", "client", "--public-key", String(made["public_key"]), ...allowed]
  await json("waas", "key", "create", "--dir", "waas", ...key)
}

const signatureOf = (request: Record<string, unknown>) => {
  const [one] = request["signatures"] as readonly { signature: string; signature_recovery: string }[]
  const { signature, signature_recovery } = one!
  const yParity = Number(signature_recovery)
  return { r: `0x${signature.slice(0, 64)}`, s: `0x${signature.slice(64)}`, yParity } as const
}

/** Says what an endpoint of that chain says, and keeps what it is sent. */
function evmEndpoint(chainId: string) {
  const sent: `0x02${string}`[] = []
  const answers: Readonly<Record<string, unknown>> = {
    eth_chainId: chainId,
    eth_getTransactionCount: "0x5",
    eth_estimateGas: "0x56ce",
    eth_maxPriorityFeePerGas: "0x3",
    eth_getBlockByNumber: { baseFeePerGas: "0xa" },
  }
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { method, params } = JSON.parse(await request.text())
      if (method === "eth_sendRawTransaction") sent.push(params[0])
      return Response.json({ jsonrpc: "2.0", id: 1, result: answers[method] ?? null })
    },
  })
  return { sent, url: `http://127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.stop(true) }
}

test("profile, vault, group, keys, a message and a transaction, each verified; refusals have their exit code", async () => {
  await using it = await scannedDeployment(2)
  const caller = callerOf(it)
  const { json, run } = caller
  await makeProfile(it, caller)

  const { vault_id: vaultId } = await json("client", "vault", "create", "treasury")
  const vault = ["--vault", String(vaultId)]
  const nodes = it.deployment.nodes.flatMap(({ name, nodeId }) => ["--node", `${name}=${nodeId}`])
  const group = await json("client", "group", "create", ...vault, "--threshold", "2", ...nodes)
  const groupId = String(group["key_share_holder_group_id"])
  await Promise.all(it.deployment.nodes.map((node) => it.deployment.startNode(node)))
  const made = await json("client", "group", "keygen", groupId, ...vault, "--wait")
  expect(made).toMatchObject({ status: "Success", root_pubkeys: [{ curve: "SECP256K1" }, { curve: "ED25519" }] })
  const roots = (made["root_pubkeys"] as readonly { root_pubkey: string }[]).map(({ root_pubkey }) => root_pubkey)
  const account = addressAt(roots[0] ?? "", PATH)

  const { wallet_id: walletId } = await json("client", "wallet", "create", "payouts", ...vault)
  const wallet = String(walletId)
  const addresses = async (...args: readonly string[]) =>
    (await json("client", "address", "new", wallet, ...args)) as unknown as readonly { address: string; path: string }[]
  const ethereum = await addresses("--chain", "ETH", "--count", "2")
  expect(ethereum.map(({ address }) => address)).toEqual(ethereum.map(({ path }) => addressAt(roots[0] ?? "", path)))
  const [taproot] = await addresses("--chain", "BTC", "--encoding", "ENCODING_P2TR")
  expect(taproot).toMatchObject({ address: expect.stringMatching(/^bc1p/), path: "m/86/0/0/0/0", verified: true })
  expect((await addresses("--chain", "SOL"))[0]?.path).toBe("m/44/501/0/0/0")
  const listed = await json("client", "address", "list", wallet, "--chain", "ETH")
  expect(listed).toMatchObject([{ verified: true }, { verified: true }])
  const mine = ethereum[1]!
  const place = { address: mine.address, path: mine.path, root_pubkey: roots[0], verified: true }
  expect(await json("client", "address", "verify", mine.address, "--wallet", wallet)).toEqual(place)

  const [shareGroup] = (await json("client", "group", "show", groupId, ...vault))["tss_key_share_groups"] as readonly {
    readonly tss_key_share_group_id: string
  }[]
  const place84 = ["--path", "m/84/0/0/0/3", "--chain", "BTC"]
  const files = it.deployment.nodes.map(({ name }) => `${name}.attestation`)
  for (const [i, node] of it.deployment.nodes.entries()) {
    const asked84 = ["info", "address", "--group-id", shareGroup?.tss_key_share_group_id ?? "", ...place84, "--json"]
    const { exit, stdout, stderr } = await runScanned(it.surveillance, node, asked84)
    expect([exit, stderr]).toEqual([0, ""])
    writeFileSync(join(it.deployment.dir, files[i] ?? ""), stdout)
  }
  const profile = join(it.deployment.dir, "client.toml")
  const named = JSON.stringify(it.deployment.nodes.map(({ nodeId }) => nodeId))
  writeFileSync(profile, readFileSync(profile, "utf8").replace(/^#?nodes = .*$/m, `nodes = ${named}`))
  const segwit = JSON.parse(readFileSync(join(it.deployment.dir, files[0] ?? ""), "utf8")).address
  const attested = (...given: readonly string[]) =>
    run("client", "address", "verify", segwit, ...given.flatMap((file) => ["--attestation", file]))
  const both = await attested(...files)
  expect([both.exit, both.stderr]).toEqual([0, ""])
  const alone = await attested(files[0] ?? "", files[0] ?? "")
  expect([alone.exit, alone.stderr]).toEqual([5, expect.stringContaining("1 of the profile's nodes attest")])

  const message = "Sign in to example.org"
  const signed = await json("client", "sign", ...vault, "--path", PATH, "--message", message, "--wait")
  expect(signed).toMatchObject({ status: "Completed", verified: true, text: [expect.stringContaining(message)] })
  expect(await recoverMessageAddress({ message, signature: signatureOf(signed) })).toBe(account)

  // one word to look for: the request's id stands in the log of WaaS, and in that of each node that signed
  const id = String(signed["sign_request_id"])
  const telling = [...new Bun.Glob("logs/*.log").scanSync({ cwd: it.deployment.dir })].filter((log) =>
    readFileSync(join(it.deployment.dir, log), "utf8").includes(id),
  )
  expect(telling.sort()).toEqual(["logs/node1.log", "logs/node2.log", "logs/waas.log"])

  const raw = serializeTransaction({
    ...{ type: "eip1559", chainId: 1, nonce: 7, to: account, value: parseEther("0.5") },
    ...{ gas: 21_000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n },
  })
  writeFileSync(join(it.deployment.dir, "tx.bin"), Buffer.from(raw.slice(2), "hex"))
  const format = ["--payload", "tx.bin", "--format", "evm/transaction"]
  // Asked for and left; the same id is the same request.
  const asked = ["client", "sign", ...vault, "--path", PATH, ...format, "--request-id", "payout-7"]
  const first = await json(...asked)
  expect(first).toMatchObject({ verified: false, intent_hash: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
  const again = await json(...asked)
  expect(again["sign_request_id"]).toBe(first["sign_request_id"])
  const shown = await json("client", "request", "show", String(first["sign_request_id"]), ...vault, "--wait")
  expect(shown).toMatchObject({ status: "Completed", verified: true })
  expect(await recoverAddress({ hash: keccak256(raw), signature: signatureOf(shown) })).toBe(account)

  const digest = await json("client", "sign", ...vault, "--path", PATH, "--digest", hashMessage("x"), "--wait")
  expect(digest).toMatchObject({ status: "Completed", text: [expect.stringContaining("nobody can read")] })

  const bob = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
  const pay = ["client", "transfer", ...vault, "--chain", "ETH", "--to", bob, "--amount", "0.1 ETH", "--wait"]
  const fees = ["--nonce", "8", "--gas", "21000", "--max-fee", "20.5", "--priority-fee", "1"]
  const paid = await json(...pay, "--path", PATH, ...fees)
  const serializedTransaction = String(paid["raw_tx"]) as `0x02${string}`
  expect(await recoverTransactionAddress({ serializedTransaction })).toBe(account)
  expect(parseTransaction(serializedTransaction)).toMatchObject({
    ...{ chainId: 1, nonce: 8, to: bob.toLowerCase(), value: parseEther("0.1"), gas: 21_000n },
    ...{ maxFeePerGas: 20_500_000_000n, maxPriorityFeePerGas: 1_000_000_000n },
  })
  expect(paid["transaction_hash"]).toBe(keccak256(serializedTransaction))
  await using endpoint = evmEndpoint("0x1")
  const sent = await json(...pay, "--from", mine.address, "--wallet", wallet, "--rpc-url", endpoint.url, "--broadcast")
  expect<readonly unknown[]>(endpoint.sent).toEqual([sent["raw_tx"]])
  expect(parseTransaction(endpoint.sent[0] ?? "0x02")).toMatchObject({ nonce: 5, gas: 22_222n, maxFeePerGas: 23n })
  await using other = evmEndpoint("0x89")
  const strayed = await run(...pay, "--path", PATH, "--rpc-url", other.url, "--broadcast")
  expect([strayed.exit, strayed.stderr, other.sent]).toEqual([4, expect.stringContaining("E-CLI-034"), []])

  expect(await json("client", "group", "checkup", groupId, ...vault)).toMatchObject([
    { proven: true },
    { proven: true },
  ])
  expect(await json("client", "nodes", ...vault)).toMatchObject([{ online: true }, { online: true }])
  expect(await json("client", "vault", "list")).toMatchObject([{ vault_id: vaultId }])
  const refreshed = await json("client", "group", "reshare", groupId, ...vault, "--wait")
  expect(refreshed["root_pubkeys"]).toEqual(made["root_pubkeys"])

  // A mainnet transaction under a testnet's path: read here first, and never asked for.
  const elsewhere = await run("client", "sign", ...vault, "--path", "m/44/195/0/0/5", ...format)
  expect([elsewhere.exit, elsewhere.stderr]).toEqual([5, expect.stringContaining("E-INT-004")])
  const gone = await run("client", "request", "show", "00000000-0000-4000-8000-000000000000", ...vault)
  expect([gone.exit, gone.stderr]).toEqual([5, expect.stringContaining("error 2028")])
  const nobody = await run("client", "vault", "list", "--profile", "nowhere.toml")
  expect([nobody.exit, nobody.stderr]).toEqual([2, expect.stringContaining("E-CFG-001")])
}, 120_000)

test("a client believes no root that its profile does not name, and no answer of another WaaS", async () => {
  await using it = await scannedDeployment(2)
  const caller = callerOf(it)
  const { json, run } = caller
  await makeProfile(it, caller)
  const { deployment } = it
  const bound = await makeVault(deployment, deployment.nodes, 2)
  await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
  const { vaultId, roots } = await generateKeys(deployment, bound)
  const profile = join(deployment.dir, "client.toml")
  const before = readFileSync(profile, "utf8")
  const sign = () => run("client", "sign", "--vault", vaultId, "--path", PATH, "--message", "hello", "--wait")
  const withRoots = (list: readonly (string | undefined)[]): void =>
    writeFileSync(profile, before.replace(/^#?roots = .*$/m, `roots = ${JSON.stringify(list)}`))

  const stranger =
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
  withRoots([stranger])
  const refused = await sign()
  expect([refused.exit, refused.stdout, refused.stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
  withRoots([roots.secp256k1, roots.ed25519])
  expect(await json("client", "vault", "show", vaultId)).toMatchObject({ roots_named_by_profile: true })
  expect((await sign()).exit).toBe(0)
  const own = addressAt(roots.secp256k1 ?? "", PATH)
  const verify = (address: string) => run("client", "address", "verify", address, "--path", PATH, "--chain", "ETH")
  expect((await verify(own)).exit).toBe(0)
  const theirs = await verify("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045")
  expect([theirs.exit, theirs.stderr]).toEqual([5, expect.stringContaining("E-CLI-032")])

  // What a key may not do, and where it may not be used from, WaaS refuses whoever asks.
  for (const [folder, allowed, mayRead] of [
    ["reader", ["--role", "read"], true],
    ["elsewhere", ["--from", "203.0.113.0/24"], false],
  ] as const) {
    await makeProfile(it, caller, { folder, allowed })
    const by = ["--profile", join(folder, "client.toml"), "--vault", vaultId]
    const asked = await run("client", "sign", ...by, "--path", PATH, "--message", "hello")
    expect([asked.exit, asked.stderr]).toEqual([5, expect.stringContaining("error 2025")])
    expect((await run("client", "nodes", ...by)).exit).toBe(mayRead ? 0 : 5)
  }

  writeFileSync(profile, before.replace(/^response_key = .*$/m, `response_key = "${"11".repeat(32)}"`))
  const forged = await sign()
  expect([forged.exit, forged.stderr]).toEqual([4, expect.stringContaining("E-WAA-013")])
}, 120_000)
