/**
 * What a lying WaaS, a careless wallet or a co-spender tries, on the real binary: nodes under rules that allow plain payments, and
 * requests that look like one. Each is refused by its own code, nothing of it is signed, and the event servers are told. Beside each
 * kind of lie stands the honest request, which is signed: a node that refuses everything passes no test here.
 */

import { expect, test } from "bun:test"
import * as bitcoin from "bitcoinjs-lib"
import {
  encodeFunctionData,
  type Hex,
  hashTypedData,
  keccak256,
  parseAbi,
  parseEther,
  serializeTransaction,
} from "viem"
import { hashAuthorization } from "viem/utils"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { safeDelegatecall } from "../../src/kit/demo/payloads.ts"
import { numbered } from "../intent/solana/kit.ts"
import { addressAt } from "./addresses.ts"
import { scriptAt, spendCoins, strangers } from "./bitcoinAsks.ts"
import { scannedDeployment } from "./deployment.ts"
import { type Ask, type Attempt, eventServer, expectRefused, guardedVault, membersTable } from "./guarded.ts"
import { DECIMALS, EXCHANGE, MALLORY, MINT, solanaWallet } from "./solanaAsks.ts"

const BOB = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
const EVE = "0x1111111111111111111111111111111111111111"
const SAFE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
/** Calls itself USDC, has six decimals too, and is nobody's dollar. */
const LOOK_ALIKE = "0xa0B86991C6218b36c1d19d4A2E9eB0CE3606eb49"
const SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
const BITCOIN = "bip122:000000000019d6689c085ae165831e93"
const PATH = "m/44/60/0/0/5"
const ABI = parseAbi(["function transfer(address,uint256)"])
const PAID = strangers(0xa1)
const PAID_ADDRESS = "bc1q5xs6rgdp5xs6rgdp5xs6rgdp5xs6rgdp4gkthz"

const SAFE_TYPE =
  "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"

/** On every node: mints change what is read, and nodes that read differently sign nothing together. */
const MINTS = `
[[intent.assets]]
name = "USDC"
id = "${SOLANA}/token:${MINT}"
decimals = ${DECIMALS}
`

/** Payments to @exchange in four assets, a Safe's transactions and logins, with limits of a day. */
const rules = (guarded: DeployedNode, nodes: readonly DeployedNode[]): string => `
${MINTS}[[intent.addresses]]
name = "exchange"
chain = "eip155:1"
address = "${BOB}"
[[intent.addresses]]
name = "exchange"
chain = "${SOLANA}"
address = "${EXCHANGE}"
[[intent.addresses]]
name = "exchange"
chain = "${BITCOIN}"
address = "${PAID_ADDRESS}"
[[intent.assets]]
name = "USDC"
id = "eip155:1/erc20:${USDC.toLowerCase()}"
decimals = 6

[embedded_risk_control_rules]
enable = true
${membersTable(nodes)}
[embedded_risk_control_rules.key_sign]
reject_all = false
required_node_ids = ["${guarded.nodeId}"]
[[embedded_risk_control_rules.key_sign.allow]]
name = "payout"
effects = ["transfer"]
assets = ["ETH", "BTC", "SOL", "USDC"]
to = ["@exchange"]
max_fee = ["0.02 ETH", "0.001 BTC", "0.01 SOL"]
[[embedded_risk_control_rules.key_sign.allow]]
name = "sweep"
effects = ["self"]
max_fee = ["0.001 BTC", "0.01 SOL"]
[[embedded_risk_control_rules.key_sign.allow]]
name = "safe"
effects = ["typed_data"]
chains = ["eip155:1"]
types = ["${SAFE_TYPE}"]
[[embedded_risk_control_rules.key_sign.allow]]
name = "login"
effects = ["message"]
chains = ["eip155:*"]
[[embedded_risk_control_rules.key_sign.limits]]
name = "usdc-day"
asset = "USDC"
per = "all"
window = "24h"
max_amount = "1000 USDC"
`

const base64 = (hex: Hex): string => Buffer.from(hex.slice(2), "hex").toString("base64")
const payloadAsk = (format: string, data: string, ...digests: readonly Hex[]): Ask => ({
  messages: digests.map((msg_hash) => ({ bip32_path: PATH, msg_hash, payload: 0 })),
  payloads: [{ format, data }],
})

/** The digest is left to WaaS, which takes it from the payload. */
const readByWaas = (format: string, data: string): Ask => ({
  messages: [{ bip32_path: PATH, payload: 0 }],
  payloads: [{ format, data }],
})

const FEES = { gas: 100_000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n }

function evmPayment(to: Hex, value: bigint, { data = "0x" as Hex, nonce = 0 } = {}): Hex {
  return serializeTransaction({ type: "eip1559", chainId: 1, nonce, to, value, data, ...FEES })
}

const tokensOf = (contract: Hex, amount: bigint): Hex =>
  evmPayment(contract, 0n, { data: encodeFunctionData({ abi: ABI, functionName: "transfer", args: [BOB, amount] }) })

const evmAsk = (raw: Hex, stated: Readonly<Record<string, unknown>> = {}): Ask => ({
  ...payloadAsk("evm/transaction", base64(raw), keccak256(raw)),
  stated,
})

type Case = Omit<Attempt, "by">

// ---- the lies ----------------------------------------------------------------------------------------------------------

type Wallet = Awaited<ReturnType<typeof solanaWallet>>

/** Accounts that the message does not say, and what moves tokens without naming them. */
function solanaLies({
  ask,
  pay,
  payTokens,
  payUnchecked,
  approve,
  makeAccountOf,
  advanceNonce,
  accountOf,
  wallet,
}: Wallet) {
  const code = "E-RSK-018"
  const theirs = accountOf(EXCHANGE)
  const hidden = "lookup table"
  const cases: readonly Case[] = [
    { what: "a recipient behind a table", asked: ask([pay(MALLORY, 5n)], [MALLORY]), code, reason: hidden },
    {
      what: "a read-only mint behind a table",
      asked: ask([payTokens(theirs, 5n)], [MINT]),
      ...{ code: "E-RSK-022", reason: "which asset moves is not in the payload", intent: /unresolved/ },
    },
    {
      what: "a read-only delegate behind a table",
      asked: ask([pay(EXCHANGE, 5n), approve(MALLORY, 5n)], [MALLORY]),
      ...{ code, reason: "approve", intent: /approve .*unresolved/ },
    },
    {
      what: "a read-only wallet behind a table",
      asked: ask([makeAccountOf(MALLORY), pay(EXCHANGE, 5n)], [MALLORY]),
      ...{ code, reason: "createIdempotent" },
    },
    {
      what: "a payment that never expires",
      asked: ask([advanceNonce(), pay(EXCHANGE, 5n)]),
      ...{ code, reason: "nonce", intent: /it never expires/ },
    },
    {
      what: "tokens of an account that may hold anything",
      asked: ask([payUnchecked(numbered("y", 1), theirs, 5n)]),
      ...{ code: "E-RSK-022", reason: "which asset moves is not in the payload" },
    },
    {
      what: "tokens of another mint with the same symbol",
      asked: { ...ask([payTokens(theirs, 5n, { mint: numbered("m", 2) })]), stated: { token_id: "SOL_USDC" } },
      ...{ code, reason: numbered("m", 2) },
    },
    {
      what: "5 000 tokens that nine decimals make look like five",
      asked: ask([payTokens(theirs, 5_000_000_000n, { decimals: 9 })]),
      ...{ code: "E-RSK-011", reason: "usdc-day" },
    },
    {
      what: "five tokens as shown, 5 000 as signed",
      asked: {
        ...ask([payTokens(theirs, 5_000_000_000n)]),
        stated: { destination: { account_output: { address: theirs, amount: "5" } } },
      },
      ...{ code: "E-INT-014", reason: "amount" },
    },
  ]
  const honest: readonly Ask[] = [
    ask([pay(EXCHANGE, 5n)]),
    ask([makeAccountOf(EXCHANGE), payTokens(theirs, 5n)]),
    ask([payUnchecked(accountOf(wallet), theirs, 5n)]),
  ]
  return { cases, honest }
}

/** Coins whose amounts, owners or kinds of signature are not what the caller says. */
function bitcoinLies(root: string): { readonly cases: readonly Case[]; readonly honest: readonly Ask[] } {
  const small = { index: 1, value: 100_000n }
  const large = { index: 2, value: 50_000_000n }
  const change = "m/84/0/0/1/3"
  const pays = { script: PAID, value: 60_000n }
  const spend = (more: Partial<Parameters<typeof spendCoins>[1]>): Ask =>
    spendCoins(root, {
      coins: [small],
      outputs: [pays, { script: scriptAt(root, change), value: 39_000n, as: change }],
      ...more,
    })
  const both = { coins: [small, large], outputs: [{ script: PAID, value: 149_000n }] }
  /** In each of the two sessions one amount is a lie, and each digest commits to its own input's amount alone. */
  const trick = (lying: 0 | 1, forged?: bigint): Ask =>
    spendCoins(root, {
      ...both,
      coins: [small, large].map((coin, i) => ({
        ...coin,
        ...(i === lying ? { stated: lying === 0 ? 99_000n : 50_000n } : {}),
        ...(i === lying && forged !== undefined ? { forged } : {}),
      })),
    })
  const sighash = (type: number): Ask => spend({ coins: [{ ...small, sighash: type }] })
  const cases: readonly Case[] = [
    {
      what: "inputs of two messages swapped",
      asked: spendCoins(root, { ...both, named: [1, 0] }),
      ...{ code: "E-INT-07", reason: "" },
    },
    {
      what: "change that is somebody else's, said to be ours",
      asked: spend({ outputs: [pays, { script: strangers(0xee), value: 39_000n, as: change }] }),
      ...{ code: "E-RSK-018", reason: "bc1q", intent: /transfer 0.00039 BTC/ },
    },
    { what: "first session of the fee trick", asked: trick(0), code: "E-INT-066", reason: "input 0" },
    { what: "second session of the fee trick", asked: trick(1), code: "E-INT-066", reason: "input 1" },
    {
      what: "the fee trick with the transactions that prove the lie",
      asked: trick(1, 50_000_000n),
      ...{ code: "E-INT-068", reason: "input 1" },
    },
    ...[0x02, 0x03, 0x81, 0x82, 0x83].map((type) => ({
      what: `a signature of type ${type} that leaves outputs or inputs open`,
      ...{ asked: sighash(type), code: "E-INT-069", reason: "" },
    })),
    {
      what: "an input of ours that no message signs",
      asked: (({ messages, payloads }) => ({ messages: messages.slice(0, 1), ...(payloads ? { payloads } : {}) }))(
        spendCoins(root, both),
      ),
      ...{ code: "E-INT-071", reason: "" },
    },
  ]
  return { cases, honest: [spend({}), sighash(0x01)] }
}

const PERMIT = {
  types: {
    Permit: [
      { name: "owner", type: "address" },
      { name: "spender", type: "address" },
      { name: "value", type: "uint256" },
      { name: "nonce", type: "uint256" },
      { name: "deadline", type: "uint256" },
    ],
  },
  primaryType: "Permit",
  domain: { name: "USD Coin", version: "2", chainId: 1, verifyingContract: USDC },
} as const

function permitOf(owner: Hex) {
  const message = { owner, spender: EVE, value: 5n, nonce: 0n, deadline: 2n ** 40n } as const
  const digest = hashTypedData({ ...PERMIT, message })
  const EIP712Domain = [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
    { name: "chainId", type: "uint256" },
    { name: "verifyingContract", type: "address" },
  ]
  const typed = {
    ...PERMIT,
    types: { EIP712Domain, ...PERMIT.types },
    message: { ...message, value: "5", nonce: "0", deadline: `${2n ** 40n}` },
  }
  return { digest, json: Buffer.from(JSON.stringify(typed)).toString("base64") }
}

function evmLies(root: string): { readonly cases: readonly Case[]; readonly honest: readonly Ask[] } {
  const code = "E-RSK-018"
  const owner = addressAt(root, PATH)
  const permit = permitOf(owner)
  const loginStated = { destination: { destination_type: "EVM_EIP_191_Signature", message: "Sign in to example.org" } }
  const honest = evmPayment(BOB, parseEther("0.1"))
  const authorization = { chainId: 1, address: EVE, nonce: 1 } as const
  const delegation: Ask = {
    messages: [
      { bip32_path: PATH, msg_hash: keccak256(honest), payload: 0 },
      { bip32_path: PATH, msg_hash: hashAuthorization(authorization), payload: 1 },
    ],
    payloads: [
      { format: "evm/transaction", data: base64(honest) },
      { format: "evm/authorization", data: base64(AUTHORIZATION) },
    ],
  }
  const stated = (address: string, amount: string) => ({ destination: { account_output: { address, amount } } })
  const safe = Buffer.from(safeDelegatecall(SAFE, EVE, "0xa9059cbb"))
  const cases: readonly Case[] = [
    {
      what: "a token that has the right symbol alone",
      asked: evmAsk(tokensOf(LOOK_ALIKE, 5n), { token_id: "ETH_USDC", ...stated(BOB, "0.000005") }),
      ...{ code, reason: LOOK_ALIKE },
    },
    {
      what: "five dollars as shown, 5 000 as signed",
      asked: evmAsk(tokensOf(USDC, 5_000_000_000n), stated(BOB, "5")),
      ...{ code: "E-INT-014", reason: "amount" },
    },
    {
      what: "more than the day's dollars",
      asked: evmAsk(tokensOf(USDC, 5_000_000_000n)),
      code: "E-RSK-011",
      reason: "usdc-day",
    },
    {
      what: "a Safe's transaction that runs foreign code",
      asked: readByWaas("evm/typed-data", safe.toString("base64")),
      ...{ code, reason: `run the code of ${EVE} as ${SAFE}`, intent: /run the code of/ },
    },
    { what: "an account handed over beside a payment", asked: delegation, code, reason: EVE },
    {
      what: "a permit shown as a login",
      asked: { ...payloadAsk("evm/typed-data", permit.json, permit.digest), stated: loginStated },
      ...{ code, reason: "Permit", intent: new RegExp(`permit .*${EVE}`) },
    },
    {
      what: "a permit's digest as a login message",
      asked: {
        ...payloadAsk("evm/message", Buffer.from("Sign in to example.org").toString("base64"), permit.digest),
        stated: loginStated,
      },
      ...{ code: "E-INT-005", reason: PATH },
    },
    {
      what: "a permit's digest without payload",
      asked: { messages: [{ bip32_path: PATH, msg_hash: permit.digest }], stated: loginStated },
      ...{ code: "E-RSK-021", reason: PATH },
    },
  ]
  const login = Buffer.from("Sign in to example.org").toString("base64")
  return {
    cases,
    honest: [
      evmAsk(honest, stated(BOB, "0.1")),
      evmAsk(tokensOf(USDC, 5_000_000n), stated(BOB, "5.00")),
      { ...readByWaas("evm/message", login), stated: loginStated },
      // so long that a thread of its own reads it
      { ...readByWaas("evm/message", Buffer.from("all ".repeat(16_384)).toString("base64")), stated: loginStated },
    ],
  }
}

/** 0x05 and RLP of chain id 1, the address of Eve, nonce 1 (EIP-7702). */
const AUTHORIZATION: Hex = `0x05d70194${EVE.slice(2)}01`

// ---- the test ----------------------------------------------------------------------------------------------------------

test("what looks like a payment and is none is refused by its code and told; the payment is signed", async () => {
  await using it = await scannedDeployment(2)
  await using events = eventServer(it.surveillance.token)
  const { ask, guarded, second, roots } = await guardedVault(it, events.url, rules, MINTS)
  const [secp256k1 = "", ed25519 = ""] = [roots.secp256k1, roots.ed25519]
  for (const { honest, cases } of [
    solanaLies(await solanaWallet(ed25519)),
    bitcoinLies(secp256k1),
    evmLies(secp256k1),
  ]) {
    for (const asked of honest) expect(await ask(asked)).toMatchObject({ status: "Completed", failed_reason: "" })
    // A payload that does not say what it should is refused by every node, a rule by the guarded one.
    const byOf = (code: string) => (code.startsWith("E-INT") ? [guarded, second] : [guarded])
    await expectRefused(
      cases.map((one) => ({ ...one, by: byOf(one.code) })),
      ask,
      events.told,
    )
  }
}, 180_000)

test("the constants of this file are what they say", () => {
  expect(bitcoin.address.fromOutputScript(PAID, bitcoin.networks.bitcoin)).toBe(PAID_ADDRESS)
  expect(keccak256(AUTHORIZATION)).toBe(hashAuthorization({ chainId: 1, address: EVE, nonce: 1 }))
})
