/**
 * Projects, wallets and addresses over REST. Addresses are derived again by other implementations: ethers for keys and EVM,
 * bitcoinjs for Bitcoin, tronweb for TRON.
 */
import { expect, test } from "bun:test"
import { initEccLib, networks, payments } from "bitcoinjs-lib"
import { computeAddress, HDNodeVoidWallet, HDNodeWallet } from "ethers"
import * as ecc from "tiny-secp256k1"
import { encodeBase58 } from "../../../src/keys/base58.ts"
import { deriveTweak } from "../../../src/keys/derive.ts"
import { decodeExtendedPublicKey } from "../../../src/keys/extendedKey.ts"
import { parsePath } from "../../../src/keys/path.ts"
import { must, Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

initEccLib(ecc)
// its modules find one another through globals, in the order of `require`
const { utils } = require("tronweb") as typeof import("tronweb")

const WALLETS = "/v2/wallets"
const PROJECTS = "/v2/wallets/mpc/projects"

async function withWallet(rig: Rig) {
  const caller = await Caller.of(rig)
  const made = await rig.madeVault()
  const body = { name: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", vault_id: made.vault.vaultId }
  const wallet = (await caller.post(WALLETS, body)).json
  return { caller, ...made, wallet, path: `${WALLETS}/${wallet.wallet_id}` }
}

/** The key at `path`, by another implementation of BIP-32. */
function childKey(xpub: string, path: string): Buffer<ArrayBuffer> {
  const root = HDNodeWallet.fromExtendedKey(xpub)
  if (!(root instanceof HDNodeVoidWallet)) throw new Error("the root is a private key")
  return Buffer.from(root.derivePath(path.slice(2)).publicKey.slice(2), "hex")
}

test("a wallet is made, shown, renamed, listed and deleted", async () => {
  await using rig = await Rig.open()
  const { caller, vault, wallet, path } = await withWallet(rig)
  const { orgId } = await rig.store.organisation()
  expect(wallet).toEqual({
    wallet_id: expect.any(String),
    wallet_type: "MPC",
    wallet_subtype: "Org-Controlled",
    name: "w",
    org_id: orgId,
    enable_auto_sweep: false,
    vault_id: vault.vaultId,
    vault_name: "v",
  })
  const renamed = await caller.call("PUT", path, { body: { wallet_type: "MPC", name: "new" } })
  expect(renamed.json).toEqual({ ...wallet, name: "new" })
  expect((await caller.get(path)).json).toEqual(renamed.json)
  const all = (await caller.get(WALLETS)).json
  expect(all).toEqual({ data: [renamed.json], pagination: { before: "", after: "", total_count: 1 } })
  expect((await caller.get(WALLETS, ["wallet_type", "Custodial"])).json.data).toEqual([])
  expect((await caller.get(WALLETS, ["vault_id", "another"])).json.data).toEqual([])
  expect((await caller.get(WALLETS, ["wallet_subtype", "User-Controlled"])).json.data).toEqual([])
  expect((await caller.get(WALLETS, ["wallet_subtype", "Org-Controlled"])).json.data).toHaveLength(1)
  expect((await caller.post(`${path}/delete`)).json).toEqual({ submitted: true })
  expect((await caller.get(path)).json.error_code).toBe(2028)
  expect((await caller.get(WALLETS)).json.data).toEqual([])
})

test("a wallet is of a vault that is there, and of its kind", async () => {
  await using rig = await Rig.open()
  const { caller, vault } = await withWallet(rig)
  const body = { name: "w", wallet_type: "MPC", wallet_subtype: "User-Controlled", vault_id: vault.vaultId }
  expect((await caller.post(WALLETS, body)).json.error_code).toBe(2006)
  expect((await caller.post(WALLETS, { ...body, vault_id: "none" })).json.error_code).toBe(2028)
  expect((await caller.post(WALLETS, { ...body, wallet_type: "Custodial" })).json.error_code).toBe(2006)
})

test.each([
  ["ETH", undefined, "m/44/60/0/0/0", (key: Buffer<ArrayBuffer>) => computeAddress(`0x${key.toString("hex")}`)],
  ["BTC", undefined, "m/84/0/0/0/0", (pubkey: Buffer<ArrayBuffer>) => payments.p2wpkh({ pubkey }).address],
  ["BTC", "ENCODING_P2PKH", "m/44/0/0/0/0", (pubkey: Buffer<ArrayBuffer>) => payments.p2pkh({ pubkey }).address],
  [
    "BTC",
    "ENCODING_P2SH_P2WPKH",
    "m/49/0/0/0/0",
    (pubkey: Buffer<ArrayBuffer>) => payments.p2sh({ redeem: payments.p2wpkh({ pubkey }) }).address,
  ],
  [
    "BTC",
    "ENCODING_P2TR",
    "m/86/0/0/0/0",
    (key: Buffer<ArrayBuffer>) => payments.p2tr({ internalPubkey: key.subarray(1) }).address,
  ],
  [
    "XTN",
    "ENCODING_BECH32",
    "m/84/1/0/0/0",
    (pubkey: Buffer<ArrayBuffer>) => payments.p2wpkh({ pubkey, network: networks.testnet }).address,
  ],
  [
    "XTN",
    "ENCODING_P2PKH",
    "m/44/1/0/0/0",
    (pubkey: Buffer<ArrayBuffer>) => payments.p2pkh({ pubkey, network: networks.testnet }).address,
  ],
  ["TRON", undefined, "m/44/195/0/0/0", (key: Buffer<ArrayBuffer>) => tronAddressOf(key)],
] as const)("addresses of %s %p are those of other implementations", async (chain_id, encoding, path, expected) => {
  await using rig = await Rig.open({ chains: ["ETH", "BTC", "XTN", "TRON"].map((id) => ({ id })) })
  const { caller, vault, path: wallet } = await withWallet(rig)
  const asked = await caller.post(`${wallet}/addresses`, {
    chain_id,
    count: 3,
    ...(encoding === undefined ? {} : { encoding }),
  })
  expect(asked.status).toBe(201)
  const xpub = must(vault.rootKeys.find(({ curve }) => curve === "SECP256K1")).rootPubkey
  for (const [index, address] of asked.json.entries()) {
    const at = path.replace(/0$/, String(index))
    expect(address).toMatchObject({ chain_id, path: at, root_pubkey: xpub, address: expected(childKey(xpub, at)) })
    expect(Buffer.from(decodeExtendedPublicKey(address.pubkey).publicKey)).toEqual(childKey(xpub, at))
  }
  expect((await caller.get(`${wallet}/addresses`)).json.data).toEqual(asked.json.toReversed())
})

function tronAddressOf(key: Buffer<ArrayBuffer>): string {
  const uncompressed = ecc.pointCompress(key, false)
  return utils.crypto.getBase58CheckAddress(utils.crypto.computeAddress([...uncompressed]))
}

test("a Solana address is the child key itself", async () => {
  await using rig = await Rig.open()
  const { caller, vault, path } = await withWallet(rig)
  const [address] = (await caller.post(`${path}/addresses`, { chain_id: "SOL", count: 1 })).json
  const root = decodeExtendedPublicKey(must(vault.rootKeys.find(({ curve }) => curve === "ED25519")).rootPubkey)
  const { publicKey } = deriveTweak("ed25519", root.publicKey, root.chainCode, parsePath("m/44/501/0/0/0"))
  expect(address).toMatchObject({
    path: "m/44/501/0/0/0",
    address: encodeBase58(publicKey),
    encoding: "ENCODING_DEFAULT",
  })
})

test("a path is never used twice: not by another wallet of the vault, not after a delete, not by calls at once, not after a crash", async () => {
  await using rig = await Rig.open()
  const { caller, vault, path } = await withWallet(rig)
  const body = { name: "x", wallet_type: "MPC", wallet_subtype: "Org-Controlled", vault_id: vault.vaultId }
  const other = `${WALLETS}/${(await caller.post(WALLETS, body)).json.wallet_id}`
  const ask = (wallet: string) => caller.post(`${wallet}/addresses`, { chain_id: "ETH", count: 5 })
  const answers = [await ask(path), await ask(other), ...(await Promise.all([ask(path), ask(other), ask(path)]))]
  await caller.post(`${path}/delete`)
  await rig.crash()
  answers.push(await ask(other))
  const paths = answers.flatMap(({ json }) => json.map((address: { path: string }) => address.path))
  expect(new Set(paths).size).toBe(30)
  expect(paths.toSorted((a, b) => Number(a.split("/").at(-1)) - Number(b.split("/").at(-1))).at(-1)).toBe(
    "m/44/60/0/0/29",
  )
})

test("a path whose address could not be written is not given out again", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await withWallet(rig)
  rig.failCommits = true
  expect((await caller.post(`${path}/addresses`, { chain_id: "ETH", count: 1 })).status).toBe(500)
  rig.failCommits = false
  expect((await caller.post(`${path}/addresses`, { chain_id: "ETH", count: 1 })).json[0].path).toBe("m/44/60/0/0/1")
})

test("addresses are filtered by chain and address", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await withWallet(rig)
  const eth = (await caller.post(`${path}/addresses`, { chain_id: "ETH", count: 2 })).json
  const btc = (await caller.post(`${path}/addresses`, { chain_id: "BTC", count: 1 })).json
  const list = async (...query: (readonly [string, string])[]) =>
    (await caller.get(`${path}/addresses`, ...query)).json.data
  expect(await list(["chain_ids", "BTC"])).toEqual(btc)
  expect(await list(["chain_ids", "BTC,ETH"])).toHaveLength(3)
  expect(await list(["addresses", eth[1].address])).toEqual([eth[1]])
  expect(await list(["chain_ids", "BTC"], ["addresses", eth[1].address])).toEqual([])
})

test.each([
  [{ chain_id: "DOGE", count: 1 }, 2006],
  [{ chain_id: "SETH", count: 1 }, 2006],
  [{ chain_id: "ETH", count: 51 }, 2006],
  [{ chain_id: "ETH", count: 0 }, 2006],
  [{ chain_id: "ETH", count: 1, encoding: "ENCODING_P2TR" }, 2006],
  [{ chain_id: "BTC", count: 1, encoding: "ENCODING_P2SH_P2MS" }, 2006],
])("%j makes no address", async (body, code) => {
  await using rig = await Rig.open()
  const { caller, path } = await withWallet(rig)
  expect((await caller.post(`${path}/addresses`, body)).json.error_code).toBe(code)
})

test("a vault without keys has no addresses yet", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const { vaultId } = await rig.vault()
  const body = { name: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", vault_id: vaultId }
  const wallet = (await caller.post(WALLETS, body)).json.wallet_id
  expect((await caller.post(`${WALLETS}/${wallet}/addresses`, { chain_id: "ETH", count: 1 })).json.error_code).toBe(
    2029,
  )
})

test("chains: what is known, what is enabled, one of them", async () => {
  await using rig = await Rig.open({ chains: [{ id: "SETH" }, { id: "LOCAL", caip2: "eip155:31337", symbol: "GO" }] })
  const caller = await Caller.of(rig)
  const ids = (answer: { json: { data: { chain_id: string }[] } }) => answer.json.data.map(({ chain_id }) => chain_id)
  expect(ids(await caller.get(`${WALLETS}/enabled_chains`))).toEqual(["SETH", "LOCAL"])
  expect(ids(await caller.get(`${WALLETS}/enabled_chains`, ["wallet_type", "Custodial"]))).toEqual([])
  expect(ids(await caller.get(`${WALLETS}/chains`))).toContain("BTC")
  expect(ids(await caller.get(`${WALLETS}/chains`, ["chain_ids", "BTC,LOCAL"]))).toEqual(["LOCAL", "BTC"])
  expect((await caller.get(`${WALLETS}/chains/LOCAL`)).json).toEqual({
    chain_id: "LOCAL",
    symbol: "GO",
    require_memo: false,
    caip2_chain_id: "eip155:31337",
  })
  expect((await caller.get(`${WALLETS}/chains/NONE`)).json.error_code).toBe(2028)
})

test("a project fixes participants and threshold of its vaults' main groups", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  expect((await caller.post(PROJECTS, { name: "p", participants: 2, threshold: 3 })).json.error_code).toBe(2006)
  const project = (await caller.post(PROJECTS, { name: "p", participants: 3, threshold: 2 })).json
  const { orgId } = await rig.store.organisation()
  expect(project).toMatchObject({ org_id: orgId, name: "p", participants: 3, threshold: 2 })
  const renamed = await caller.call("PUT", `${PROJECTS}/${project.project_id}`, { body: { name: "q" } })
  expect(renamed.json).toEqual({ ...project, name: "q" })
  expect((await caller.get(PROJECTS)).json.data).toEqual([renamed.json])
  expect((await caller.get(`${PROJECTS}/none`)).json.error_code).toBe(2028)
  const newVault = { name: "v", vault_type: "User-Controlled", project_id: project.project_id }
  const vault = (await caller.post("/v2/wallets/mpc/vaults", newVault)).json
  expect(vault.project_id).toBe(project.project_id)
  expect((await caller.post("/v2/wallets/mpc/vaults", { ...newVault, project_id: "none" })).json.error_code).toBe(2028)
  const group = (threshold: number) => ({
    key_share_holder_group_type: "MainGroup",
    participants: 3,
    threshold,
    key_share_holders: rig.nodes.map(({ id }, nth) => ({ name: `n${nth}`, type: "API", tss_node_id: id })),
  })
  const groups = `/v2/wallets/mpc/vaults/${vault.vault_id}/key_share_holder_groups`
  expect((await caller.post(groups, group(3))).json.error_code).toBe(2006)
  expect((await caller.post(groups, group(2))).status).toBe(201)
})

test("wallets and addresses are told to webhooks", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await withWallet(rig)
  const events = ["wallets.updated", "wallets.addresses.created"]
  const hook = (
    await caller.post("/v2/webhooks/endpoints", { url: "https://hooks.example.com/", subscribed_events: events })
  ).json
  await caller.call("PUT", path, { body: { wallet_type: "MPC", name: "new" } })
  const made = (await caller.post(`${path}/addresses`, { chain_id: "BTC", count: 2 })).json
  const told = (await caller.get(`/v2/webhooks/endpoints/${hook.endpoint_id}/events`)).json.data
  expect(told.map(({ type }: { type: string }) => type)).toEqual(events.toReversed())
  expect(told[0].data.addresses).toHaveLength(2)
  expect(told[0].data.addresses[0]).toMatchObject(made[0])
  expect(told[1].data.wallet.name).toBe("new")
})

test("balances are not served, and say why", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await withWallet(rig)
  const answer = await caller.get(`${path}/tokens`, ["limit", "10"])
  expect([answer.status, answer.json.error_code]).toEqual([404, 2021])
  expect(answer.json.error_message).toContain("WaaS does not watch chains")
})
