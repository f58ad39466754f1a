/**
 * Risk control across kill -9, on the real binary: an approval is asked for until it is durable and never twice after, a
 * limit is not spent twice, an event is neither lost nor sent before what it reports. The servers are this test's own.
 */

import { expect, test } from "bun:test"
import { createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto"
import { appendFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type DeployedNode, type Deployment, object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import { type Program, runToEnd } from "../../src/kit/demo/processes.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { SignRequestObject } from "../../src/waas/client.ts"
import { FORM_FIELD, openToken, tokenSigner } from "../../src/wire/tssJwt.ts"
import { scannedDeployment } from "./deployment.ts"
import { tellRsa } from "./leaks/secrets.ts"
import type { Surveillance } from "./leaks/surveillance.ts"

const serverKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
const sign = tokenSigner(serverKey.privateKey, "the test's callback key")

interface Asked {
  readonly type: number
  readonly detail: Readonly<Record<string, unknown>>
  answer(action: "APPROVE" | "REJECT"): void
}

/** Records what it is asked and answers when told to. */
function callbackServer(nodeKey: () => KeyObject, hear: Surveillance["token"]) {
  const asked: Asked[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      const text = await request.text()
      hear("callback requests", text)
      const form = new URLSearchParams(text)
      const opened = await openToken(form.get(FORM_FIELD) ?? "", nodeKey(), Date.now())
      if (!opened.ok) return new Response("bad token", { status: 400 })
      const body = JSON.parse(opened.body)
      const { promise, resolve } = Promise.withResolvers<"APPROVE" | "REJECT">()
      asked.push({ type: body.request_type, detail: JSON.parse(body.request_detail), answer: resolve })
      const answer = { request_id: body.request_id, status: 0, action: await promise }
      const token = await sign(JSON.stringify(answer), Date.now() + 60_000)
      hear("callback answers", token)
      return new Response(token)
    },
  })
  return { asked, url: `http://127.0.0.1:${server.port}/v2/check`, [Symbol.asyncDispose]: () => server.stop(true) }
}

const key = ["--key-file", ".password", "--json"]

async function publicKeyOf(program: Program, node: DeployedNode): Promise<KeyObject> {
  return createPublicKey(text(object(await runToEnd(program, ["info", ...key], node.dir)), "callback_public_key"))
}

function configure(deployment: Deployment, node: DeployedNode, url: string, more: string): void {
  const pem = join(deployment.dir, "callback-pub.pem")
  writeFileSync(pem, serverKey.publicKey.export({ format: "pem", type: "spki" }))
  const toml = `
[callback]
retry_times = 60
sleep_seconds = 1
[[callback.cb_server_v2]]
service_address = "${url}"
pubkey_path = "${pem}"
${more}`
  appendFileSync(join(node.dir, "configs", "cosigner.toml"), toml)
}

async function ask(deployment: Deployment, vault: DemoVault, index: number): Promise<string> {
  const wanted = solana(vault, index)
  const asked = await deployment.client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: "ED25519",
    signature_type: 2,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: deployment.nodes.slice(0, 2).map(({ nodeId }) => nodeId),
    messages: [{ bip32_path: wanted.path, msg_hash: `0x${Buffer.from(wanted.message).toString("hex")}` }],
    deadline_seconds: 90,
  })
  return asked.sign_request_id
}

const final = new Set(["Completed", "Declined", "Failed", "Canceled"])
const ended = (deployment: Deployment, vault: DemoVault, id: string): Promise<SignRequestObject> =>
  until("the end of a request", async () => {
    const now = await deployment.client.signRequest(vault.vaultId, id)
    return final.has(now.status) ? now : undefined
  })
const askedTimes = (asked: readonly Asked[], times: number): Promise<true> =>
  until(`${times} questions`, async () => (asked.length >= times ? true : undefined))

test("kill -9 around approvals, limits and events", async () => {
  await using it = await scannedDeployment(2)
  const { deployment, program, surveillance } = it
  const [guarded, other] = [deployment.nodes[0]!, deployment.nodes[1]!]
  const nodeKey = await publicKeyOf(program, guarded)
  await using callback = callbackServer(() => nodeKey, surveillance.token)
  tellRsa(surveillance.leakScanner, "key of the callback server", serverKey.privateKey)
  const events = eventServer(surveillance.token)
  await runToEnd(program, ["event", "key", "create", ...key], guarded.dir)
  const bound = await makeVault(deployment, deployment.nodes, 2)
  await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
  const vault = await generateKeys(deployment, bound)
  await deployment.endNode(guarded, "SIGTERM")
  configure(
    deployment,
    guarded,
    callback.url,
    `[event]
event_types = ["request.keysign.succeeded"]
sleep_seconds = 1
[[event.server]]
url = "${events.url}"
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false
[[embedded_risk_control_rules.key_sign.limits]]
name = "three"
per = "all"
window = "1h"
max = 3
`,
  )
  await deployment.startNode(guarded)

  // 1. killed while the callback server thinks: nothing was recorded, so it is asked again, and an answer to the dead counts nothing
  const first = await ask(deployment, vault, 1)
  await askedTimes(callback.asked, 1)
  await deployment.endNode(guarded, "SIGKILL")
  callback.asked[0]!.answer("APPROVE")
  const life = await deployment.startNode(guarded)
  await askedTimes(callback.asked, 2)
  expect(callback.asked[1]!.detail["msg_hash_list"]).toEqual(callback.asked[0]!.detail["msg_hash_list"])
  callback.asked[1]!.answer("APPROVE")
  expect((await ended(deployment, vault, first)).status).toBe("Completed")

  // 2. killed between approval and signing: the approval is durable, nobody is asked again
  const second = await ask(deployment, vault, 2)
  await askedTimes(callback.asked, 3)
  await deployment.endNode(other, "SIGTERM")
  callback.asked[2]!.answer("APPROVE")
  const approvals = (): number => life.lines().filter((line) => line.includes("KeySign task approved")).length
  await until("the second approval", async () => (approvals() === 2 ? true : undefined))
  await deployment.endNode(guarded, "SIGKILL")
  await deployment.startNode(guarded)
  await deployment.startNode(other)
  expect((await ended(deployment, vault, second)).status).toBe("Completed")
  expect(callback.asked.length).toBe(3)

  // 3. killed between signing and its event, whose server is down: the event comes after the restart, with its first id
  events.refuse(true)
  const third = await ask(deployment, vault, 3)
  await askedTimes(callback.asked, 4)
  callback.asked[3]!.answer("APPROVE")
  expect((await ended(deployment, vault, third)).status).toBe("Completed")
  await until("a refused event", async () => (events.refused.length > 0 ? true : undefined))
  await deployment.endNode(guarded, "SIGKILL")
  events.refuse(false)
  await deployment.startNode(guarded)
  await until("all events", async () => (new Set(events.taken).size >= 3 ? true : undefined))
  expect(events.taken).toContain(events.refused[0]!)
  expect(new Set(events.taken).size).toBe(3)

  // 4. three were signed in this hour, over four lives of the node: the fourth is refused by the rule, and nobody is asked
  const fourth = await ended(deployment, vault, await ask(deployment, vault, 4))
  expect(fourth).toMatchObject({ status: "Declined" })
  expect(fourth.failed_reason).toContain("three")
  expect(callback.asked.length).toBe(4)
  await events[Symbol.asyncDispose]()
  surveillance.leakScanner.expect(
    { channel: "tokens", what: "a request for approval", text: '"request_detail":"' },
    { channel: "tokens", what: "an event", text: "request.keysign.succeeded" },
  )
}, 180_000)

function eventServer(hear: Surveillance["token"]) {
  const taken: string[] = []
  const refused: string[] = []
  let refusing = false
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const text = await request.text()
      hear("events", text)
      const form = new URLSearchParams(text)
      const [, payload = ""] = (form.get(FORM_FIELD) ?? "").split(".")
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString())
      const event = JSON.parse(Buffer.from(claims.package_data, "base64").toString())
      ;(refusing ? refused : taken).push(event.event_id)
      return new Response("", { status: refusing ? 503 : 200 })
    },
  })
  return {
    taken,
    refused,
    refuse(yes: boolean) {
      refusing = yes
    },
    url: `http://127.0.0.1:${server.port}/v2/event`,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}
