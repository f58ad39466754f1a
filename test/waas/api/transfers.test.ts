/**
 * Transfers and contract calls on EVM chains over REST, against an endpoint that a test plays; ethers reads what was built and
 * signed (formats.md 7.5).
 */
import { expect, test } from "bun:test"
import { Interface, Transaction } from "ethers"
import { silentLog } from "../../../src/log.ts"
import { keepBroadcasting } from "../../../src/waas/wallets/broadcast.ts"
import type { ConfiguredToken } from "../../../src/waas/wallets/tokens.ts"
import { decodeTask } from "../../../src/wire/task.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"
import { evmEndpoint as endpoint } from "../../support/evmEndpoint.ts"
import { logTo } from "../../support/logTo.ts"
import { must, Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

const TRANSACTIONS = "/v2/transactions"
const TO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const TOKENS: readonly ConfiguredToken[] = [
  { id: "ETH_USDC", chain: "ETH", contract: USDC, decimals: 6, symbol: "USDC" },
]

async function withAddress(rig: Rig) {
  const caller = await Caller.of(rig)
  for (const node of rig.nodes) {
    const token = { incarnation: 0, boot: 1, bootId: "b", generation: 1, versions: { ...VERSIONS, link: 2 } }
    await rig.engine.admitFencingToken(node.id, token)
  }
  const { vault } = await rig.madeVault()
  const body = { name: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", vault_id: vault.vaultId }
  const wallet = (await caller.post("/v2/wallets", body)).json.wallet_id
  const [{ address }] = (await caller.post(`/v2/wallets/${wallet}/addresses`, { chain_id: "ETH", count: 1 })).json
  const source = { source_type: "Org-Controlled", wallet_id: wallet, address }
  const transfer = (amount: string, more: object = {}) =>
    caller.post(`${TRANSACTIONS}/transfer`, {
      request_id: crypto.randomUUID(),
      source,
      token_id: "ETH",
      destination: { destination_type: "Address", account_output: { address: TO, amount } },
      transaction_process_type: "SignOnly",
      ...more,
    })
  const shown = async (answer: { json: { transaction_id: string } }) =>
    (await caller.get(`${TRANSACTIONS}/${answer.json.transaction_id}`)).json
  return { caller, vault, address, source, transfer, shown }
}

const open = (rpc: { url: string }) =>
  Rig.open({ chains: [{ id: "ETH", rpc_url: rpc.url }, { id: "BTC" }], tokens: TOKENS })

test("a transfer is built with the endpoint's nonce and fees, signed by the wallet's key, and not broadcast", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1.5")
  expect([asked.status, asked.json.status]).toEqual([201, "PendingSignature"])
  await rig.relay.settle()
  const found = await at.shown(asked)
  const made = Transaction.from(found.raw_tx_info.raw_tx)
  expect(made.from).toBe(at.address)
  expect([made.to, made.value, made.nonce, made.chainId, made.type, made.data]).toEqual([
    TO,
    15n * 10n ** 17n,
    7,
    1n,
    2,
    "0x",
  ])
  expect([made.gasLimit, made.maxPriorityFeePerGas, made.maxFeePerGas]).toEqual([21000n, 10n ** 9n, 21n * 10n ** 9n])
  expect(made.unsignedSerialized).toBe(found.raw_tx_info.unsigned_raw_tx)
  expect(found).toMatchObject({
    status: "Completed",
    type: "Withdrawal",
    token_id: "ETH",
    transaction_process_type: "SignOnly",
    transaction_hash: must(made.hash ?? undefined),
    fee: { fee_type: "EVM_EIP_1559", max_fee_per_gas: "21000000000", gas_limit: "21000" },
    raw_tx_info: { used_nonce: 7 },
  })
  expect(rpc.sent).toEqual([])
})

test("nodes get the payload, and risk control the transaction in the published shape", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("0.25")
  const request = must(await rig.store.signRequest(asked.json.transaction_id))
  const task = decodeTask(must(await rig.store.task(must(request.taskIds[0]))).document)
  if (!("type" in task) || task.type !== "KeySign" || task.payloads === undefined) throw new Error("no payloads")
  const unsigned = Buffer.from(must(task.payloads[0]).data, "base64").toString("hex")
  expect(task.payloads[0]?.format).toBe("evm/transaction")
  expect(task.extra_info).toMatchObject({
    source_addresses: [{ address: at.address, chain_id: "ETH" }],
    transaction: {
      chain_id: "ETH",
      destination: { destination_type: "Address", account_output: { address: TO, amount: "0.25" } },
      raw_tx_info: { unsigned_raw_tx: `0x${unsigned}` },
    },
  })
})

test("a token's transfer is a call of its contract, in the token's own decimals", async () => {
  await using rpc = endpoint({ eth_estimateGas: () => "0xfde8" })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("12.34", { token_id: "ETH_USDC" })
  await rig.relay.settle()
  const made = Transaction.from((await at.shown(asked)).raw_tx_info.raw_tx)
  const call = new Interface(["function transfer(address,uint256)"]).decodeFunctionData("transfer", made.data)
  expect([made.to, made.value, ...call]).toEqual([USDC, 0n, TO, 12_340_000n])
})

test("a value that no EVM word can hold is refused where it is asked for", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const call = (value: string) =>
    at.caller.post(`${TRANSACTIONS}/contract_call`, {
      request_id: crypto.randomUUID(),
      chain_id: "ETH",
      source: at.source,
      destination: { destination_type: "EVM_Contract", address: USDC, value, calldata: "0x" },
      transaction_process_type: "BuildOnly",
    })
  const [most, above] = [String(2n ** 256n / 10n ** 18n), String(2n ** 256n / 10n ** 18n + 1n)]
  expect((await call(most)).status).toBe(201)
  const { status, json } = await call(above)
  expect([status, json.error_code]).toEqual([400, 2006])
  expect(json.error_message).toContain("body.destination.value")
})

test("a contract call has the caller's data and value; fees that the caller gives are kept", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.caller.post(`${TRANSACTIONS}/contract_call`, {
    request_id: "c",
    chain_id: "ETH",
    source: at.source,
    destination: { destination_type: "EVM_Contract", address: USDC, value: "0.1", calldata: `0x${"ab".repeat(300)}` },
    fee: {
      fee_type: "EVM_EIP_1559",
      token_id: "ETH",
      max_fee_per_gas: "5",
      max_priority_fee_per_gas: "3",
      gas_limit: "99999",
    },
    transaction_process_type: "SignOnly",
  })
  await rig.relay.settle()
  const found = await at.shown(asked)
  const made = Transaction.from(found.raw_tx_info.raw_tx)
  expect([made.from, made.to, made.value, made.data]).toEqual([at.address, USDC, 10n ** 17n, `0x${"ab".repeat(300)}`])
  expect([made.maxFeePerGas, made.maxPriorityFeePerGas, made.gasLimit]).toEqual([5n, 3n, 99999n])
  expect(found.type).toBe("ContractCall")
  expect(rpc.asked).not.toContain("eth_estimateGas")
})

test("transactions of one address have nonces one after another, also at once and before any is broadcast", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const answers = await Promise.all(["1", "2", "3"].map((amount) => at.transfer(amount)))
  await rig.relay.settle()
  const nonces = await Promise.all(answers.map(async (answer) => (await at.shown(answer)).raw_tx_info.used_nonce))
  // Which of them came first is not told.
  expect(nonces.sort()).toEqual([7, 8, 9])
  rpc.answers["eth_getTransactionCount"] = () => "0x14"
  expect((await at.shown(await at.transfer("1"))).raw_tx_info.used_nonce).toBe(20)
})

test("a nonce of a transaction that failed is given out again", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  for (const node of rig.nodes) node.behaviour.decide = () => "reject"
  const refused = await at.transfer("1")
  await rig.relay.settle()
  expect((await at.shown(refused)).status).toBe("Rejected")
  expect((await at.shown(await at.transfer("1"))).raw_tx_info.used_nonce).toBe(7)
})

test("the nonce of one that was cancelled in the middle is filled: the ones after it would wait for ever", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const nonceOf = async (answer: { json: { transaction_id: string } }) =>
    (await at.shown(answer)).raw_tx_info.used_nonce
  await at.transfer("1", { transaction_process_type: "BuildOnly" })
  const middle = await at.transfer("2", { transaction_process_type: "BuildOnly" })
  await at.transfer("3", { transaction_process_type: "BuildOnly" })
  await at.caller.post(`${TRANSACTIONS}/${middle.json.transaction_id}/cancel`)
  expect(await nonceOf(await at.transfer("4"))).toBe(8)
  expect(await nonceOf(await at.transfer("5"))).toBe(10)
})

test("a nonce that a block has is not given out again, though the transaction was reverted and the endpoint lags", async () => {
  await using rpc = endpoint({
    eth_getTransactionReceipt: () => ({ blockNumber: "0x10", blockHash: `0x${"bb".repeat(32)}`, status: "0x0" }),
  })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1", { transaction_process_type: "AutoProcess" })
  await rig.relay.settle()
  for (const status of ["Confirming", "Failed"]) {
    const stop = new AbortController()
    const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
    while ((await at.shown(asked)).status !== status) await Bun.sleep(2)
    stop.abort()
    await over
  }
  expect((await at.shown(await at.transfer("1"))).raw_tx_info.used_nonce).toBe(8)
})

test("the same request is one transaction, and one nonce", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const both = await Promise.all([1, 2].map(() => at.transfer("1", { request_id: "same" })))
  expect(new Set(both.map(({ json }) => json.transaction_id)).size).toBe(1)
  expect((await at.transfer("2", { request_id: "same" })).json.error_code).toBe(30001)
})

test("AutoProcess is broadcast and completes with its block", async () => {
  const block = `0x${"bb".repeat(32)}`
  let isMined = false
  await using rpc = endpoint({
    eth_getTransactionReceipt: () => (isMined ? { blockNumber: "0x10", blockHash: block, status: "0x1" } : null),
  })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1", { transaction_process_type: "AutoProcess" })
  await rig.relay.settle()
  expect((await at.shown(asked)).status).toBe("Broadcasting")
  const looked = async () => {
    const stop = new AbortController()
    const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
    const before = JSON.stringify(await at.shown(asked))
    while (JSON.stringify(await at.shown(asked)) === before) await Bun.sleep(2)
    stop.abort()
    await over
  }
  await looked()
  expect(rpc.sent).toHaveLength(1)
  expect((await at.shown(asked)).status).toBe("Confirming")
  isMined = true
  await looked()
  expect(await at.shown(asked)).toMatchObject({
    status: "Completed",
    block_info: { block_number: 16, block_hash: block },
  })
  expect(rpc.sent).toHaveLength(1)
})

test("a transaction that its endpoint has forgotten is sent again, and stays Confirming where it is refused", async () => {
  let isKnown = true
  await using rpc = endpoint({
    eth_getTransactionByHash: () => (isKnown ? {} : null),
  })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1", { transaction_process_type: "AutoProcess" })
  await rig.relay.settle()
  /** Until the endpoint was asked this once more. */
  const lookedUntil = async (method: string) => {
    const stop = new AbortController()
    const before = rpc.asked.filter((one) => one === method).length
    const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
    while (rpc.asked.filter((one) => one === method).length === before) await Bun.sleep(2)
    stop.abort()
    await over
    return (await at.shown(asked)).status
  }
  expect(await lookedUntil("eth_sendRawTransaction")).toBe("Confirming")
  expect(await lookedUntil("eth_getTransactionByHash")).toBe("Confirming")
  expect(rpc.sent).toHaveLength(1)
  isKnown = false
  expect(await lookedUntil("eth_sendRawTransaction")).toBe("Confirming")
  expect(rpc.sent).toEqual([rpc.sent[0]!, rpc.sent[0]!])
  rpc.answers["eth_sendRawTransaction"] = () => new Error("txpool is full")
  // asked again and again, and told once
  const said: string[] = []
  const stop = new AbortController()
  const before = rpc.asked.length
  const log = logTo((level, message) => void said.push(`${level}: ${message}`))
  const over = keepBroadcasting({ ...rig.context(), log }, stop.signal, 1)
  while (rpc.asked.slice(before).filter((one) => one === "eth_sendRawTransaction").length < 3) await Bun.sleep(2)
  stop.abort()
  await over
  expect(said).toEqual(["warn: a transaction waits for its chain's endpoint"])
  expect((await at.shown(asked)).status).toBe("Confirming")
})

test("a receipt whose block has no hash completes nothing, and its words reach no caller", async () => {
  await using rpc = endpoint({
    eth_getTransactionReceipt: () => ({ blockNumber: "0x10", blockHash: "<script>", status: "0x1" }),
  })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1", { transaction_process_type: "AutoProcess" })
  await rig.relay.settle()
  const record = must(await rig.store.transaction(asked.json.transaction_id))
  await rig.store.commit([{ put: "transaction", record: { ...record, status: "Confirming" } }])
  const stop = new AbortController()
  const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
  while (!rpc.asked.includes("eth_getTransactionReceipt")) await Bun.sleep(2)
  stop.abort()
  await over
  const found = await at.shown(asked)
  expect(found.status).toBe("Confirming")
  expect(JSON.stringify(found)).not.toContain("<script>")
})

test("transactions that no block takes do not keep later ones from being broadcast", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const first = await at.transfer("1", { transaction_process_type: "BuildOnly" })
  const record = must(await rig.store.transaction(first.json.transaction_id))
  for (let i = 0; i < 40; i++) {
    const stuck = { ...record, transactionId: `stuck-${i}`, requestId: `stuck-${i}`, status: "Confirming" } as const
    await rig.store.commit([{ put: "transaction", record: stuck }])
  }
  await at.transfer("1", { transaction_process_type: "AutoProcess" })
  await rig.relay.settle()
  const stop = new AbortController()
  const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
  const deadline = Date.now() + 3_000
  while (rpc.sent.length === 0 && Date.now() < deadline) await Bun.sleep(2)
  stop.abort()
  await over
  expect(rpc.sent).toHaveLength(1)
})

test("BuildOnly waits to be signed and broadcast, and can be cancelled before", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const built = await at.transfer("1", { transaction_process_type: "BuildOnly" })
  expect(built.json.status).toBe("Submitted")
  const path = `${TRANSACTIONS}/${built.json.transaction_id}`
  expect((await at.caller.post(`${path}/sign_and_broadcast`)).json.status).toBe("PendingSignature")
  await rig.relay.settle()
  expect((await at.shown(built)).status).toBe("Broadcasting")
  expect((await at.caller.post(`${path}/sign_and_broadcast`)).json.error_code).toBe(2029)
  const other = await at.transfer("1", { transaction_process_type: "BuildOnly" })
  const cancelled = await at.caller.post(`${TRANSACTIONS}/${other.json.transaction_id}/cancel`)
  expect(cancelled.json.status).toBe("Failed")
})

test("what was only signed is broadcast on request; what the chain refuses failed, what it has already did not", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1")
  const early = await at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [asked.json.transaction_id] })
  expect(early.json.error_code).toBe(2029)
  await rig.relay.settle()
  rpc.answers["eth_sendRawTransaction"] = () => new Error("already known")
  rpc.answers["eth_getTransactionByHash"] = () => ({ hash: "0x" })
  const sent = await at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [asked.json.transaction_id] })
  expect(sent.json).toEqual([{ request_id: asked.json.request_id, transaction_id: asked.json.transaction_id }])
  expect((await at.shown(asked)).status).toBe("Confirming")
  const poor = await at.transfer("1")
  await rig.relay.settle()
  rpc.answers["eth_sendRawTransaction"] = () => new Error("insufficient\nfunds")
  rpc.answers["eth_getTransactionByHash"] = () => null
  await at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [poor.json.transaction_id] })
  expect(await at.shown(poor)).toMatchObject({
    status: "Failed",
    sub_status: "FailedBroadcasting",
    failed_reason: "insufficient funds",
  })
})

test("an endpoint that refuses and is away before it says whether it has the transaction makes none fail", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1")
  await rig.relay.settle()
  rpc.answers["eth_sendRawTransaction"] = () => new Error("already known")
  rpc.answers["eth_getTransactionByHash"] = () => new Response("<html>", { status: 502 })
  await at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [asked.json.transaction_id] })
  expect((await at.shown(asked)).status).not.toBe("Failed")
  expect((await at.shown(await at.transfer("1"))).raw_tx_info.used_nonce).toBe(8)
})

test("that a transaction shall be broadcast is recorded before it is sent, and an endpoint that is away gets it later", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1")
  await rig.relay.settle()
  const id = asked.json.transaction_id
  const seen: (string | undefined)[] = []
  rpc.answers["eth_sendRawTransaction"] = async () => {
    seen.push((await rig.store.transaction(id))?.status)
    return new Response("<html>", { status: 502 })
  }
  expect((await at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [id] })).status).toBe(201)
  expect(seen).toEqual(["Broadcasting"])
  expect((await at.shown(asked)).status).toBe("Broadcasting")
  delete rpc.answers["eth_sendRawTransaction"]
  const stop = new AbortController()
  const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
  while ((await at.shown(asked)).status !== "Confirming") await Bun.sleep(2)
  stop.abort()
  await over
  expect(rpc.sent).toHaveLength(1)
})

test("a transaction that was only built is cancelled or signed, never both, whichever is asked first", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  for (const order of [
    ["sign_and_broadcast", "cancel"],
    ["cancel", "sign_and_broadcast"],
  ] as const) {
    const built = await at.transfer("1", { transaction_process_type: "BuildOnly" })
    const path = `${TRANSACTIONS}/${built.json.transaction_id}`
    await Promise.all(order.map((verb) => at.caller.post(`${path}/${verb}`)))
    await rig.relay.settle()
    expect((await at.shown(built)).status).toBe("Failed")
  }
})

test("an estimate names fees and gas", async () => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const answer = await at.caller.post(`${TRANSACTIONS}/estimate_fee`, {
    request_type: "Transfer",
    source: at.source,
    token_id: "ETH",
    destination: { destination_type: "Address", account_output: { address: TO, amount: "1" } },
  })
  expect(answer.json).toEqual({
    fee_type: "EVM_EIP_1559",
    token_id: "ETH",
    recommended: { max_fee_per_gas: "21000000000", max_priority_fee_per_gas: "1000000000", gas_limit: "21000" },
  })
})

test.each<[string, object, number, string]>([
  [
    "a wrong checksum",
    { destination: { destination_type: "Address", account_output: { address: TO.replace("C8", "c8"), amount: "1" } } },
    2006,
    "checksum",
  ],
  [
    "too many decimals",
    { destination: { destination_type: "Address", account_output: { address: TO, amount: "0.0000000000000000001" } } },
    2006,
    "18 decimals",
  ],
  [
    "a negative amount",
    { destination: { destination_type: "Address", account_output: { address: TO, amount: "-1" } } },
    2006,
    "not an amount",
  ],
  ["an unknown token", { token_id: "ETH_NONE" }, 2006, "token_id"],
  ["a chain that is not built here", { token_id: "BTC" }, 2006, "EVM chains only"],
  [
    "a priority fee above the whole",
    { fee: { fee_type: "EVM_EIP_1559", token_id: "ETH", max_fee_per_gas: "1", max_priority_fee_per_gas: "2" } },
    2006,
    "max_priority_fee_per_gas",
  ],
])("%s is refused", async (_name, more, code, text) => {
  await using rpc = endpoint()
  await using rig = await open(rpc)
  const answer = await (await withAddress(rig)).transfer("1", more)
  expect([answer.status, answer.json.error_code]).toEqual([400, code])
  expect(answer.json.error_message).toContain(text)
})

test.each<[string, string, (params: readonly unknown[]) => unknown, string]>([
  ["another chain", "eth_chainId", () => "0x5", "of chain 5"],
  [
    "a call that would fail",
    "eth_estimateGas",
    () => new Error("execution reverted: no"),
    "would fail: execution reverted",
  ],
  ["no number", "eth_getTransactionCount", () => "seven", "no number for the nonce"],
  ["a nonce beyond 2^53", "eth_getTransactionCount", () => "0x20000000000001", "no number for the nonce"],
  ["no JSON", "eth_maxPriorityFeePerGas", () => new Response("<html>"), "no JSON"],
  ["too long an answer", "eth_chainId", () => new Response(" ".repeat(300_000)), "longer than"],
])("an endpoint of %s builds nothing", async (_name, method, answer, text) => {
  await using rpc = endpoint({ [method]: answer })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const refused = await at.transfer("1")
  expect([refused.status, refused.json.error_code]).toEqual([400, 2029])
  expect(refused.json.error_message).toContain(text)
  expect((await at.caller.get(TRANSACTIONS)).json.data).toEqual([])
})

test("a chain without an endpoint says which key gives it one; an endpoint that is away is told", async () => {
  await using rig = await Rig.open()
  const none = await (await withAddress(rig)).transfer("1")
  expect([none.json.error_code, none.json.error_message]).toEqual([
    2029,
    expect.stringContaining("rpc_url in [[waas.chains]]"),
  ])
  await using away = await open({ url: "http://127.0.0.1:9" })
  const refused = await (await withAddress(away)).transfer("1")
  expect(refused.json.error_message).toContain("the endpoint of ETH cannot be used")
})

test("tokens: native assets and those of the configuration", async () => {
  await using rig = await open({ url: "http://127.0.0.1:9" })
  const caller = await Caller.of(rig)
  const ids = async (...query: (readonly [string, string])[]) =>
    (await caller.get("/v2/wallets/tokens", ...query)).json.data.map(({ token_id }: { token_id: string }) => token_id)
  expect(await ids()).toEqual(["ETH", "BTC", "ETH_USDC"])
  expect(await ids(["chain_ids", "ETH"])).toEqual(["ETH", "ETH_USDC"])
  expect(await ids(["token_ids", "BTC"])).toEqual(["BTC"])
  expect((await caller.get("/v2/wallets/tokens/ETH_USDC")).json).toEqual({
    token_id: "ETH_USDC",
    chain_id: "ETH",
    symbol: "USDC",
    decimal: 6,
    token_address: USDC,
    fee_token_id: "ETH",
  })
  expect((await caller.get("/v2/wallets/tokens/NONE")).json.error_code).toBe(2028)
})

test("an endpoint that answers late takes nothing back that was found meanwhile", async () => {
  const late = Promise.withResolvers<string>()
  const block = `0x${"bb".repeat(32)}`
  let calls = 0
  await using rpc = endpoint({
    eth_sendRawTransaction: () => (++calls === 1 ? late.promise : "0x"),
    eth_getTransactionReceipt: () => ({ blockNumber: "0x10", blockHash: block, status: "0x1" }),
  })
  await using rig = await open(rpc)
  const at = await withAddress(rig)
  const asked = await at.transfer("1")
  await rig.relay.settle()
  const sending = at.caller.post(`${TRANSACTIONS}/broadcast`, { transaction_ids: [asked.json.transaction_id] })
  for (const wanted of ["Confirming", "Completed"]) {
    while (calls === 0) await Bun.sleep(2)
    const stop = new AbortController()
    const over = keepBroadcasting({ ...rig.context(), log: silentLog }, stop.signal)
    while ((await at.shown(asked)).status !== wanted) await Bun.sleep(2)
    stop.abort()
    await over
  }
  late.resolve("0x")
  expect((await sending).status).toBe(201)
  expect((await at.shown(asked)).status).toBe("Completed")
})
