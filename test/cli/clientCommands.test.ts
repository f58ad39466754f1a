/** `cosigner client` against a WaaS that lies, or that is asked for what makes no sense: nothing of it is shown as true. */
import { describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { pointCompress } from "tiny-secp256k1"
import { HDKey, publicKeyToAddress } from "viem/accounts"
import { writeOrder } from "../../src/approvals/order.ts"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { fromHex, toHex } from "../../src/bytes.ts"
import { checkupDigest } from "../../src/keys/checkupSign.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { attestAddress } from "../../src/wire/attestation.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { sshTestKey } from "../support/approvers.ts"
import { partyNo } from "../support/nodeHome.ts"
import { type Answers, lyingWaas } from "./lyingWaas.ts"

const HD = HDKey.fromMasterSeed(new Uint8Array(32).fill(7))
const OTHER = HDKey.fromMasterSeed(new Uint8Array(32).fill(8))
const PATH = "m/44/60/0/0/5"
const VAULT = "/wallets/mpc/vaults/v"

const vaultWith = (...roots: readonly string[]) => ({
  ...{ vault_id: "v", name: "treasury", type: "Org-Controlled", created_timestamp: 1 },
  root_pubkeys: roots.map((root_pubkey) => ({ root_pubkey, curve: "SECP256K1" })),
})
const VAULT_ANSWER: Answers = { [`GET ${VAULT}`]: vaultWith(HD.publicExtendedKey) }

const signatureBy = (hd: HDKey, path: string, hash: string) => {
  const { privateKey, publicKey } = hd.derive(path)
  const message = fromHex(hash.slice(2)) ?? new Uint8Array()
  const signed = secp256k1.sign(message, privateKey!, { prehash: false, format: "recovered" })
  return {
    ...{ bip32_path: path, msg_hash: hash, tweak: "", public_key: toHex(publicKey!) },
    ...{ signature: toHex(signed.subarray(1)), signature_recovery: `0${signed[0]}` },
  }
}

interface AskedMessage {
  readonly bip32_path: string
  readonly msg_hash: string
}

/** A WaaS whose nodes sign with the keys of `hd`, what `change` makes of what was asked. */
function signing(hd: HDKey, change: (asked: AskedMessage) => AskedMessage = (asked) => asked, over: object = {}) {
  const request = (signatures: readonly unknown[], status: string) => ({
    ...{ sign_request_id: "s", request_id: "r", vault_id: "v", key_share_holder_group_id: "g", used_tss_node_ids: [] },
    ...{ curve: "SECP256K1", signature_type: 1, failed_reason: "", description: "" },
    ...{ created_timestamp: 1, updated_timestamp: 1, status, signatures },
    ...over,
  })
  let signatures: readonly unknown[] = []
  return {
    ...VAULT_ANSWER,
    [`POST ${VAULT}/sign_requests`]: (body: { readonly messages: readonly AskedMessage[] }) => {
      signatures = body.messages.map(change).map(({ bip32_path, msg_hash }) => signatureBy(hd, bip32_path, msg_hash))
      return request([], "Initializing")
    },
    [`GET ${VAULT}/sign_requests/s`]: () => request(signatures, "Completed"),
  }
}

describe("an order", () => {
  const key = sshTestKey("ssh-ed25519")
  const node = nodeIdOf(partyNo(0))
  const [until, notAfter, nonce] = [undefined, 2_000_000_000, "0".repeat(32)]
  const order = writeOrder({ kind: "freeze", node, about: "node", until, approver: "alice", notAfter, nonce })
  const signed = Buffer.from(order).toString() + armorSshsig(key.sign(order, "cosigner-freeze"))
  const posted: unknown[] = []
  const answers = { [`POST /wallets/mpc/nodes/${node}/orders`]: (body: unknown) => posted.push(body) && {} }

  test("goes to the node that it names, as it was signed", async () => {
    await using waas = lyingWaas(answers)
    const { exit, stdout } = await waas.client("order", waas.file("order", signed))
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: `Handed on: freeze, to ${node}\n` })
    expect(posted).toEqual([{ order: signed }])
  })
  test("that is none, or has no signature, is not sent", async () => {
    await using waas = lyingWaas(answers)
    const before = posted.length
    for (const text of [Buffer.from(order).toString(), signed.replace("freeze", "thaw")]) {
      const { exit, stderr } = await waas.client("order", waas.file("order", text))
      expect({ exit, stderr }).toEqual({ exit: 5, stderr: expect.stringContaining("E-POL-007") })
    }
    expect(posted).toHaveLength(before)
  })
})

describe("projects and names", () => {
  const project = { project_id: "p", name: "payments", participants: 3, threshold: 2, created_timestamp: 1 }
  const page = (...data: readonly unknown[]) => ({
    data,
    pagination: { before: "", after: "", total_count: data.length },
  })
  const echo = (over: object) => (body: object) => ({ ...over, ...body })
  test("a project is made, listed, shown and renamed, and a vault is made in it", async () => {
    await using waas = lyingWaas({
      "POST /wallets/mpc/projects": echo(project),
      "GET /wallets/mpc/projects": page(project),
      "GET /wallets/mpc/projects/p": project,
      "PUT /wallets/mpc/projects/p": echo(project),
      "POST /wallets/mpc/vaults": echo(vaultWith()),
    })
    const json = async (...args: readonly string[]) => {
      const { exit, stdout, stderr } = await waas.client(...args, "--json")
      expect([exit, stderr]).toEqual([0, ""])
      return JSON.parse(stdout)
    }
    const scheme = ["--threshold", "3", "--participants", "5"]
    const wanted = { name: "new", threshold: 3, participants: 5 }
    expect(await json("project", "create", "new", ...scheme)).toMatchObject(wanted)
    expect(await json("project", "list")).toEqual([project])
    expect(await json("project", "show", "p")).toEqual(project)
    expect(await json("project", "rename", "p", "other")).toMatchObject({ name: "other" })
    expect(await json("vault", "create", "v", "--project", "p")).toMatchObject({ name: "v", project_id: "p" })
    const lacking = await waas.client("project", "create", "new", "--threshold", "2")
    expect([lacking.exit, lacking.stderr]).toEqual([1, expect.stringContaining("E-CLI-002")])
  })
  test("a vault and a wallet are renamed; an answer about another vault is not believed", async () => {
    const wallet = { wallet_id: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", name: "old", vault_id: "v" }
    await using waas = lyingWaas({
      "PUT /wallets/mpc/vaults/v": echo(vaultWith(HD.publicExtendedKey)),
      "PUT /wallets/mpc/vaults/x": echo(vaultWith(OTHER.publicExtendedKey)),
      "PUT /wallets/w": echo(wallet),
    })
    const renamed = await waas.client("vault", "rename", "v", "cold")
    expect([renamed.exit, renamed.stdout]).toEqual([0, expect.stringContaining("v  cold\n")])
    const lied = await waas.client("vault", "rename", "x", "cold")
    expect([lied.exit, lied.stdout, lied.stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
    expect((await waas.client("wallet", "rename", "w", "new")).stdout).toBe("w  new  vault v\n")
  })
})

describe("sign", () => {
  const sign = ["sign", "--path", PATH, "--message", "hello", "--wait"]
  test("of the vault's key is shown, with what it says", async () => {
    await using waas = lyingWaas(signing(HD))
    const { exit, stdout } = await waas.client(...sign)
    expect(exit).toBe(0)
    expect(stdout).toMatch(/^signed: .*hello/)
  })
  test.each([
    ["another vault's key", signing(OTHER)],
    ["another message", signing(HD, (asked) => ({ ...asked, msg_hash: `0x${"ab".repeat(32)}` }))],
    ["another path", signing(HD, (asked) => ({ ...asked, bip32_path: "m/44/60/0/0/6" }))],
    ["another algorithm", signing(HD, undefined, { signature_type: 3 })],
  ])("of %s is not", async (_, answers) => {
    await using waas = lyingWaas(answers)
    const { exit, stdout, stderr } = await waas.client(...sign)
    expect({ exit, stdout, code: /E-CLI-\d+/.exec(stderr)?.[0] }).toEqual({ exit: 5, stdout: "", code: "E-CLI-032" })
  })
  test("what nodes declined ends with their reason, and what takes too long says so", async () => {
    const declined = { status: "Declined", failed_reason: "E-RSK-018 key_sign.allow: no entry covers it" }
    await using refused = lyingWaas(signing(HD, undefined, declined))
    const no = await refused.client(...sign)
    expect([no.exit, no.stderr]).toEqual([5, expect.stringMatching(/E-CLI-031 .*Declined: E-RSK-018/)])
    await using slow = lyingWaas(signing(HD, undefined, { status: "Approving" }))
    const late = await slow.client(...sign, "--timeout", "1")
    expect([late.exit, late.stderr]).toEqual([1, expect.stringMatching(/E-CLI-030 .*Approving after 1 s/)])
  })
  test.each([
    ["nothing to sign", ["--path", PATH]],
    ["two things to sign", ["--path", PATH, "--message", "a", "--digest", "00"]],
    ["no path", ["--message", "a"]],
    ["a message on a path of no chain", ["--path", "m/1/2", "--message", "a"]],
    ["a payload of no format", ["--path", PATH, "--payload", "tx.bin"]],
    ["a digest that is no hex", ["--path", PATH, "--digest", "0xzz"]],
  ])("%s is a mistake", async (_, args) => {
    await using waas = lyingWaas(VAULT_ANSWER)
    const { exit, stderr } = await waas.client("sign", ...args)
    expect([exit, stderr]).toEqual([1, expect.stringContaining("E-CLI-002")])
  })
})

describe("requests", () => {
  const page = (...data: readonly unknown[]) => ({
    data,
    pagination: { before: "", after: "", total_count: data.length },
  })
  const request = (hd: HDKey, over: object = {}) => ({
    ...{ sign_request_id: "s", request_id: "r", vault_id: "v", key_share_holder_group_id: "g", used_tss_node_ids: [] },
    ...{ curve: "SECP256K1", signature_type: 1, failed_reason: "", description: "rent", status: "Completed" },
    ...{ created_timestamp: 1_790_000_000_123, updated_timestamp: 1 },
    signatures: [signatureBy(hd, PATH, `0x${"ab".repeat(32)}`)],
    ...over,
  })
  test("are listed, and one whose signature is not of the vault is not shown", async () => {
    const open = request(HD, { sign_request_id: "t", status: "Approving", signatures: [], waiting_for: ["cosNode"] })
    const at = `GET ${VAULT}/sign_requests`
    await using waas = lyingWaas({ ...VAULT_ANSWER, [at]: page(open, request(HD)), [`${at}/t`]: open })
    const { stdout } = await waas.client("request", "list")
    expect(stdout.split("\n").slice(0, 2)).toEqual(
      ["t", "s"].map((id) => `${id}  2026-09-21T14:13:20Z  ${id === "s" ? "Completed" : "Approving"}  rent`),
    )
    expect((await waas.client("request", "show", "t")).stdout).toContain("Waiting for: cosNode")
    await using lying = lyingWaas({ ...VAULT_ANSWER, [at]: page(request(OTHER)) })
    const lied = await lying.client("request", "list")
    expect([lied.exit, lied.stdout, lied.stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
  })
  test("an answer about another request is not shown as the one that was asked for", async () => {
    const at = `GET ${VAULT}/sign_requests/mine`
    await using waas = lyingWaas({ ...VAULT_ANSWER, [at]: request(HD) })
    const { exit, stdout, stderr } = await waas.client("request", "show", "mine")
    expect([exit, stdout, stderr]).toEqual([5, "", expect.stringMatching(/E-CLI-032 .*asked for request mine/)])
    const tss = "1".repeat(32)
    await using keys = lyingWaas({ [`GET ${VAULT}/tss_requests/${tss}`]: { tss_request_id: "2", status: "Success" } })
    expect((await keys.client("request", "show", tss)).exit).toBe(5)
  })
})

describe("transfer", () => {
  const bob = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
  const fees = ["--nonce", "1", "--gas", "21000", "--max-fee", "20", "--priority-fee", "1"]
  const good = ["--path", PATH, "--chain", "ETH", "--to", bob, "--amount", "0.1 ETH", ...fees]
  const instead = (name: string, text: string) => good.map((word, i) => (good[i - 1] === name ? text : word))
  test.each([
    ["nobody who pays", good.slice(2)],
    ["an address with a wrong checksum", instead("--to", bob.replace("d8dA", "d8da"))],
    ["an amount of nothing", instead("--amount", "0 ETH")],
    ["more digits than there are", instead("--amount", "0.1234567890123456789 ETH")],
    ["an asset of another chain", instead("--amount", "0.1 BTC")],
    ["an asset that nobody named", instead("--amount", "5 USDC")],
    ["a chain without accounts of this kind", instead("--chain", "TRON")],
    ["neither fees nor an endpoint", good.slice(0, -2)],
    ["gas that costs nothing known", instead("--max-fee", "-1")],
    ["sending without an endpoint", [...good, "--broadcast", "--wait"]],
  ])("%s is a mistake", async (_, args) => {
    await using waas = lyingWaas(VAULT_ANSWER)
    const { exit, stderr } = await waas.client("transfer", ...args)
    expect([exit, stderr]).toEqual([1, expect.stringContaining("E-CLI-002")])
  })
  test("a signature by another key makes no transaction", async () => {
    await using waas = lyingWaas(signing(OTHER))
    const { exit, stdout, stderr } = await waas.client("transfer", ...good, "--wait")
    expect([exit, stdout, stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
  })
  test("a tip above the price is refused before anybody is asked", async () => {
    await using waas = lyingWaas(VAULT_ANSWER)
    const { exit, stderr } = await waas.client("transfer", ...instead("--priority-fee", "21"))
    expect([exit, stderr]).toEqual([4, expect.stringContaining("E-CLI-034")])
  })
})

test("a reshare after which the root key is another one is told, and not as a success", async () => {
  const request = { ...{ tss_request_id: "1".repeat(32), type: "KeyReshare", status: "Success" }, description: "" }
  let asked = 0
  await using waas = lyingWaas({
    [`POST ${VAULT}/tss_requests`]: request,
    [`GET ${VAULT}/tss_requests/${"1".repeat(32)}`]: request,
    [`GET ${VAULT}`]: () => vaultWith((asked++ === 0 ? HD : OTHER).publicExtendedKey),
  })
  const { exit, stdout, stderr } = await waas.client("group", "reshare", "g", "--wait")
  expect([exit, stdout, stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
})

describe("check-ups", () => {
  const share = secp256k1.utils.randomSecretKey()
  const publicKey = toHex(secp256k1.getPublicKey(share, true))
  const signed = (message: Uint8Array, key = share): string =>
    toHex(secp256k1.sign(checkupDigest(message), key, { prehash: false }))
  const group = {
    ...{ key_share_holder_group_id: "g", type: "MainGroup", status: "Valid", participants: 2, threshold: 2 },
    key_share_holders: ["a", "b"].map((tss_node_id) => ({ tss_node_id, name: tss_node_id, online: true })),
    tss_key_share_groups: [{ tss_key_share_group_id: "s", curve: "SECP256K1", root_pubkey: HD.publicExtendedKey }],
  }
  /** What node b answers; node a always proves what it should. */
  const answering = (shares: (message: Uint8Array) => readonly object[], over: object = {}): Answers => {
    const messages = new Map<string, Uint8Array>()
    const answer = (id: string) => () => ({
      ...{ key_share_sign_request_id: id, tss_node_id: id, message: "", status: "Completed", failed_reason: "" },
      shares: id === "a" ? honest(messages.get(id)!) : shares(messages.get(id)!),
      ...(id === "a" ? {} : over),
    })
    return {
      [`GET ${VAULT}/key_share_holder_groups/g`]: group,
      [`POST ${VAULT}/key_share_sign_requests`]: (body: { readonly tss_node_id: string; readonly message: string }) => {
        messages.set(body.tss_node_id, fromHex(body.message.slice(2))!)
        return answer(body.tss_node_id)()
      },
      [`GET ${VAULT}/key_share_sign_requests/a`]: answer("a"),
      [`GET ${VAULT}/key_share_sign_requests/b`]: answer("b"),
    }
  }
  const honest = (message: Uint8Array) => [
    { tss_key_share_group_id: "s", curve: "SECP256K1", share_public_key: publicKey, signature: signed(message) },
  ]
  test("of nodes that hold their shares end well", async () => {
    await using waas = lyingWaas(answering(honest))
    expect(await waas.client("group", "checkup", "g")).toMatchObject({ exit: 0 })
  })
  test.each<[string, (message: Uint8Array) => readonly object[], object]>([
    ["a signature of another message", () => honest(randomBytes(32)), {}],
    [
      "a signature by another share",
      (m) => [{ ...honest(m)[0], signature: signed(m, secp256k1.utils.randomSecretKey()) }],
      {},
    ],
    ["nothing about the key", () => [], {}],
    ["a refusal", () => [], { status: "Declined", failed_reason: "E-RSK-005" }],
  ])("with %s end with the node's name", async (_, shares, over) => {
    await using waas = lyingWaas(answering(shares, over))
    const { exit, stdout } = await waas.client("group", "checkup", "g")
    expect([exit, stdout]).toEqual([5, expect.stringMatching(/^a {2}holds its shares\nb {2}NOT PROVEN: /)])
  })
  test("of a node that the group has not are not asked for", async () => {
    await using waas = lyingWaas(answering(honest))
    const { exit, stderr } = await waas.client("group", "checkup", "g", "--node", "c")
    expect([exit, stderr]).toEqual([1, expect.stringContaining("E-CLI-011")])
  })
})

test("a new address that is somebody else's is not shown", async () => {
  const told = { chain_id: "ETH", path: PATH, encoding: "ENCODING_DEFAULT", pubkey: "", root_pubkey: "" }
  await using waas = lyingWaas({
    ...VAULT_ANSWER,
    "GET /wallets/w": { wallet_id: "w", vault_id: "v", name: "", wallet_type: "MPC", wallet_subtype: "" },
    "POST /wallets/w/addresses": [{ ...told, address: "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045" }],
  })
  const { exit, stdout, stderr } = await waas.client("address", "new", "w", "--chain", "ETH")
  expect([exit, stdout, stderr]).toEqual([5, "", expect.stringContaining("E-CLI-032")])
})

describe("addresses by the word of nodes", () => {
  const nodes = [1, 2, 3].map((seed) => identityOf(new Uint8Array(32).fill(seed)))
  const named = nodes.slice(0, 2).map(({ party }) => nodeIdOf(party))
  const profile = `nodes = ${JSON.stringify(named)}\nattestations = 2\n`
  const address = publicKeyToAddress(`0x${toHex(pointCompress(HD.derive(PATH).publicKey!, false))}`)
  const fields = {
    ...{ group_id: "OoQGkknsPdPjLCmSuuSf", epoch_id: "ab", root_key: HD.publicExtendedKey, path: PATH },
    ...{ encoding: "ENCODING_DEFAULT", chain: "eip155:1", address },
  }
  const by = (node: number, over: Partial<typeof fields> = {}) => attestAddress(nodes[node]!, { ...fields, ...over })
  const verified = async (attestations: readonly object[], more = profile, shown = address) => {
    await using waas = lyingWaas({}, more)
    const files = attestations.map((one, i) => waas.file(`${i}.json`, JSON.stringify(one)))
    const { exit, stderr } = await waas.client(
      ...["address", "verify", shown, ...files.flatMap((file) => ["--attestation", file])],
    )
    return [exit, /E-[A-Z]{3}-\d{3}/.exec(stderr)?.[0] ?? ""]
  }

  test("as many as the profile demands, by nodes that it names, prove it; epochs may differ", async () => {
    expect(await verified([by(0), by(1)])).toEqual([0, ""])
    expect(await verified([by(0), by(1, { epoch_id: "cd" })])).toEqual([0, ""])
  })
  test.each<[string, readonly object[]]>([
    ["too few", [by(0)]],
    ["one node twice", [by(0), by(0, { epoch_id: "cd" })]],
    ["a node that the profile does not name", [by(0), by(2)]],
    ["one that its node did not sign", [by(0), { ...by(1), epoch_id: "cd" }]],
    ["different paths", [by(0), by(1, { path: "m/44/60/0/0/6" })]],
    ["different roots", [by(0), by(1, { root_key: OTHER.publicExtendedKey })]],
    [
      "a root that the address does not follow from",
      [0, 1].map((node) => by(node, { root_key: OTHER.publicExtendedKey })),
    ],
    ["a chain that nobody knows", [0, 1].map((node) => by(node, { chain: "eip155:424242" }))],
  ])("%s: refused", async (_, attestations) => {
    expect(await verified(attestations)).toEqual([5, "E-CLI-032"])
  })
  test("another address than they attest, and a root that the profile does not name: refused", async () => {
    expect(await verified([by(0), by(1)], profile, "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045")).toEqual([
      5,
      "E-CLI-032",
    ])
    const pinned = `${profile}roots = ["${OTHER.publicExtendedKey}"]\n`
    expect(await verified([by(0), by(1)], pinned)).toEqual([5, "E-CLI-032"])
  })
  test("files that are none, and a profile without nodes, are mistakes", async () => {
    expect(await verified([{ a: 1 }, by(1)])).toEqual([1, "E-CLI-002"])
    expect(await verified([by(0), by(1)], "")).toEqual([1, "E-CLI-002"])
  })
})
