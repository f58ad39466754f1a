/**
 * The risk officer's sentence on the real binary: only transfers of ETH, at most 1 ETH a day in all with fees, to these three
 * addresses, asked for by these people (as WaaS states it), Monday to Friday, fee at most 0.02 ETH, and this node in every signing
 * set. Everything else that a caller tries is refused by a code of its own, which events tell.
 */

import { expect, test } from "bun:test"
import {
  encodeFunctionData,
  type Hex,
  hashMessage,
  keccak256,
  maxUint256,
  parseAbi,
  parseEther,
  recoverAddress,
  type SignedAuthorization,
  serializeTransaction,
  toHex,
} from "viem"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { until } from "../../src/kit/demo/keys.ts"
import type { SignatureObject } from "../../src/waas/client.ts"
import { SENTENCE_ADDRESSES, SENTENCE_LIMIT, SENTENCE_TO, sentencePayout } from "../support/riskSentence.ts"
import { addressAt } from "./addresses.ts"
import { scannedDeployment } from "./deployment.ts"
import { type Ask, eventServer, expectRefused, guardedVault, membersTable } from "./guarded.ts"

const [BOB, CAROL] = SENTENCE_TO.exchange
const EVE = "0x1111111111111111111111111111111111111111"
const USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
const ABI = parseAbi([
  "function transfer(address,uint256)",
  "function approve(address,uint256)",
  "function multicall(bytes[])",
])
const PATH = "m/44/60/0/0/5"

/** Five days from today on are the working week of this test, so that it holds on any day; the two others are its weekend. */
function weekFrom(nowMs: number) {
  const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
  const days = names.map((_, i) => names[(new Date(nowMs).getUTCDay() + i) % 7] ?? "")
  return { working: days.slice(0, 5), weekend: days.slice(5) }
}

function sentence(node: DeployedNode, nodes: readonly DeployedNode[]): string {
  const { working, weekend } = weekFrom(Date.now())
  const zone = "UTC"
  return `
${SENTENCE_ADDRESSES}
[embedded_risk_control_rules]
enable = true
${membersTable(nodes)}
[embedded_risk_control_rules.key_reshare]
reject_all = true
[embedded_risk_control_rules.key_share_sign]
reject_all = true
[embedded_risk_control_rules.key_sign]
reject_all = false
required_node_ids = ["${node.nodeId}"]
${sentencePayout({ name: "payout", initiators: ["ada", "grace"], zone, days: working })}${sentencePayout({ name: "weekend", initiators: ["heidi"], zone, days: weekend })}${SENTENCE_LIMIT}`
}

interface Payment {
  readonly to?: Hex
  readonly value?: string
  /** gas limit times price, ETH. */
  readonly fee?: string
  readonly nonce?: number
  readonly chainId?: number
  readonly data?: Hex
}

/** As another implementation writes it. */
function payment({ to = BOB, value = "0", fee = "0.001", nonce = 0, chainId = 1, data = "0x" }: Payment): Hex {
  const gas = 100_000n
  const price = parseEther(fee) / gas
  const fees = { gas, maxFeePerGas: price, maxPriorityFeePerGas: 0n }
  return serializeTransaction({ type: "eip1559", chainId, nonce, to, value: parseEther(value), data, ...fees })
}

const base64 = (hex: Hex): string => Buffer.from(hex.slice(2), "hex").toString("base64")

/** A payment that hands the account of whoever signed the authorization to foreign code (EIP-7702). */
const delegating = (authorization: SignedAuthorization): Hex => {
  const fees = { gas: 100_000n, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
  const authorizationList = [authorization]
  return serializeTransaction({ type: "eip7702", chainId: 1, nonce: 1, to: BOB, value: 1n, authorizationList, ...fees })
}

/** Transactions and the digest of each, which the same implementation computes. */
const askFor = (...raws: readonly Hex[]): Ask => ({
  messages: raws.map((raw, payload) => ({ bip32_path: PATH, msg_hash: keccak256(raw), payload })),
  payloads: raws.map((raw) => ({ format: "evm/transaction", data: base64(raw) })),
})

/** Who signed this digest. */
const signerOf = (digest: Hex, { signature, signature_recovery }: SignatureObject): Promise<string> => {
  const yParity = Number(signature_recovery)
  const [r, s]: [Hex, Hex] = [`0x${signature.slice(0, 64)}`, `0x${signature.slice(64)}`]
  return recoverAddress({ hash: digest, signature: { r, s, yParity } })
}

/** What was asked, how it ends, and who may be the one that refused it. */
type Attempted = readonly [what: string, asked: Ask, code: string, reason: string, by: readonly DeployedNode[]]

const evmAsk = (format: string, data: Hex, digest: Hex): Ask => ({
  messages: [{ bip32_path: PATH, msg_hash: digest, payload: 0 }],
  payloads: [{ format, data: base64(data) }],
})

/** Each says one thing where people look and another where it is signed. Every node refuses it, whatever its rules. */
function lies(by: readonly DeployedNode[]): readonly Attempted[] {
  const honest = payment({ value: "0.1", nonce: 1 })
  const other = payment({ value: "0.1", nonce: 1, to: CAROL })
  const digest = keccak256(honest)
  const testnet = payment({ value: "0.1", nonce: 1, chainId: 11_155_111 })
  const longer: Hex = `${honest}00`
  const shown = { account_output: { address: CAROL, amount: "0.1" } }
  const twice: Ask = {
    messages: [0, 1].map((payload) => ({ bip32_path: PATH, msg_hash: digest, payload })),
    payloads: [honest, other].map((raw) => ({ format: "evm/transaction", data: base64(raw) })),
  }
  const inBothPlaces = { raw_tx_info: { unsigned_raw_tx: other } }
  return [
    ["another transaction's payload", evmAsk("evm/transaction", other, digest), "E-INT-005", PATH, by],
    ["a transaction as a login message", evmAsk("evm/message", toHex("Sign in"), digest), "E-INT-005", PATH, by],
    ["a byte behind the end", evmAsk("evm/transaction", longer, keccak256(longer)), "E-INT-020", "", by],
    ["a transaction of another chain", askFor(testnet), "E-INT-004", "eip155:11155111", by],
    [
      "a mainnet transaction called a testnet's",
      { ...askFor(honest), stated: { chain_id: "SETH" } },
      "E-INT-013",
      "SETH",
      by,
    ],
    ["another destination than is shown", { ...askFor(honest), stated: { destination: shown } }, "E-INT-014", "", by],
    ["two places that differ", { ...askFor(honest), stated: inBothPlaces }, "E-INT-012", "raw_tx_info", by],
    ["two payloads for one message", twice, "E-INT-011", "messages[1]", by],
  ]
}

test("the risk officer's sentence: one payment passes, all else is refused by its code and told", async () => {
  await using it = await scannedDeployment(3)
  await using events = eventServer(it.surveillance.token)
  const { ask, guarded, second, roots } = await guardedVault(it, events.url, sentence)
  const [third, root] = [it.deployment.nodes[2]!, roots.secp256k1 ?? ""]

  const half = payment({ value: "0.5" })
  const paid = await ask(askFor(half))
  expect(paid).toMatchObject({ status: "Completed", failed_reason: "" })
  expect(await signerOf(keccak256(half), paid.signatures[0]!)).toBe(addressAt(root, PATH))
  const toldOfSuccess = await until("the event of the payment", async () =>
    events.told.find(({ node_id, data }) => node_id === guarded.nodeId && data.failed_reason === ""),
  )
  expect(toldOfSuccess.data.intent).toEqual([
    `transfer 0.5 ETH to ${BOB} (@exchange) on eip155:1, fee at most 0.001 ETH`,
  ])

  const unlimited = encodeFunctionData({ abi: ABI, functionName: "approve", args: [EVE, maxUint256] })
  const harmless = encodeFunctionData({ abi: ABI, functionName: "transfer", args: [BOB, 5n] })
  const hidden = encodeFunctionData({ abi: ABI, functionName: "multicall", args: [[harmless, unlimited]] })
  const multicall = payment({ to: USDC, data: hidden, nonce: 1 })
  const next = payment({ value: "0.1", nonce: 1 })
  const changed: Hex = `0x${next.slice(2).replace(BOB.slice(2).toLowerCase(), `${BOB.slice(2, -2).toLowerCase()}46`)}`
  expect(changed).not.toBe(next)
  const login = keccak256("0x1234")
  const loginAsk: Ask = {
    messages: [{ bip32_path: PATH, msg_hash: hashMessage({ raw: login }), payload: 0 }],
    payloads: [{ format: "evm/message", data: base64(login) }],
  }
  const account = privateKeyToAccount(generatePrivateKey())
  const delegation = await account.signAuthorization({ chainId: 0, nonce: 3, address: EVE })
  const batch: Ask = {
    messages: [...askFor(next).messages, { bip32_path: "m/44/60/0/0/6", msg_hash: keccak256("0x5678") }],
    payloads: askFor(next).payloads ?? [],
  }
  const attempts: readonly Attempted[] = [
    ...lies([guarded, second]),
    ["a message without payload beside one with it", batch, "E-RSK-021", "m/44/60/0/0/6", [guarded]],
    ["a delegation of code behind a payment", askFor(delegating(delegation)), "E-RSK-018", EVE, [guarded]],
    ["another destination", askFor(payment({ to: EVE, nonce: 1 })), "E-RSK-018", EVE, [guarded]],
    [
      "an amount above the day's rest",
      askFor(payment({ value: "0.499", nonce: 1 })),
      "E-RSK-011",
      "eth-day",
      [guarded],
    ],
    ["a fee above 0.02 ETH", askFor(payment({ fee: "0.0201", nonce: 1 })), "E-RSK-018", "fee", [guarded]],
    ["asked for by somebody else", { ...askFor(next), by: "eve" }, "E-RSK-018", BOB, [guarded]],
    ["asked for on another day of the week", { ...askFor(next), by: "heidi" }, "E-RSK-018", BOB, [guarded]],
    [
      "one byte of the payload changed, and the old msg_hash",
      { ...askFor(next), payloads: [{ format: "evm/transaction", data: base64(changed) }] },
      "E-INT-005",
      PATH,
      [guarded, second],
    ],
    ["an approval without a limit in a multicall", askFor(multicall), "E-RSK-018", "call ", [guarded]],
    ["a login message of 32 bytes", loginAsk, "E-RSK-018", "approve the hash", [guarded]],
    [
      "a digest without payload",
      { messages: [{ bip32_path: PATH, msg_hash: keccak256(next) }] },
      "E-RSK-021",
      PATH,
      [guarded],
    ],
    [
      "without the guarded node",
      { ...askFor(next), nodes: [second, third] },
      "E-RSK-013",
      guarded.nodeId,
      [second, third],
    ],
  ]
  const isHidden = ({ payloads }: Ask): boolean => payloads?.[0]?.data === base64(multicall)
  const refusals = attempts.map(([what, asked, code, reason, by]) => ({
    ...{ what, asked, code, reason, by },
    ...(isHidden(asked) ? { intent: new RegExp(`approve unlimited .* ${EVE}`) } : {}),
  }))
  await expectRefused(refusals, ask, events.told)

  // 0.5 and 0.001 are spent. Payments of nothing at 0.02 ETH of fees: 24 fit into what is left, and 0.019 remain.
  const burns = (first: number, count: number, fee = "0.02"): Ask =>
    askFor(...Array.from({ length: count }, (_, i) => payment({ fee, nonce: first + i })))
  for (const first of [100, 108, 116]) expect((await ask(burns(first, 8))).status).toBe("Completed")
  const refused = { status: "Declined", failed_reason: expect.stringMatching(/^E-RSK-011 .*eth-day/), signatures: [] }
  expect(await ask(burns(124, 1))).toMatchObject(refused)
  expect((await ask(burns(124, 1, "0.019"))).status).toBe("Completed")
  expect(await ask(burns(125, 1, "0.000000000000100000"))).toMatchObject(refused)
}, 180_000)
