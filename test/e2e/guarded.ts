/**
 * A vault on the real binary one of whose nodes is under rules over intents, a caller who asks for signatures and is told how each
 * request ends, and a server that the nodes' events go to.
 */

import { expect } from "bun:test"
import { randomUUID } from "node:crypto"
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import { runToEnd } from "../../src/kit/demo/processes.ts"
import type { SignRequestInput, SignRequestObject } from "../../src/waas/client.ts"
import { FORM_FIELD } from "../../src/wire/tssJwt.ts"
import type { ScannedDeployment } from "./deployment.ts"
import type { Surveillance } from "./leaks/surveillance.ts"

// ---- events ------------------------------------------------------------------------------------------------------------

interface Told {
  readonly node_id: string
  readonly event_type: string
  readonly data: { readonly failed_reason: string; readonly intent?: readonly string[] }
}

export function eventServer(hear: Surveillance["token"]) {
  const told: Told[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const text = await request.text()
      hear("events", text)
      const [, payload = ""] = (new URLSearchParams(text).get(FORM_FIELD) ?? "").split(".")
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
      told.push(JSON.parse(Buffer.from(claims.package_data, "base64").toString()))
      return new Response()
    },
  })
  return { told, url: `http://127.0.0.1:${server.port}/v2/event`, [Symbol.asyncDispose]: () => server.stop(true) }
}

const eventTable = (url: string): string => `
[event]
event_types = ["request.keysign.succeeded", "request.keysign.failed"]
[[event.server]]
url = "${url}"
`

// ---- rules -------------------------------------------------------------------------------------------------------------

export const membersTable = (nodes: readonly DeployedNode[]): string => `[embedded_risk_control_rules.key_gen]
reject_all = false
[[embedded_risk_control_rules.key_gen.allow_list]]
threshold = 2
node_ids = ${JSON.stringify(nodes.map(({ nodeId }) => nodeId))}`

/** The others hold no rules over intents: they only insist that the guarded node takes part. */
const insist = (on: DeployedNode, nodes: readonly DeployedNode[]): string => `
[embedded_risk_control_rules]
enable = true
${membersTable(nodes)}
[embedded_risk_control_rules.key_sign]
reject_all = false
required_node_ids = ["${on.nodeId}"]
`

// ---- asking ------------------------------------------------------------------------------------------------------------

export type Ask = Pick<SignRequestInput, "messages" | "payloads"> & {
  readonly by?: string
  readonly nodes?: readonly DeployedNode[]
  /** What WaaS says of the transaction besides. */
  readonly stated?: Readonly<Record<string, unknown>>
  /** ECDSA on secp256k1 unless given. */
  readonly scheme?: "ecdsa" | "eddsa" | "schnorr"
}

const SCHEMES = {
  ecdsa: { curve: "SECP256K1", signature_type: 1 },
  eddsa: { curve: "ED25519", signature_type: 2 },
  schnorr: { curve: "SECP256K1", signature_type: 3 },
} as const

const isFinal = ({ status }: SignRequestObject): boolean =>
  ["Completed", "Declined", "Failed", "Canceled"].includes(status)

/** What WaaS says of who asked, in the fields that it requires. */
const statedBy = (initiator: string) => ({
  transaction_id: randomUUID(),
  wallet_id: randomUUID(),
  status: "PendingSignature",
  source: {},
  destination: {},
  initiator,
  initiator_type: "API",
  created_timestamp: Date.now(),
  updated_timestamp: Date.now(),
})

/** The first node under the rules of `rulesOf`, all others insisting on it; a caller who asks the first two. */
export async function guardedVault(
  { deployment, program, surveillance }: ScannedDeployment,
  eventUrl: string,
  rulesOf: (guarded: DeployedNode, nodes: readonly DeployedNode[]) => string,
  /** [intent] tables of the nodes without rules. */
  names = "",
) {
  const { nodes } = deployment
  const [guarded, second] = [nodes[0]!, nodes[1]!]
  for (const node of nodes) {
    await runToEnd(program, ["event", "key", "create", "--key-file", ".password", "--json"], node.dir)
    const rules = node === guarded ? rulesOf(guarded, nodes) : names + insist(guarded, nodes)
    appendFileSync(join(node.dir, "configs", "cosigner.toml"), eventTable(eventUrl) + rules)
  }
  const bound = await makeVault(deployment, nodes, 2)
  await Promise.all(nodes.map((node) => deployment.startNode(node)))
  const vault: DemoVault = await generateKeys(deployment, bound)
  surveillance.leakScanner.expect({ channel: "tokens", what: "an event", text: "request.keysign.failed" })
  const ask = async ({
    by = "ada",
    nodes: signers = [guarded, second],
    stated,
    scheme = "ecdsa",
    ...asked
  }: Ask): Promise<SignRequestObject> => {
    const { sign_request_id } = await deployment.client.createSignRequest(vault.vaultId, {
      request_id: randomUUID(),
      ...SCHEMES[scheme],
      key_share_holder_group_id: vault.holderGroupId,
      used_tss_node_ids: signers.map(({ nodeId }) => nodeId),
      ...asked,
      extra_info: { transaction: { ...statedBy(by), ...stated } },
      deadline_seconds: 60,
    })
    return until("the end of a request", async () => {
      const now = await deployment.client.signRequest(vault.vaultId, sign_request_id)
      return isFinal(now) ? now : undefined
    })
  }
  return { ask, guarded, second, roots: vault.roots }
}

/** What was asked, how it ends, and who may be the one that refused it. */
export interface Attempt {
  readonly what: string
  readonly asked: Ask
  readonly code: string
  /** Part of the reason that the caller and the event are given. */
  readonly reason: string
  readonly by: readonly DeployedNode[]
  /** What the event says that the payload does. */
  readonly intent?: RegExp
}

/** Each is declined by its code, nothing of it is signed, and the event says so, of a node that may have refused it. */
export async function expectRefused(
  attempts: readonly Attempt[],
  ask: (asked: Ask) => Promise<SignRequestObject>,
  told: readonly Told[],
): Promise<void> {
  for (const { what, asked, code, reason, by, intent } of attempts) {
    const before = told.length
    const { status, failed_reason, signatures } = await ask(asked)
    expect({ what, status, code: failed_reason.slice(0, code.length), signatures, failed_reason }).toMatchObject({
      ...{ what, status: "Declined", code, signatures: [] },
    })
    expect(failed_reason).toContain(reason)
    const event = await until(`the event of ${what}`, async () =>
      told.slice(before).find(({ data }) => data.failed_reason.startsWith(code)),
    )
    expect(by.map(({ nodeId }) => nodeId)).toContain(event.node_id)
    if (intent !== undefined) expect(event.data.intent?.join("\n")).toMatch(intent)
  }
}
