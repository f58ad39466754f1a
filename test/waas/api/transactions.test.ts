/**
 * Transactions over REST: messages, each verified by another implementation (ethers, bitcoinjs), and what callers and risk
 * control are told of them (formats.md 7.5).
 */
import { expect, test } from "bun:test"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import {
  Transaction as BitcoinTransaction,
  address as bitcoinAddress,
  crypto as bitcoinHash,
  initEccLib,
} from "bitcoinjs-lib"
import { verifyMessage, verifyTypedData } from "ethers"
import * as ecc from "tiny-secp256k1"
import { decodeExtendedPublicKey } from "../../../src/keys/extendedKey.ts"
import { decodeTask, type Task } from "../../../src/wire/task.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"
import { must, Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

initEccLib(ecc)

const TRANSACTIONS = "/v2/transactions"
const TEXT = "hello, co-signer"
const HELLO = Buffer.from(TEXT).toString("base64")
const HEX = Buffer.from(TEXT).toString("hex")
const TYPED = {
  domain: { name: "Mail", version: "1", chainId: 1 },
  types: {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
    ],
    Note: [{ name: "text", type: "string" }],
  },
  primaryType: "Note",
  message: { text: TEXT },
}

async function withAddress(rig: Rig, chain_id = "ETH", encoding?: string) {
  const caller = await Caller.of(rig)
  for (const node of rig.nodes) {
    const token = { incarnation: 0, boot: 1, bootId: "b", generation: 1, versions: { ...VERSIONS, link: 2 } }
    await rig.engine.admitFencingToken(node.id, token)
  }
  const made = await rig.madeVault()
  const body = { name: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", vault_id: made.vault.vaultId }
  const wallet = (await caller.post("/v2/wallets", body)).json
  const asked = { chain_id, count: 1, ...(encoding === undefined ? {} : { encoding }) }
  const [address] = (await caller.post(`/v2/wallets/${wallet.wallet_id}/addresses`, asked)).json
  const source = { source_type: "Org-Controlled", wallet_id: wallet.wallet_id, address: address.address }
  const signing = (destination: object, more: object = {}) =>
    caller.post(`${TRANSACTIONS}/message_sign`, {
      request_id: crypto.randomUUID(),
      chain_id,
      source,
      destination,
      ...more,
    })
  return { caller, ...made, wallet, address, source, signing }
}

/** The transaction after its nodes did their work. */
async function signed(rig: Rig, { caller }: { caller: Caller }, answer: { json: { transaction_id: string } }) {
  await rig.relay.settle()
  const found = (await caller.get(`${TRANSACTIONS}/${answer.json.transaction_id}`)).json
  expect([found.status, found.failed_reason]).toEqual(["Completed", undefined])
  return found
}

/** What nodes were sent. */
async function taskOf(rig: Rig, answer: { json: { transaction_id: string } }): Promise<Task> {
  const request = must(await rig.store.signRequest(answer.json.transaction_id))
  const task = decodeTask(must(await rig.store.task(must(request.taskIds[0]))).document)
  if (!("type" in task)) throw new Error(`not a task: ${JSON.stringify(task)}`)
  return task
}

test("a personal message is signed for the address that was asked", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const destination = { destination_type: "EVM_EIP_191_Signature", message: HELLO }
  const asked = await at.signing(destination, { description: "login", category_names: ["ops"] })
  expect(asked.status).toBe(201)
  expect(asked.json).toEqual({
    request_id: expect.any(String),
    transaction_id: expect.any(String),
    status: "PendingSignature",
  })
  const found = await signed(rig, at, asked)
  expect(found).toMatchObject({
    type: "MessageSign",
    chain_id: "ETH",
    wallet_id: at.wallet.wallet_id,
    source: at.source,
    destination,
    description: "login",
    category: ["ops"],
    initiator_type: "API",
    sub_status: "SignatureVerificationSuccess",
  })
  expect(verifyMessage(TEXT, found.result.signature)).toBe(at.address.address)
})

test("typed data is signed; nodes are told its chain, and payload and transaction agree", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const asked = await at.signing({ destination_type: "EVM_EIP_712_Signature", structured_data: TYPED })
  const found = await signed(rig, at, asked)
  const { EIP712Domain: _, ...types } = TYPED.types
  expect(verifyTypedData(TYPED.domain, types, TYPED.message, found.result.signature)).toBe(at.address.address)
  const task = await taskOf(rig, asked)
  if (task.type !== "KeySign" || task.payloads === undefined) throw new Error("not a signing task with payloads")
  expect(task.biz_task_id).toBe(asked.json.transaction_id)
  expect(task.payloads[0]?.format).toBe("evm/typed-data")
  expect(task.extra_info).toMatchObject({
    wallet: { wallet_id: at.wallet.wallet_id },
    transaction: { transaction_id: asked.json.transaction_id },
  })
})

/** The transactions of BIP-322 by bitcoinjs: to_spend, whose output the message is bound to, and to_sign, which spends it. */
function virtualTransaction(message: string, address: string) {
  const tag = bitcoinHash.sha256(Buffer.from("BIP0322-signed-message"))
  const digest = bitcoinHash.sha256(Buffer.concat([tag, tag, Buffer.from(message)]))
  const script = bitcoinAddress.toOutputScript(address)
  const toSpend = new BitcoinTransaction()
  toSpend.version = 0
  toSpend.addInput(Buffer.alloc(32), 0xffffffff, 0, Buffer.concat([Buffer.from([0, 32]), digest]))
  toSpend.addOutput(script, 0n)
  const toSign = new BitcoinTransaction()
  toSign.version = 0
  toSign.addInput(toSpend.getHash(), 0, 0)
  toSign.addOutput(Buffer.from([0x6a]), 0n)
  return { toSign, script }
}

test("BIP-322 with native segwit: the witness signs the virtual transaction of the address", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig, "BTC")
  const asked = await at.signing({ destination_type: "BTC_BIP_322_Signature", message_bip322: HEX })
  const witness = Buffer.from((await signed(rig, at, asked)).result.signature, "base64")
  const length = must(witness[1])
  const der = witness.subarray(2, 2 + length - 1)
  const key = Buffer.from(decodeExtendedPublicKey(at.address.pubkey).publicKey)
  expect([witness[0], witness[1 + length], witness.subarray(3 + length)]).toEqual([2, 1, key])
  const { toSign } = virtualTransaction(TEXT, at.address.address)
  const code = Buffer.concat([Buffer.from("76a914", "hex"), bitcoinHash.hash160(key), Buffer.from("88ac", "hex")])
  const hash = toSign.hashForWitnessV0(0, code, 0n, 1)
  expect(secp256k1.verify(Uint8Array.from(der), hash, key, { prehash: false, format: "der" })).toBe(true)
})

test("BIP-322 with Taproot: a key path signature under the address's output key", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig, "BTC", "ENCODING_P2TR")
  const asked = await at.signing({ destination_type: "BTC_BIP_322_Signature", message_bip322: `0x${HEX}` })
  const witness = Buffer.from((await signed(rig, at, asked)).result.signature, "base64")
  expect([...witness.subarray(0, 2)]).toEqual([1, 64])
  const { toSign, script } = virtualTransaction(TEXT, at.address.address)
  const hash = toSign.hashForWitnessV1(0, [script], [0n], 0)
  expect(schnorr.verify(Uint8Array.from(witness.subarray(2)), hash, Uint8Array.from(script.subarray(2)))).toBe(true)
})

test.each([
  ["ENCODING_P2PKH", 31],
  ["ENCODING_P2SH_P2WPKH", 35],
  ["ENCODING_BECH32", 39],
])(
  "BIP-137 with %s: the key is recovered from the signature, whose first byte tells the form",
  async (encoding, header) => {
    await using rig = await Rig.open()
    const at = await withAddress(rig, "BTC", encoding)
    const asked = await at.signing({ destination_type: "BTC_BIP_137_Signature", message_bip137: HEX })
    const bytes = Buffer.from((await signed(rig, at, asked)).result.signature, "base64")
    const recovery = must(bytes[0]) - header
    expect([0, 1]).toContain(recovery)
    const text = Buffer.concat([
      Buffer.from("\x18Bitcoin Signed Message:\n"),
      Buffer.from([TEXT.length]),
      Buffer.from(TEXT),
    ])
    const hash = bitcoinHash.hash256(text)
    const recovered = secp256k1.recoverPublicKey(Uint8Array.from([recovery, ...bytes.subarray(1)]), hash, {
      prehash: false,
    })
    expect(Buffer.from(recovered)).toEqual(Buffer.from(decodeExtendedPublicKey(at.address.pubkey).publicKey))
  },
)

test("a raw hash has no payload: nodes read nothing, and only rules let it pass", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const asked = await at.signing({ destination_type: "Raw_Message_Signature", msg_hash: `0x${"17".repeat(32)}` })
  expect(await taskOf(rig, asked)).not.toHaveProperty("payloads")
  expect((await signed(rig, at, asked)).result.signature).toMatch(/^0x[0-9a-f]{130}$/)
})

test.each([
  ["ETH", undefined, { destination_type: "BTC_BIP_322_Signature", message_bip322: HEX }],
  ["BTC", undefined, { destination_type: "EVM_EIP_191_Signature", message: HELLO }],
  ["ETH", undefined, { destination_type: "EVM_EIP_191_Signature", message: "" }],
  ["BTC", "ENCODING_P2PKH", { destination_type: "BTC_BIP_322_Signature", message_bip322: HEX }],
  ["BTC", "ENCODING_P2TR", { destination_type: "BTC_BIP_137_Signature", message_bip137: HEX }],
  ["ETH", undefined, { destination_type: "EVM_EIP_191_Signature", message: "not base64!" }],
  ["ETH", undefined, { destination_type: "EVM_EIP_712_Signature", structured_data: { types: {} } }],
  ["ETH", undefined, { destination_type: "Raw_Message_Signature", msg_hash: "0x17" }],
  ["ETH", undefined, { destination_type: "COSMOS_ADR_36_Signature", message_cosmos_adr36: "" }],
])("on %s %p, %j is refused", async (chain, encoding, destination) => {
  await using rig = await Rig.open()
  const at = await withAddress(rig, chain, encoding)
  const answer = await at.signing(destination)
  expect([answer.status, answer.json.error_code]).toEqual([400, 2006])
  expect((await at.caller.get(TRANSACTIONS)).json.pagination.total_count).toBe(0)
})

test("an address signs only for its wallet, on its chain", async () => {
  await using rig = await Rig.open({ chains: [{ id: "ETH" }, { id: "BASE_ETH" }] })
  const at = await withAddress(rig)
  const destination = { destination_type: "EVM_EIP_191_Signature", message: HELLO }
  const refused = async (more: object) => (await at.signing(destination, more)).json.error_code
  expect(await refused({ source: { ...at.source, address: `0x${"11".repeat(20)}` } })).toBe(2006)
  expect(await refused({ chain_id: "BASE_ETH" })).toBe(2006)
  expect(await refused({ chain_id: "SOL" })).toBe(2006)
  expect(await refused({ source: { ...at.source, wallet_id: "none" } })).toBe(2028)
  expect(
    (await at.signing(destination, { source: { ...at.source, address: at.address.address.toLowerCase() } })).status,
  ).toBe(201)
})

test("a request that is repeated is one transaction; another under its id is refused", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const destination = { destination_type: "EVM_EIP_191_Signature", message: HELLO }
  const [first, second] = await Promise.all([1, 2].map(() => at.signing(destination, { request_id: "same" })))
  expect(must(second).json.transaction_id).toBe(must(first).json.transaction_id)
  const other = await at.signing({ ...destination, message: "AA==" }, { request_id: "same" })
  expect(other.json.error_code).toBe(30001)
  expect((await at.caller.get(TRANSACTIONS)).json.pagination.total_count).toBe(1)
})

test("a refusal, a failure and a cancellation are told, to webhooks too", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const types = ["wallets.transaction.created", "wallets.transaction.failed", "wallets.transaction.succeeded"]
  const hook = { url: "https://hooks.example.com/", subscribed_events: types }
  const endpoint = (await at.caller.post("/v2/webhooks/endpoints", hook)).json.endpoint_id
  const destination = { destination_type: "EVM_EIP_191_Signature", message: HELLO }
  for (const node of rig.nodes) node.behaviour.decide = () => "reject"
  const refused = await at.signing(destination)
  await rig.relay.settle()
  const { transaction_id } = refused.json
  const after = (await at.caller.get(`${TRANSACTIONS}/${transaction_id}`)).json
  expect(after).toMatchObject({
    status: "Rejected",
    sub_status: "RejectedBySigner",
    failed_reason: expect.stringMatching(/^E-/),
  })
  for (const node of rig.nodes) node.behaviour.decide = () => "silent"
  const waiting = await at.signing(destination)
  const cancelled = await at.caller.post(`${TRANSACTIONS}/${waiting.json.transaction_id}/cancel`)
  expect(cancelled.json).toMatchObject({ transaction_id: waiting.json.transaction_id, status: "Failed" })
  expect((await at.caller.post(`${TRANSACTIONS}/${waiting.json.transaction_id}/cancel`)).json.error_code).toBe(60005)
  const told = (await at.caller.get(`/v2/webhooks/endpoints/${endpoint}/events`)).json.data.toReversed()
  expect(
    told.map(({ type, data }: { type: string; data: { transaction_id: string } }) => [type, data.transaction_id]),
  ).toEqual([
    ["wallets.transaction.created", transaction_id],
    ["wallets.transaction.failed", transaction_id],
    ["wallets.transaction.created", waiting.json.transaction_id],
    ["wallets.transaction.failed", waiting.json.transaction_id],
  ])
})

test("transactions are listed by what is asked", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const first = await at.signing({ destination_type: "EVM_EIP_191_Signature", message: HELLO }, { request_id: "a" })
  await signed(rig, at, first)
  rig.clock.nowMs += 1000
  for (const node of rig.nodes) node.behaviour.decide = () => "silent"
  const second = await at.signing({ destination_type: "EVM_EIP_191_Signature", message: HELLO }, { request_id: "b" })
  const ids = async (...query: (readonly [string, string])[]) =>
    (await at.caller.get(TRANSACTIONS, ...query)).json.data.map(
      ({ transaction_id }: { transaction_id: string }) => transaction_id,
    )
  const [a, b] = [first.json.transaction_id, second.json.transaction_id]
  expect(await ids()).toEqual([b, a])
  expect(await ids(["request_id", "a"])).toEqual([a])
  expect(await ids(["statuses", "Completed,Failed"])).toEqual([a])
  expect(await ids(["transaction_ids", `${a},${b}`], ["types", "MessageSign"])).toEqual([b, a])
  expect(await ids(["wallet_ids", "none"])).toEqual([])
  expect(await ids(["chain_ids", "ETH"], ["min_created_timestamp", String(rig.clock.nowMs)])).toEqual([b])
  expect((await at.caller.get(`${TRANSACTIONS}/${a}/approval_detail`)).json).toEqual({
    transaction_id: a,
    request_id: "a",
  })
  expect(
    (await at.caller.get(`${TRANSACTIONS}/approval_details`, ["transaction_ids", `${a},none`])).json.data,
  ).toHaveLength(1)
  for (const verb of ["resend", "drop", "speedup"]) {
    const answer = await at.caller.post(`${TRANSACTIONS}/${a}/${verb}`, { request_id: "c" })
    expect([answer.status, answer.json.error_code]).toEqual([404, 2021])
  }
})

test("the transaction of a commit that fails is not there, and one that is there survives a crash", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const destination = { destination_type: "EVM_EIP_191_Signature", message: HELLO }
  rig.failCommits = true
  expect((await at.signing(destination, { request_id: "lost" })).status).toBe(500)
  rig.failCommits = false
  expect((await at.caller.get(TRANSACTIONS)).json.data).toEqual([])
  const asked = await at.signing(destination, { request_id: "kept" })
  await rig.crash()
  const found = await signed(rig, at, asked)
  expect(verifyMessage(TEXT, found.result.signature)).toBe(at.address.address)
})

test("a request that ends in the commit in which it begins has a transaction that says so, told once", async () => {
  await using rig = await Rig.open()
  const at = await withAddress(rig)
  const hook = { url: "https://hooks.example.com/", subscribed_events: ["wallets.transaction.created"] }
  const endpoint = (await at.caller.post("/v2/webhooks/endpoints", hook)).json.endpoint_id
  const asked = await at.signing({ destination_type: "EVM_EIP_191_Signature", message: HELLO })
  const transaction = must(await rig.store.transaction(asked.json.transaction_id))
  const request = must(await rig.store.signRequest(asked.json.transaction_id))
  const id = crypto.randomUUID()
  await rig.store.commit([
    { put: "transaction", record: { ...transaction, transactionId: id, requestId: "other" } },
    {
      put: "signRequest",
      record: { ...request, signRequestId: id, requestId: "other", status: "Declined", code: "E-RSK-001" },
    },
  ])
  expect(must(await rig.store.transaction(id))).toMatchObject({
    status: "Rejected",
    failedReason: expect.stringMatching(/^E-RSK-001/),
  })
  const told = (await at.caller.get(`/v2/webhooks/endpoints/${endpoint}/events`)).json.data
  expect(told.filter(({ data }: { data: { transaction_id: string } }) => data.transaction_id === id)).toHaveLength(1)
})
