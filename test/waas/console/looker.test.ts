/** What the console says of a WaaS at work: nodes, vaults, requests as they run, who refused and why, what will be signed. */
import { expect, test } from "bun:test"
import { keccak256, parseEther, serializeTransaction } from "viem"
import { fromHex, toHex } from "../../../src/bytes.ts"
import { newUuid } from "../../../src/waas/ids.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"
import { sshApprover } from "../../support/approvers.ts"
import { must, Rig } from "../../support/waas.ts"
import { viewOf } from "./view.ts"

const EVIL = `<img src=x onerror="hit()"></script>`

function payment() {
  const to = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
  const unsigned = serializeTransaction({
    chainId: 1,
    type: "eip1559",
    nonce: 7,
    to,
    value: parseEther("1.25"),
    gas: 21_000n,
    maxFeePerGas: 20_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
  })
  const data = Buffer.from(unsigned.slice(2), "hex").toString("base64")
  const ask = {
    curve: "SECP256K1" as const,
    signatureType: 1 as const,
    payloads: [{ format: "evm/transaction" as const, data }],
    messages: [{ bip32_path: "m/44/60/0/0/5", msg_hash: keccak256(unsigned), tweak: "", payload: 0 }],
  }
  return { to, ask }
}

test("a request is shown as it runs: who approved, who is waited for, and how it ended", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  await view.look()
  const [open] = view.requests({ state: "open" })
  expect(open).toMatchObject({ id: request.signRequestId, kind: "signature", what: "KeySign EdDSA", vault: "v" })
  expect(open?.tasks[0]?.nodes.map(({ said }) => said)).toEqual(["approved", "asked"])
  expect(open?.waiting_for).toEqual([`${rig.node(1).id} (no approval)`])
  expect(view.overview().open_requests).toBe(1)

  // Nothing is told again while nothing happens.
  const told = view.told()
  await view.look()
  expect(view.told()).toBe(told)

  rig.node(1).online = false
  await view.look()
  expect(view.requests({ state: "open" })[0]?.waiting_for).toEqual([`${rig.node(1).id} (offline)`])

  rig.node(1).behaviour = {}
  await rig.online(rig.node(1))
  await rig.relay.settle()
  await view.look()
  const [done] = view.requests({ state: "done", kind: "signature" })
  expect(done?.tasks[0]?.nodes.map(({ said }) => said)).toEqual(["done", "done"])
  expect(view.requests({ state: "open" })).toEqual([])
  expect(view.overview().open_requests).toBe(0)
})

test("who refused is named, with code and reason; the key generation stands behind it", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const made = await rig.madeVault()
  rig.node(0).behaviour = { decide: () => "reject" }
  await rig.sign(made)
  await rig.relay.settle()
  await view.look()
  const [refused, keys] = view.requests()
  expect(refused).toMatchObject({ state: "refused", status: "Declined" })
  expect(refused?.tasks[0]?.nodes[0]).toMatchObject({
    name: "n0",
    said: "refused",
    code: "E-RSK-001",
    reason: "not today",
  })
  expect(keys).toMatchObject({ kind: "key", what: "KeyGen", state: "done" })
  expect(keys?.tasks.map(({ nodes }) => nodes.map(({ said }) => said))).toEqual([
    ["done", "done", "done"],
    ["done", "done", "done"],
  ])
})

test("what waits for people says for whom and where, and whose words are here; nothing does once it is decided", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const view = viewOf(rig)
  for (const node of rig.nodes) {
    const token = { incarnation: 0, boot: 1, bootId: node.id, generation: 1, versions: { ...VERSIONS, link: 4 } }
    await rig.engine.admitFencingToken(node.id, token)
    node.behaviour = { decide: (task) => (task.type === "KeyGen" ? "approve" : "silent") }
  }
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  await rig.relay.settle()
  const [task] = await rig.engine.tasksOf(request)
  const { taskId, digest } = must(task)
  const awaited = [{ kind: "approvals" as const, group: "treasury", min: 2, by: ["alice"] }]
  for (const node of rig.nodes.slice(0, 2))
    await rig.engine.onFrame(node.id, { kind: "awaits", taskId, digest, epoch: "cd".repeat(32), awaited })
  const alice = sshApprover("alice")
  const word = alice.sign({
    ...{ task: taskId, document: digest, intent: undefined, group: undefined, epoch: "cd".repeat(32), reading: ["x"] },
    ...{ decision: "approve" as const, approver: "alice", notAfter: 1_900_000_000, nonce: "1".padStart(32, "0") },
  })
  await rig.engine.addApproval(request, word)
  await view.look()
  const [shown] = view.requests({ waits: "people" })
  expect(shown?.tasks[0]?.awaits).toEqual([{ text: "2 of treasury (alice)", nodes: ["n0", "n1"] }])
  expect(shown?.tasks[0]?.people).toEqual([{ approver: "alice", decision: "approve", not_after_ms: 1_900_000_000_000 }])
  expect(shown?.tasks[0]?.nodes.map(({ said }) => said)).toEqual(["awaits people", "awaits people"])
  expect(view.overview().awaiting_people).toBe(1)
  await rig.engine.cancelSignRequest(request.signRequestId)
  await view.look()
  expect(view.requests({ waits: "people" })).toEqual([])
  expect(view.requests({ state: "cancelled" })[0]).toMatchObject({ awaits_people: false, tasks: [{ awaits: [] }] })
  expect(view.overview().awaiting_people).toBe(0)
})

test("a request that cannot be read just now keeps no other away, and comes with the next look", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const [lost, other] = [await rig.sign(made), await rig.sign(made)]
  await rig.relay.settle()
  const read = rig.store.signRequest
  rig.store.signRequest = async (id) => {
    if (id === lost.signRequestId) throw new Error("away")
    return await read(id)
  }
  const view = viewOf(rig)
  await view.once()
  expect(view.failures()).toBe(1)
  expect(view.overview().nodes).toHaveLength(3)
  const ids = () => view.requests({ kind: "signature" }).map(({ id }) => id)
  expect(ids()).toEqual([other.signRequestId])
  rig.store.signRequest = read
  await view.once()
  expect(view.failures()).toBe(1)
  expect(ids()).toContain(lost.signRequestId)
})

test("what a payload does is said in words by the decoders of the nodes; one that nobody reads says why", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const made = await rig.madeVault()
  const { to, ask } = payment()
  await rig.sign(made, ask)
  await rig.sign(made, {
    ...ask,
    payloads: [{ format: "evm/transaction", data: Buffer.from("02ff").toString("base64") }],
  })
  await rig.relay.settle()
  await view.look()
  const [unread, read] = view.requests({ kind: "signature" })
  expect(read?.intents[0]?.text).toContain("1.25 ETH")
  expect(read?.intents[0]?.text).toContain(to)
  expect(read?.intents[0]?.hash).toMatch(/^0x[0-9a-f]{64}$/)
  expect(read?.unread).toBe("")
  expect(unread).toMatchObject({ intents: [], unread: expect.stringMatching(/^E-INT-\d+ /) })
})

test("a document that is too long is left to the nodes", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const made = await rig.madeVault()
  const { ask } = payment()
  const data = Buffer.alloc(250_000, 1).toString("base64")
  await rig.sign(made, { ...ask, payloads: [{ format: "evm/transaction", data }] })
  await view.look()
  expect(view.requests({ kind: "signature" })[0]?.unread).toContain("too long")
})

test("vaults show groups, epochs and who can sign with what; nodes that go take it away", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const { group } = await rig.madeVault()
  await view.look()
  const algorithms = () => view.vaults()[0]?.groups[0]?.keys.flatMap((key) => key.algorithms)
  expect(view.vaults()[0]?.groups[0]).toMatchObject({ group_id: group.groupId, status: "Valid", threshold: 2 })
  expect(algorithms()).toEqual([
    { algorithm: "ecdsa", able: 3, missing: [] },
    { algorithm: "bip340", able: 3, missing: [] },
    { algorithm: "eddsa", able: 3, missing: [] },
  ])
  const [share] = must(await rig.store.group(group.groupId)).shareGroups
  await rig.engine.onFrame(rig.node(2).id, {
    kind: "readiness",
    code: "",
    reason: "",
    open: 0,
    most: 100,
    blocked: [{ groupId: share?.shareGroupId ?? "", algorithm: "ecdsa", code: "E-TSK-040" }],
    refresh: [],
  })
  rig.node(1).online = false
  await view.look()
  expect(algorithms()?.[0]).toEqual({ algorithm: "ecdsa", able: 1, missing: ["n1: offline", "n2: its key is blocked"] })
  expect(algorithms()?.[2]?.able).toBe(2)
  const nodes = view.overview().nodes
  expect(nodes.map(({ names, state }) => [names, state]).sort()).toEqual([
    [["n0"], "ready"],
    [["n1"], "away"],
    [["n2"], "ready"],
  ])
  expect(nodes.find(({ names }) => names[0] === "n2")?.blocked).toEqual([
    { group_id: share?.shareGroupId ?? "", algorithm: "ecdsa", code: "E-TSK-040" },
  ])
  await rig.engine.onFrame(rig.node(2).id, {
    kind: "readiness",
    code: "E-STA-010",
    reason: "no space",
    open: 0,
    most: 100,
    blocked: [],
    refresh: [],
  })
  await view.look()
  expect(view.overview().nodes.find(({ names }) => names[0] === "n2")).toMatchObject({
    state: "not ready",
    code: "E-STA-010",
    reason: "no space",
  })
})

test("a console that starts later finds what was there, in its order", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const ids: string[] = []
  for (let i = 0; i < 3; i++) {
    rig.clock.advance(1000)
    ids.push((await rig.sign(made)).signRequestId)
  }
  await rig.relay.settle()
  const view = viewOf(rig)
  await view.look()
  expect(view.requests({ kind: "signature" }).map(({ id }) => id)).toEqual(ids.toReversed())
  expect(view.requests({ kind: "key" })).toHaveLength(1)
})

test("what retention took from the store leaves the console too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const view = viewOf(rig)
  const made = await rig.madeVault()
  await rig.sign(made)
  await rig.relay.settle()
  await view.look()
  expect(view.requests({ kind: "signature", state: "done" })).toHaveLength(1)
  await rig.pass(700_000)
  await rig.pass(1)
  expect(await rig.store.forgetEnded(rig.clock.nowMs, 10)).toBe(1)
  for (let i = 0; i < 600; i++) await view.look()
  expect(view.requests({ kind: "signature" })).toEqual([])
  expect(view.requests({ kind: "key" })).toHaveLength(1)
})

test("of a webhook's address scheme and host are shown, and how its deliveries go", async () => {
  await using rig = await Rig.open()
  const endpoint = {
    endpointId: newUuid(),
    url: "https://hooks.example.com/secret-path?token=secret-token",
    eventTypes: ["mpc_vaults.created"],
    description: "ledger",
    status: "STATUS_ACTIVE" as const,
    createdMs: rig.clock.nowMs,
  }
  await rig.store.commit([{ put: "webhookEndpoint", record: endpoint }])
  await rig.vault()
  const view = viewOf(rig)
  await view.look()
  expect(view.overview().webhooks.endpoints[0]).toMatchObject({
    server: "https://hooks.example.com",
    waiting: 1,
    failed: 0,
    last_ms: null,
  })
  expect(JSON.stringify(view.overview())).not.toContain("secret")
})

test("texts of strangers are cut and passed on as they are, and nothing else of a request leaves", async () => {
  await using rig = await Rig.open()
  const view = viewOf(rig)
  const made = await rig.madeVault()
  await rig.store.commit([{ put: "vault", record: { ...made.vault, name: EVIL } }])
  await rig.sign(made, {
    requestId: EVIL,
    description: EVIL.repeat(100),
    extraInfo: { secret: "of-the-caller" },
  })
  await rig.relay.settle()
  await view.look()
  const [shown] = view.requests({ kind: "signature" })
  expect(shown).toMatchObject({ vault: EVIL, request_id: EVIL })
  expect(shown?.description).toHaveLength(512)
  expect(JSON.stringify(shown)).not.toContain("of-the-caller")
  const signature = must((await rig.signatures(must(await rig.store.signRequest(shown?.id ?? ""))))[0]).signature
  expect(toHex(must(fromHex(signature)))).toHaveLength(128)
  expect(JSON.stringify(shown)).not.toContain(signature)
})

test("a look costs one portion, however much was written", async () => {
  await using rig = await Rig.open({ openTasks: 1000, curves: ["ED25519"] })
  const view = viewOf(rig)
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { decide: () => "silent" }
  for (let i = 0; i < 120; i++) await rig.sign(made)
  await view.look()
  expect(view.mostAtOnce()).toBe(50)
  expect(view.requests({ state: "open" })).toHaveLength(120)
})

test("what other replicas make is found, and goes on to be shown as it ends there", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const seen = { isAlive: true, seenMs: rig.clock.nowMs }
  const view = viewOf(rig, [
    { ...seen, id: "3", name: "other" },
    { ...seen, id: "1", name: "this" },
  ])
  await view.look()
  expect(view.overview().replicas.map(({ id, leads, is_this }) => [id, leads, is_this])).toEqual([
    ["3", false, false],
    ["1", true, true],
  ])
  // Written by nobody that this one hears.
  rig.onWritten = () => {}
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  const vault = await rig.vault()
  const looks = async () => {
    for (let i = 0; i < 5; i++) await view.look()
  }
  await looks()
  expect(view.vaults().some(({ vault_id }) => vault_id === vault.vaultId)).toBe(true)
  expect(view.requests({ state: "open" }).map(({ id }) => id)).toEqual([request.signRequestId])
  await rig.engine.cancelSignRequest(request.signRequestId)
  await rig.pass(700_000)
  await looks()
  expect(view.requests({ state: "open" })).toEqual([])
})
