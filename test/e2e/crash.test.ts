/** Nodes and WaaS die in the middle of work, on the real binary: every task ends once, typed, and nothing is lost. */

import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { sign, until } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { Client, SignRequestObject } from "../../src/waas/client.ts"
import { readyVault, scannedDeployment } from "./deployment.ts"

const final = new Set(["Completed", "Declined", "Failed", "Canceled"])

const ended = (client: Client, vaultId: string, id: string): Promise<SignRequestObject> =>
  until("the end of a request", async () => {
    const now = await client.signRequest(vaultId, id)
    return final.has(now.status) ? now : undefined
  })

const LONG = process.env["COSIGNER_LONG"] === "1"

test("a node killed at random moments of signing: the request completes after its return, once", async () => {
  await using it = await scannedDeployment(3)
  const { deployment } = it
  const vault = await readyVault(deployment, 2)
  const [one, two] = deployment.nodes
  for (const pauseMs of LONG ? [0, 15, 40, 80, 160] : [0, 40, 160]) {
    const wanted = solana(vault, pauseMs)
    const body = {
      request_id: randomUUID(),
      curve: "ED25519" as const,
      signature_type: 2 as const,
      key_share_holder_group_id: vault.holderGroupId,
      used_tss_node_ids: [one!.nodeId, two!.nodeId],
      messages: [{ bip32_path: wanted.path, msg_hash: `0x${Buffer.from(wanted.message).toString("hex")}`, tweak: "" }],
      deadline_seconds: 60,
    }
    const asked = await deployment.client.createSignRequest(vault.vaultId, body)
    await Bun.sleep(pauseMs) // the moment is the point: anywhere in claim, approval, session or report
    await deployment.endNode(two!, "SIGKILL")
    await deployment.startNode(two!)
    const done = await ended(deployment.client, vault.vaultId, asked.sign_request_id)
    expect({ pauseMs, status: done.status, reason: done.failed_reason }).toEqual({
      pauseMs,
      status: "Completed",
      reason: "",
    })
    expect(done.signatures.length).toBe(1)
    // idempotent: the same request is the same answer
    const again = await deployment.client.createSignRequest(vault.vaultId, body)
    expect(again.sign_request_id).toBe(asked.sign_request_id)
    expect(again.signatures).toEqual(done.signatures)
  }
}, 180_000)

test("a node killed during key generation: the keys are made all the same, and sign", async () => {
  await using it = await scannedDeployment(3)
  const { deployment } = it
  const vaultReady = readyVault(deployment, 2)
  // as soon as the first session runs
  await until("the first task", async () => {
    const vaults = await deployment.client.vaults({})
    const [vault] = vaults.data
    if (vault === undefined) return undefined
    const groups = await deployment.client.call("GET", `/wallets/mpc/vaults/${vault.vault_id}/key_share_holder_groups`)
    const text = JSON.stringify(groups)
    const groupId = /"key_share_holder_group_id":"([^"]+)"/.exec(text)?.[1]
    if (groupId === undefined) return undefined
    const page = await deployment.client.call("GET", `/wallets/mpc/vaults/${vault.vault_id}/tss_requests`, {
      key_share_holder_group_id: groupId,
    })
    return JSON.stringify(page).includes("KeyGenerating") ? true : undefined
  })
  await deployment.endNode(deployment.nodes[2]!, "SIGKILL")
  await deployment.startNode(deployment.nodes[2]!)
  const vault = await vaultReady
  const wanted = solana(vault, 1)
  const answer = await sign(deployment, vault, {
    curve: "ed25519",
    signatureType: 2,
    path: wanted.path,
    message: wanted.message,
    tweak: "",
    nodes: [deployment.nodes[1]!, deployment.nodes[2]!],
    extraInfo: {},
  })
  expect(answer.kind).toBe("signed")
}, 180_000)

test("a cancel and a deadline end a request that a dead participant holds up", async () => {
  await using it = await scannedDeployment(3)
  const { deployment } = it
  const vault = await readyVault(deployment, 2)
  const [one, two] = deployment.nodes
  await deployment.endNode(two!, "SIGKILL")
  const wanted = solana(vault, 3)
  const body = (deadline: number) => ({
    request_id: randomUUID(),
    curve: "ED25519" as const,
    signature_type: 2 as const,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: [one!.nodeId, two!.nodeId],
    messages: [{ bip32_path: wanted.path, msg_hash: `0x${Buffer.from(wanted.message).toString("hex")}`, tweak: "" }],
    deadline_seconds: deadline,
  })
  const cancelled = await deployment.client.createSignRequest(vault.vaultId, body(600))
  await deployment.client.cancelSignRequest(vault.vaultId, cancelled.sign_request_id)
  expect((await ended(deployment.client, vault.vaultId, cancelled.sign_request_id)).status).toBe("Canceled")
  const late = await deployment.client.createSignRequest(vault.vaultId, body(5))
  expect(await ended(deployment.client, vault.vaultId, late.sign_request_id)).toMatchObject({ status: "Failed" })
}, 120_000)
