/**
 * The demo's risk control: node1 gets embedded rules, a callback server and an event server, the last two as processes of
 * their own. One signature passes both mechanisms, a rule stops one before the callback server hears of it, and the
 * callback server rejects one. Events report all three.
 */
import { randomUUID } from "node:crypto"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { checksummed } from "../../keys/addresses.ts"
import { type DeployedNode, type Deployment, object, text } from "./deployment.ts"
import { type DemoVault, sign, until } from "./keys.ts"
import { type Actor, type Program, runToEnd, startActor } from "./processes.ts"
import type { DemoReport } from "./report.ts"
import { bitcoin, type EthereumWanted, ethereum, signed, type WantedSignature } from "./signatures.ts"

const READY_MS = 30_000

interface Guards {
  readonly callback: Actor
  readonly events: Actor
  /** The only destination that the callback server allows. */
  readonly allowed: string
}

export async function riskScenario(
  program: Program,
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  guarded: DeployedNode,
  other: DeployedNode,
): Promise<void> {
  const config = join(guarded.dir, "configs", "cosigner.toml")
  const before = readFileSync(config)
  const payable = ethereum(vault, 1)
  const { callback, events } = await guard(program, deployment, report, guarded, payable.to)
  try {
    const nodes = [guarded, other]
    await signed(deployment, vault, report, nodes, payable, extraInfoOf(payable))
    const asked = requests(callback)
    await refused(deployment, vault, report, nodes, bitcoin(vault, 1), {}, "embedded rule")
    if (requests(callback) !== asked) throw failed("the callback server was asked of a task that a rule had refused")
    const elsewhere = ethereum(vault, 2)
    await refused(deployment, vault, report, nodes, elsewhere, extraInfoOf(elsewhere), "callback server")
    if (requests(callback) === asked) throw failed("the callback server was not asked of the last signature")
    await hearOf(events, report)
  } finally {
    await deployment.endNode(guarded, "SIGTERM")
    await Promise.all([callback.end("SIGTERM"), events.end("SIGTERM")])
    writeFileSync(config, before)
  }
}

/** Makes and starts both servers, configures the node for them, and restarts it. */
async function guard(
  program: Program,
  deployment: Deployment,
  report: DemoReport,
  node: DeployedNode,
  allowedTo: Uint8Array,
): Promise<Guards> {
  await deployment.endNode(node, "SIGTERM")
  const pems = await keysOf(program, node)
  const risk = join(deployment.dir, "risk")
  await runToEnd(program, ["callback-server", "init", "--dir", "risk", "--node-key", pems.callback], deployment.dir)
  const file = join(risk, "callback-server.toml")
  const allowed = checksummed(toHex(allowedTo))
  writeFileSync(file, callbackServerConfiguration(pems.callback, allowed), { mode: 0o600 })
  const start = (name: string, args: readonly string[]): Actor =>
    startActor(program, name, [...args, "--json"], deployment.dir, join(deployment.dir, "logs", `${name}.log`))
  const callback = start("callback-server", ["callback-server", "-c", file])
  const events = start("event-server", ["event-server", "--listen", "127.0.0.1:0", "--node-key", pems.event])
  const urlOf = async (actor: Actor): Promise<string> =>
    text(object(await actor.line((line) => line.includes("listening"), READY_MS)), "url")
  appendFileSync(
    join(node.dir, "configs", "cosigner.toml"),
    configuration(await urlOf(callback), join(risk, "callback-server-pub.key"), await urlOf(events)),
  )
  await deployment.startNode(node)
  report.step(
    { step: "guard", node: node.nodeId, allowed },
    `${node.name} now has rules, a callback server and an event server`,
  )
  return { callback, events, allowed }
}

/** Replaces the annotated file that init wrote. */
const callbackServerConfiguration = (nodeKey: string, allowed: string): string => `listen = "127.0.0.1:0"
node_public_keys = [${JSON.stringify(nodeKey)}]

[[key_sign.evm]]
name = "ETH"
chain_id = 1
destinations = [${JSON.stringify(allowed)}]
max_amount = "0.1 ether"
max_fee = "0.01 ether"
`

/** The node's callback and event public keys, as files. */
async function keysOf(program: Program, node: DeployedNode) {
  const callback = join(node.dir, "callback-pub.pem")
  const event = join(node.dir, "event-pub.pem")
  const key = ["--key-file", ".password", "--json"]
  writeFileSync(callback, text(object(await runToEnd(program, ["info", ...key], node.dir)), "callback_public_key"))
  writeFileSync(
    event,
    text(object(await runToEnd(program, ["event", "key", "create", ...key], node.dir)), "event_public_key"),
  )
  return { callback, event }
}

const configuration = (callbackUrl: string, publicKey: string, eventUrl: string): string => `

[[callback.cb_server_v2]]
service_address = ${JSON.stringify(callbackUrl)}
pubkey_path = ${JSON.stringify(publicKey)}

[event]
event_types = ["request.keysign.succeeded", "request.keysign.failed"]
[[event.server]]
url = ${JSON.stringify(eventUrl)}

[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false
allowed_paths = ["m/44/60/*/*/*"]
max_batch = 1
`

/** What people at WaaS saw, typed as in the SDKs, and the raw transaction that the callback server checks it against. */
function extraInfoOf({ raw, to }: EthereumWanted): Readonly<Record<string, unknown>> {
  const nowMs = Date.now()
  return {
    transaction: {
      transaction_id: randomUUID(),
      wallet_id: randomUUID(),
      type: "Withdrawal",
      status: "PendingSignature",
      source: { source_type: "Org-Controlled" },
      destination: {
        destination_type: "Address",
        account_output: { address: checksummed(toHex(to)), amount: "0.01" },
      },
      initiator_type: "API",
      chain_id: "ETH",
      raw_tx_info: { unsigned_raw_tx: `0x${toHex(raw)}` },
      created_timestamp: nowMs,
      updated_timestamp: nowMs,
    },
  }
}

async function refused(
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
  wanted: WantedSignature,
  extraInfo: Readonly<Record<string, unknown>>,
  by: string,
): Promise<void> {
  const { curve, path, message, tweak } = wanted
  const answer = await sign(deployment, vault, { curve, signatureType: 1, path, message, tweak, nodes, extraInfo })
  if (answer.kind !== "refused" || answer.status !== "Declined")
    throw failed(`a ${wanted.what} was not refused by the ${by}`)
  report.step(
    { step: "refused", by, path, reason: answer.reason },
    `${wanted.what}: refused by the ${by} (${answer.reason})`,
  )
}

/** Requests that the callback server has answered. */
const requests = (callback: Actor): number => callback.lines().filter((line) => line.includes('"answered"')).length

/** One event for the signature, two for the refusals. */
async function hearOf(events: Actor, report: DemoReport): Promise<void> {
  const types = await until("the events", async () => {
    const seen = events.lines().filter((line) => line.includes('"received"'))
    return seen.length >= 3 ? seen.map((line) => text(object(line), "event_type")) : undefined
  })
  const expected = ["request.keysign.failed", "request.keysign.failed", "request.keysign.succeeded"]
  if (JSON.stringify([...types].sort()) !== JSON.stringify(expected)) throw failed(`events came as ${types.join(", ")}`)
  report.step({ step: "events", types }, `the event server heard of all three: ${types.join(", ")}`)
}

const failed = (what: string): CosignerError => new CosignerError("E-CLI-022", { what })
