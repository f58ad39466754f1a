/**
 * The demo's intents: node1 gets rules over what transactions do. Payouts pass, described in words, until the day's limit is spent. A
 * request that states one thing and does another is refused by every node because of its payload, and one that does too much by node1's
 * rules.
 */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { toHex, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { CosignerError } from "../../errors.ts"
import { checksummed } from "../../keys/addresses.ts"
import { approvedPayout, makePeople } from "./approvals.ts"
import { type DeployedNode, type Deployment, object, text } from "./deployment.ts"
import { type DemoVault, sign } from "./keys.ts"
import {
  allChangePsbt,
  ethereumPayload,
  multicall,
  type Readable,
  SAFE_TX,
  safeDelegatecall,
  tokenTransfer,
  unlimitedApproval,
  withChangedDestination,
} from "./payloads.ts"
import { type Program, runToEnd } from "./processes.ts"
import type { DemoReport } from "./report.ts"
import { signed } from "./signatures.ts"

/** Accounts that nobody has the key of. */
const accountOf = (name: string) => sha256(utf8(`cosigner demo ${name}`)).slice(12)
const EXCHANGE = accountOf("exchange")
const THIEF = accountOf("thief")
const TOKEN = accountOf("token")
const SAFE = accountOf("safe")
const addressOf = (account: Uint8Array): string => checksummed(toHex(account))
const MILLI_ETH = 10n ** 15n
const READY_MS = 30_000

const NAMES = `
[[intent.addresses]]
name = "exchange"
chain = "eip155:1"
address = "${addressOf(EXCHANGE)}"
[[intent.assets]]
name = "TOK"
id = "eip155:1/erc20:0x${toHex(TOKEN)}"
decimals = 6
[[intent.contracts]]
name = "token"
chain = "eip155:1"
address = "${addressOf(TOKEN)}"
`

const RULES = `${NAMES}
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false

[[embedded_risk_control_rules.key_sign.allow]]
name = "payout"
effects = ["transfer"]
assets = ["ETH", "TOK"]
chains = ["eip155:1"]
to = ["@exchange"]
max_fee = ["0.02 ETH"]

[[embedded_risk_control_rules.key_sign.allow]]
name = "token-calls"
effects = ["call"]
contracts = ["@token"]
max_fee = ["0.02 ETH"]

[[embedded_risk_control_rules.key_sign.allow]]
name = "safe"
effects = ["typed_data"]
chains = ["eip155:1"]
types = ["SafeTx(${SAFE_TX})"]

[[embedded_risk_control_rules.key_sign.allow]]
name = "sweep"
effects = ["self"]
chains = ["bip122:000000000019d6689c085ae165831e93"]
max_fee = ["0.0005 BTC"]

[[embedded_risk_control_rules.key_sign.limits]]
name = "eth-day"
asset = "ETH"
per = "all"
window = "24h"
max_amount = "1 ETH"
`

export async function intentScenario(
  program: Program,
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  [guarded, second, third]: readonly [DeployedNode, DeployedNode, DeployedNode],
): Promise<void> {
  const config = join(guarded.dir, "configs", "cosigner.toml")
  const before = readFileSync(config)
  const people = makePeople(deployment, "1000 TOK", NAMES)
  appendFileSync(config, `${RULES}${people.toml}`)
  const actor = await deployment.startNode(guarded)
  try {
    report.step(
      { step: "rules", node: guarded.nodeId, allowed: addressOf(EXCHANGE) },
      `${guarded.name} now has rules over intents: payments to @exchange alone, at most 1 ETH a day with fees`,
    )
    const pair = [guarded, second]
    const first = payout(vault, 0)
    const hash = await tellIntent(program, vault, report, config, first)
    await signed(deployment, vault, report, pair, first)
    // The node's own log has the intent that it approved.
    await actor.line((line) => line.includes("KeySign task approved") && line.includes(hash), READY_MS)

    const refused = (by: "intent" | "rule", nodes: readonly DeployedNode[], wanted: Refusable): Promise<void> =>
      refusedBy(deployment, vault, report, nodes, { by, wanted })
    const changed = withChangedDestination(payout(vault, 1), EXCHANGE)
    // Two nodes make a signature, so the scenario asks each pair.
    for (const nodes of [pair, [guarded, third], [second, third]]) await refused("intent", nodes, changed)
    for (const wanted of withHiddenEffects(vault)) await refused("rule", pair, wanted)
    await refused("intent", pair, allChangePsbt(vault, "PSBT without proof of what it spends", UNPROVEN))
    await refused("rule", pair, allChangePsbt(vault, "PSBT that is all change, but for a huge fee", HUGE_FEE))
    for (const n of [1, 2]) await signed(deployment, vault, report, pair, payout(vault, n))
    await refused("rule", pair, { ...payout(vault, 3), what: "fourth payout of the day" })
    await approvedPayout({ program, deployment, vault, report, nodes: pair, people }, largePayout(vault))
  } finally {
    await deployment.endNode(guarded, "SIGTERM")
    writeFileSync(config, before)
  }
}

const COIN = { value: 5_000_000n, index: 1 }
const HUGE_FEE = { ...COIN, back: 100_000n, isProven: true }
const UNPROVEN = { ...COIN, back: 4_990_000n, isProven: false }

/** 0.3 ETH to the exchange: three of them fit into the day. */
const payout = (vault: DemoVault, nonce: number): Readable =>
  ethereumPayload(vault, "payout of 0.3 ETH", { index: 10, nonce, to: EXCHANGE, value: 300n * MILLI_ETH })

/** More than ops may have signed alone. */
const largePayout = (vault: DemoVault): Readable =>
  ethereumPayload(vault, "payout of 5 000 TOK", {
    index: 12,
    nonce: 0,
    to: TOKEN,
    value: 0n,
    data: tokenTransfer(EXCHANGE, 5_000_000_000n),
  })

/** A request without a message: the payload determines what is signed. */
type Refusable = Omit<Readable, "message"> & Partial<Pick<Readable, "message">>

/** Each looks like something that the rules allow, and has an effect that no entry covers. */
function withHiddenEffects(vault: DemoVault): readonly Refusable[] {
  const payment = tokenTransfer(EXCHANGE, 5n)
  const data = multicall([payment, unlimitedApproval(THIEF)])
  const call = { index: 11, nonce: 0, to: TOKEN, value: 0n, data }
  const hidden = ethereumPayload(vault, "unlimited approval hidden in a multicall", call)
  const { message: _, ...account } = hidden
  const safeTx = safeDelegatecall(addressOf(SAFE), addressOf(THIEF), `0x${toHex(payment)}`)
  const login = sha256(utf8("sign in to example.org"))
  return [
    hidden,
    { ...account, what: "SafeTx that is a delegatecall", payload: { format: "evm/typed-data", data: safeTx } },
    { ...account, what: "login message of 32 bytes", payload: { format: "evm/message", data: login } },
  ]
}

// ---- what is told ----------------------------------------------------------------------------------------------------

/** Shows what a node reads in it, with the command that reads it offline. Resolves to the intent's hash. */
async function tellIntent(
  program: Program,
  vault: DemoVault,
  report: DemoReport,
  config: string,
  wanted: Readable,
): Promise<string> {
  const { format, data } = wanted.payload
  const root = vault.roots[wanted.curve] ?? ""
  const args = ["intent", "decode", "--format", format, "--data", `0x${toHex(data)}`, "--root", root]
  const read = object(
    await runToEnd(program, [...args, "--path", wanted.path, "-c", config, "--json"], dirname(config)),
  )
  const [chain, hash, lines] = [text(read, "chain"), text(read, "intent_hash"), read["text"]]
  if (!Array.isArray(lines)) throw failed("an intent has no words")
  report.step({ step: "intent", chain, text: lines, hash }, `${wanted.what}, as a node reads it: ${lines.join("; ")}`)
  return hash
}

async function refusedBy(
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
  { by, wanted }: { readonly by: "intent" | "rule"; readonly wanted: Refusable },
): Promise<void> {
  const { what, curve, path, tweak, payload, message } = wanted
  const asked = { curve, signatureType: 1, path, tweak, nodes, payload, extraInfo: {} } as const
  const answer = await sign(deployment, vault, message === undefined ? asked : { ...asked, message })
  const code = by === "intent" ? "E-INT-" : "E-RSK-"
  if (answer.kind !== "refused" || answer.status !== "Declined" || !answer.reason.startsWith(code))
    throw failed(`a ${what} was not refused by ${by}`)
  const names = nodes.map(({ name }) => name).join(" and ")
  report.step(
    { step: "refused", by, path, reason: answer.reason, nodes: nodes.map(({ nodeId }) => nodeId) },
    `${what}: asked of ${names}, refused by ${by === "intent" ? "its payload" : "the rules"} (${answer.reason})`,
  )
}

const failed = (what: string): CosignerError => new CosignerError("E-CLI-022", { what })
