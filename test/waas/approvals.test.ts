/** Words of people through WaaS: kept before they go on, brought to whoever waits, and never made, changed or moved by it. */
import { expect, test } from "bun:test"
import { encodeSignedStatement, type SignedStatement } from "../../src/approvals/approver.ts"
import { signedJson } from "../../src/approvals/json.ts"
import type { ApprovalStatement } from "../../src/approvals/statement.ts"
import { toHex } from "../../src/bytes.ts"
import { decodeTask, taskDigest } from "../../src/wire/task.ts"
import { VERSIONS } from "../../src/wire/versions.ts"
import { passkeyApprover, sshApprover, type TestApprover } from "../support/approvers.ts"
import type { SimulatedNode } from "../support/simulatedNodes.ts"
import { must, Rig } from "../support/waas.ts"
import { Caller } from "./api/caller.ts"

const alice = sshApprover("alice")
const carol = passkeyApprover("carol")
const EPOCH = "cd".repeat(32)

/** A signing request whose nodes wait for two of treasury, and a caller that may hand over words. */
async function waiting(link = 4, asked = 128) {
  const rig = await Rig.open({ curves: ["ED25519"], windows: { asked, running: 128 } })
  for (const node of rig.nodes) {
    const token = { incarnation: 0, boot: 1, bootId: node.id, generation: 1, versions: { ...VERSIONS, link } }
    await rig.engine.admitFencingToken(node.id, token)
  }
  const made = await rig.madeVault(2)
  const nodes = rig.nodes.slice(0, 2)
  for (const node of nodes) node.behaviour = { decide: () => "silent" }
  const request = await rig.sign(made, { nodeIds: nodes.map(({ id }) => id) })
  await rig.relay.settle()
  const taskId = must(request.taskIds[0])
  const path = `/v2/wallets/mpc/vaults/${request.vaultId}/sign_requests/${request.signRequestId}`
  const task = must((await rig.engine.tasksOf(request))[0])
  const says = (node: SimulatedNode, by: readonly string[] = []) =>
    rig.engine.onFrame(node.id, {
      kind: "awaits",
      taskId,
      digest: task.digest,
      epoch: EPOCH,
      awaited: [{ kind: "request" }, { kind: "approvals", group: "treasury", min: 2, by }],
    })
  const caller = await Caller.of(rig, "ed25519", { role: "approve" })
  let nonce = 0
  const word = (who: TestApprover, more: Partial<ApprovalStatement> = {}): SignedStatement =>
    who.sign({
      ...{ task: taskId, document: task.digest, intent: undefined, group: undefined, epoch: EPOCH, reading: ["x"] },
      ...{ decision: "approve" as const, approver: who.approver.name, notAfter: 1_900_000_000 },
      nonce: (++nonce).toString(16).padStart(32, "0"),
      ...more,
    })
  const give = async (signed: SignedStatement | object) => {
    const body =
      "statement" in signed && signed.statement instanceof Uint8Array ? signedJson(signed as SignedStatement) : signed
    return caller.call("POST", `${path}/approvals`, { body })
  }
  return { rig, request, task, nodes, path, caller, says, word, give }
}

const wordsAt = (node: SimulatedNode): readonly string[] =>
  node.received.flatMap((frame) => (frame.kind === "approval" ? [toHex(frame.signed)] : []))
const hex = (signed: SignedStatement): string => toHex(encodeSignedStatement(signed))

test("a word is kept and goes to every node that has the task, exactly as it came; whoever waits gets all again", async () => {
  const { rig, nodes, path, caller, says, word, give, task } = await waiting()
  await using _ = rig
  const [first, second] = [must(nodes[0]), must(nodes[1])]
  await says(first)
  const words = [word(alice, { decision: "request" }), word(carol)]
  for (const one of words) expect((await give(one)).status).toBe(201)
  expect((await give(must(words[0]))).status).toBe(201) // the same again
  await rig.relay.settle()
  expect(wordsAt(first)).toEqual(words.map(hex))
  expect(wordsAt(second)).toEqual(words.map(hex))
  await says(second, ["carol"])
  await rig.relay.settle()
  expect(wordsAt(second)).toEqual([...words.map(hex), ...words.map(hex)])
  const stored = rig.engine.look().task(task.taskId)
  await says(second, ["carol"])
  await rig.relay.settle()
  expect(wordsAt(second)).toHaveLength(6)
  expect(rig.engine.look().task(task.taskId)).toBe(must(stored))

  const { json } = await caller.call("GET", `${path}/approvals`)
  expect(json.tasks).toHaveLength(1)
  const [shown] = json.tasks
  expect(taskDigest(Buffer.from(shown.document))).toBe(task.digest)
  expect(decodeTask(Buffer.from(shown.document))).toHaveProperty("task_id", task.taskId)
  expect(shown.awaited).toContainEqual({
    tss_node_id: second.id,
    epoch: EPOCH,
    request: true,
    groups: [{ group: "treasury", min: 2, approved_by: ["carol"] }],
  })
  expect(shown.approvals.map(({ approver, decision }: ApprovalStatement) => `${decision} ${approver}`)).toEqual([
    "request alice",
    "approve carol",
  ])
  const seen = (await caller.call("GET", path)).json
  expect(seen.awaits_approval).toBe(true)
  const inVault = path.replace(/sign_requests.*/, "approvals")
  const id = path.split("/").at(-1)
  expect((await caller.call("GET", inVault)).json).toEqual({ requests: [{ sign_request_id: id }] })
  const none = await caller.call("GET", inVault.replace(/vaults\/[^/]+/, `vaults/${crypto.randomUUID()}`))
  expect(none.status).toBe(404)
  expect(seen.waiting_for.join()).toContain("waits for the asker, 2 of treasury (carol)")

  // Nothing is lost with the process.
  await rig.start()
  await says(first)
  await rig.relay.settle()
  expect(wordsAt(first).slice(2)).toEqual(words.map(hex))
})

test("what is no word, or about another task, is refused; so is what fills the list", async () => {
  const { rig, word, give, path, caller } = await waiting()
  await using _ = rig
  const good = signedJson(word(alice))
  const bad: readonly object[] = [
    word(alice, { task: "another" }),
    word(alice, { document: "00".repeat(32) }),
    { ...good, statement: `${good.statement} ` },
    { ...good, statement: "yes" },
    { statement: good.statement },
    { ...good, passkey: signedJson(word(carol)).passkey },
    { ...good, ssh_signature: "yes" },
    { ...good, more: 1 },
  ]
  for (const one of bad)
    expect(await give(one)).toMatchObject({ status: 400, json: { error_code: expect.any(Number) } })
  for (let i = 0; i < 8; i++) expect((await give(word(alice))).status).toBe(201)
  expect((await give(word(alice))).status).toBe(400)
  expect((await give(word(alice, { decision: "reject" }))).status).toBe(201)
  const reader = await Caller.of(rig, "ed25519", { role: "read" })
  expect((await reader.call("POST", `${path}/approvals`, { body: good })).status).toBe(403)
  expect((await reader.call("GET", `${path}/approvals`)).json.tasks[0].approvals).toHaveLength(9)
  expect((await caller.call("POST", `${path}/cancel`)).status).toBe(403)
})

test("a rejection that came while a node was away is brought to it once it is back, though it waits for nobody any more", async () => {
  const { rig, nodes, task, says, word, give } = await waiting()
  await using _ = rig
  const node = must(nodes[0])
  await says(node)
  const approved = { kind: "report", taskId: task.taskId, digest: task.digest, type: "KeySign", status: 130 } as const
  await rig.engine.onFrame(node.id, {
    ...{ ...approved, approved: true, attempt: 0, code: "", reason: "", outcome: undefined },
  })
  node.online = false
  const rejection = word(alice, { decision: "reject" })
  await give(rejection)
  await rig.relay.settle()
  expect(wordsAt(node)).toEqual([])
  await rig.online(node)
  await rig.relay.settle()
  expect(wordsAt(node)).toEqual([hex(rejection)])
})

test("a request that has ended takes no word, and keeps those that it had", async () => {
  const { rig, nodes, word, give, path, caller, says, request } = await waiting()
  await using _ = rig
  await says(must(nodes[0]))
  expect((await give(word(alice))).status).toBe(201)
  await rig.engine.cancelSignRequest(request.signRequestId)
  expect((await give(word(carol))).status).toBeGreaterThanOrEqual(400)
  const { json } = await caller.call("GET", `${path}/approvals`)
  expect(json.tasks[0].state).toBe("cancelled")
  expect(json.tasks[0].approvals).toHaveLength(1)
  expect((await caller.call("GET", path)).json.awaits_approval).toBe(false)
  expect((await caller.call("GET", path.replace(/sign_requests.*/, "approvals"))).json).toEqual({ requests: [] })
})

test("a node of before is sent no word, and a node cannot say what it waits for of another's task", async () => {
  const { rig, nodes, word, give, says, request } = await waiting(3)
  await using _ = rig
  await give(word(alice))
  await rig.relay.settle()
  await rig.engine.onOnline(must(nodes[0]).id, "restarted")
  await rig.relay.settle()
  for (const node of nodes) expect(wordsAt(node)).toEqual([])
  await says(must(rig.nodes[2]))
  expect(must((await rig.engine.tasksOf(request))[0]).awaits).toBeUndefined()
})

test("nodes that wait for people take no room from others, up to a bound", async () => {
  const { rig, nodes, says } = await waiting(4, 1)
  await using _ = rig
  for (const node of nodes) await says(node)
  for (const node of rig.nodes) node.behaviour = {}
  const made = await rig.madeVault(2)
  const other = await rig.sign(made, { nodeIds: nodes.map(({ id }) => id) })
  await rig.relay.settle()
  expect((await rig.signed(other)).status).toBe("Completed")
})

test("a vault's approval deadline is that of its signing requests, unless one asks for another", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const { vault } = await rig.madeVault(2)
  const caller = await Caller.of(rig)
  const path = `/v2/wallets/mpc/vaults/${vault.vaultId}`
  expect((await caller.call("PUT", path, { body: { approval_deadline_seconds: 86_400 } })).json).toMatchObject({
    name: vault.name,
    approval_deadline_seconds: 86_400,
  })
  const ask = async (more: object) => {
    const body = {
      ...{ request_id: `${Math.random()}`, curve: "ED25519", signature_type: 2, ...more },
      messages: [{ bip32_path: "m/0", msg_hash: "0x01" }],
    }
    const { json } = await caller.call("POST", `${path}/sign_requests`, { body })
    const { json: shown } = await caller.call("GET", `${path}/sign_requests/${json.sign_request_id}/approvals`)
    return shown.tasks[0].deadline_timestamp - rig.clock.now()
  }
  expect(await ask({})).toBe(86_400_000)
  expect(await ask({ deadline_seconds: 60 })).toBe(60_000)
  expect((await caller.call("PUT", path, { body: { approval_deadline_seconds: 0, name: "x" } })).json).toMatchObject({
    name: "x",
  })
  expect(await ask({})).toBeLessThan(86_400_000)
  expect((await caller.call("PUT", path, { body: {} })).status).toBe(400)
})
