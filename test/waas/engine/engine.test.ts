/** The engine against simulated nodes: what each ending looks like to callers and to nodes. */
import { expect, test } from "bun:test"
import { toHex } from "../../../src/bytes.ts"
import { MOST_ENVELOPES } from "../../../src/tasks/senderQuota.ts"
import { chooseSigners } from "../../../src/waas/engine/choose.ts"
import type { TaskOutcome } from "../../../src/wire/frames.ts"
import { parseNodeId } from "../../../src/wire/nodeId.ts"
import { BEFORE_VERSIONS } from "../../../src/wire/versions.ts"
import { newNodeId } from "../../support/simulatedNodes.ts"
import { errorCodeOf, must, Rig } from "../../support/waas.ts"
import { envelopeFrom } from "../../tasks/fakes.ts"

test("a key generation gives the group and the vault a root key on each curve", async () => {
  await using rig = await Rig.open()
  const vault = await rig.vault()
  const group = await rig.group(vault)
  const request = await rig.keyGen(vault, group)
  expect(request.status).toBe("PendingKeyHolderConfirmation")
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("Success")
  const made = await rig.mustGroup(group.groupId)
  expect(made.status).toBe("Valid")
  expect(made.shareGroups.map((shareGroup) => shareGroup.curve)).toEqual(["SECP256K1", "ED25519"])
  expect(made.shareGroups.every((shareGroup) => /^[A-Za-z]{20}$/.test(shareGroup.shareGroupId))).toBe(true)
  const { rootKeys } = await rig.mustVault(vault.vaultId)
  expect(rootKeys.map((key) => key.rootPubkey.slice(0, 4))).toEqual(["xpub", "cpub"])
  for (const node of rig.nodes) expect(node.stored.sort()).toEqual([...request.taskIds].sort())
  expect(await rig.store.liveTasks()).toEqual([])
})

test("with Ed25519 alone one task makes the vault", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const { vault, group } = await rig.madeVault()
  expect(group.shareGroups.map((shareGroup) => shareGroup.curve)).toEqual(["ED25519"])
  expect(vault.rootKeys.length).toBe(1)
  const none = rig.sign({ vault, group }, { curve: "SECP256K1", signatureType: 1 })
  expect(await errorCodeOf(none)).toBe(30032)
})

const digest = `0x${"17".repeat(32)}`

test.each([
  ["Ed25519", { curve: "ED25519", signatureType: 2 }, [{ bip32_path: "m", msg_hash: "0xff00", tweak: "" }]],
  ["ECDSA", { curve: "SECP256K1", signatureType: 1 }, [{ bip32_path: "m/44/60/0/0/5", msg_hash: digest, tweak: "" }]],
  ["BIP-340", { curve: "SECP256K1", signatureType: 3 }, [{ bip32_path: "m/86/0/0/0/1", msg_hash: digest, tweak: "" }]],
  [
    "Taproot",
    { curve: "SECP256K1", signatureType: 3 },
    [
      { bip32_path: "m/86/0/0/0/1", msg_hash: digest, tweak: "0x" },
      { bip32_path: "m/86/0/0/0/2", msg_hash: digest, tweak: `0x${"23".repeat(32)}` },
    ],
  ],
] as const)("%s signatures are verified and given out", async (_name, of, messages) => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const request = await rig.sign(made, { ...of, messages })
  expect(request.status).toBe("Initializing")
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  expect((await rig.signatures(request)).length).toBe(messages.length)
})

test("two requests are signed side by side", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const first = await rig.sign(made)
  const second = await rig.sign(made, { nodeIds: [rig.node(1).id, rig.node(2).id] })
  await rig.relay.settle()
  for (const request of [first, second]) expect((await rig.signed(request)).status).toBe("Completed")
})

test("33 messages become two tasks, in order, and one of them failing fails the request", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const messages = Array.from({ length: 33 }, (_, i) => ({
    bip32_path: `m/44/60/0/0/${i}`,
    msg_hash: digest,
    tweak: "",
  }))
  const of = { curve: "SECP256K1", signatureType: 1, messages } as const
  const request = await rig.sign(made, of)
  expect(request.taskIds).toEqual([request.signRequestId, `${request.signRequestId}-2`])
  await rig.relay.settle()
  const tasks = await rig.engine.tasksOf(await rig.signed(request))
  const paths = tasks.flatMap(({ outcome }) =>
    outcome?.type === "signatures" ? outcome.signatures.map((of) => of.bip32_path) : [],
  )
  expect(paths).toEqual(messages.map((of) => of.bip32_path))

  rig.node(1).behaviour = {
    decide: (task) => (task.type === "KeySign" && task.messages.length === 1 ? "reject" : "approve"),
    attempt: () => "silent",
  }
  rig.node(0).behaviour = { attempt: () => "silent" }
  const second = await rig.sign(made, of)
  await rig.relay.settle()
  expect((await rig.signed(second)).status).toBe("Declined")
  expect((await rig.engine.tasksOf(second)).map(({ state, code }) => [state, code])).toEqual([
    ["cancelled", "E-WAA-026"],
    ["rejected", "E-RSK-001"],
  ])
  expect(new Set(rig.node(0).cancelled)).toEqual(new Set(second.taskIds))
})

test("a task waits for the last approval, and nothing starts before it", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Initializing")
  expect(
    rig.node(0).received.some((frame) => frame.kind === "start" && isOf(frame.start.document, request.taskIds[0])),
  ).toBe(false)
  rig.node(1).behaviour = {}
  await rig.online(rig.node(1))
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
})

const isOf = (document: Uint8Array, taskId: string | undefined): boolean =>
  Buffer.from(document).toString().includes(must(taskId))

test("a rejection ends the request with the node's code and reason, and cancels the others", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "reject" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const ended = await rig.signed(request)
  expect([ended.status, ended.code, ended.reason]).toEqual(["Declined", "E-RSK-001", "not today"])
  expect(rig.node(0).cancelled).toEqual([...request.taskIds])
  expect(rig.node(1).stored).toContain(must(request.taskIds[0]))
  await rig.pass(1)
  expect(await rig.store.liveTasks()).toEqual([])
})

test("a rejected key generation leaves the group New, and it can be asked for again", async () => {
  await using rig = await Rig.open()
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = {
    decide: (task) => (task.type === "KeyGen" && task.curve === "ed25519" ? "reject" : "approve"),
  }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("KeyHolderConfirmationFailed")
  expect((await rig.mustGroup(group.groupId)).status).toBe("New")
  expect((await rig.mustVault(vault.vaultId)).rootKeys).toEqual([])
  rig.node(2).behaviour = {}
  const again = await rig.keyGen(vault, group)
  await rig.relay.settle()
  expect((await rig.tss(again)).status).toBe("Success")
  expect(await errorCodeOf(rig.keyGen(vault, group))).toBe(2029)
})

test("a key generation that not all confirm in time was not confirmed; one that hangs failed", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).online = false
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  await rig.pass(3_600_000)
  expect((await rig.tss(request)).status).toBe("KeyHolderConfirmationFailed")
  await rig.online(rig.node(2))
  await rig.relay.settle()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const second = await rig.keyGen(vault, group)
  await rig.relay.settle()
  expect((await rig.tss(second)).status).toBe("KeyGenerating")
  await rig.pass(3_600_000)
  expect((await rig.tss(second)).status).toBe("KeyGeneratingFailed")
})

test("one open key generation per group", async () => {
  await using rig = await Rig.open()
  const vault = await rig.vault()
  const group = await rig.group(vault)
  await rig.keyGen(vault, group)
  expect(await errorCodeOf(rig.keyGen(vault, group))).toBe(2029)
})

test("an offline node is waited for, and the deadline names it", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).online = false
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.pass(599_999)
  expect((await rig.signed(request)).status).toBe("Initializing")
  await rig.pass(1)
  await rig.relay.settle()
  const ended = await rig.signed(request)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-020"])
  expect(ended.reason).toContain(`${rig.node(1).id} (offline)`)
  // The other one was not asked in vain, and has nothing to cancel.
  expect(rig.node(0).journal.has(must(request.taskIds[0]))).toBe(false)
})

test("nothing starts while a participant that has approved is away", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  rig.node(0).online = false
  rig.node(1).behaviour = {}
  await rig.online(rig.node(1))
  await rig.relay.settle()
  expect((await rig.engine.tasksOf(request))[0]?.state).toBe("ready")
  await rig.online(rig.node(0))
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("a cancelled request cancels at the nodes, also at one that was away, and cannot be cancelled twice", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  rig.node(0).online = false
  const cancelled = await rig.engine.cancelSignRequest(request.signRequestId)
  expect([cancelled.status, cancelled.code]).toEqual(["Canceled", "E-WAA-021"])
  await rig.relay.settle()
  expect(rig.node(0).cancelled).toEqual([])
  await rig.online(rig.node(0))
  await rig.relay.settle()
  expect(rig.node(0).cancelled).toEqual([...request.taskIds])
  expect(await errorCodeOf(rig.engine.cancelSignRequest(request.signRequestId))).toBe(60005)
  expect(await errorCodeOf(rig.engine.cancelSignRequest("nobody"))).toBe(2028)
  await rig.pass(600_000)
  expect(await rig.store.liveTasks()).toEqual([])
})

test("an attempt that ends without a result is begun again after a pause, and three are the most", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  let aborts = 2
  rig.node(1).behaviour = { attempt: () => (aborts-- > 0 ? "abort" : "work") }
  rig.node(0).behaviour = { attempt: (_task, attempt) => (attempt < 3 ? "silent" : "work") }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const state = async () => must((await rig.engine.tasksOf(request))[0])
  expect([(await state()).state, (await state()).attempt]).toEqual(["ready", 1])
  await rig.pass(99)
  expect((await state()).attempt).toBe(1)
  await rig.pass(1)
  await rig.relay.settle()
  expect((await state()).attempt).toBe(2)
  await rig.pass(200)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")

  aborts = 3
  rig.node(0).behaviour = { attempt: () => "silent" }
  const second = await rig.sign(made)
  await rig.relay.settle()
  for (let i = 0; i < 3; i++) {
    await rig.pass(1000)
    await rig.relay.settle()
  }
  const ended = await rig.signed(second)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-024"])
  expect(ended.reason).toContain("E-TSK-998")
})

test("an attempt that hangs is begun again", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const hang = { attempt: (_task: unknown, attempt: number) => (attempt === 1 ? "silent" : "work") } as const
  for (const node of rig.nodes) node.behaviour = hang
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.pass(60_000)
  await rig.pass(100)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("a node that gives up fails the request with its reason", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(0).behaviour = { attempt: () => "silent" }
  rig.node(1).behaviour = { attempt: () => "fail" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const ended = await rig.signed(request)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-027"])
  expect(ended.reason).toContain("E-TSK-997")
})

const flip = (hex: string): string => hex.slice(0, -2) + (hex.endsWith("00") ? "01" : "00")

function forged(outcome: TaskOutcome): TaskOutcome {
  if (outcome.type !== "signatures") return outcome
  return { ...outcome, signatures: outcome.signatures.map((of) => ({ ...of, signature: flip(of.signature) })) }
}

test("a forged signature is not given out, and the honest node's completes the request", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(0).behaviour = { distort: forged }
  rig.node(1).behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Processing")
  expect(await rig.signatures(request)).toEqual([])
  rig.node(1).finish(must(request.taskIds[0]))
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  expect((await rig.signatures(request)).length).toBe(1)
})

test("forged signatures alone fail the request", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { distort: forged }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const ended = await rig.signed(request)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-023"])
  expect(await rig.signatures(request)).toEqual([])
})

test("a liar that has ended is not waited for in another attempt", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(0).behaviour = { distort: forged }
  rig.node(1).behaviour = { attempt: () => "abort" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Failed")
})

test("different results of one key generation fail it", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = {
    distort: (outcome) => (outcome.type === "group" ? { ...outcome, epoch_id: toHex(new Uint8Array(32)) } : outcome),
  }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  const ended = await rig.tss(request)
  expect([ended.status, ended.code]).toEqual(["KeyGeneratingFailed", "E-WAA-022"])
  expect((await rig.mustGroup(group.groupId)).status).toBe("New")
})

test("a key generation counts only when every node has reported it", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = { attempt: () => "silent" }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("KeyGenerating")
  expect((await rig.mustGroup(group.groupId)).status).toBe("New")
  expect((await rig.mustVault(vault.vaultId)).rootKeys).toEqual([])
})

test("a node that crashed before the certificate gets it from the others' result, not another attempt", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = { attempt: () => "silent" }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  rig.node(2).online = false
  rig.node(2).restart()
  await rig.pass(60_000)
  await rig.online(rig.node(2))
  await rig.relay.settle()
  expect(rig.node(2).received.filter((frame) => frame.kind === "certificate").length).toBeGreaterThan(0)
  expect((await rig.engine.tasksOf(request))[0]?.attempt).toBe(1)
  expect((await rig.tss(request)).status).toBe("Success")
})

test("a node that still waits for the last words of a session gets the certificate as it comes online", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = { attempt: () => "silent" }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("KeyGenerating")
  await rig.online(rig.node(2))
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("Success")
})

test("a report from before the start does not end the attempt", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const { latest } = must(rig.node(0).journal.get(must(request.taskIds[0])))
  await rig.engine.onFrame(rig.node(0).id, { ...latest, status: 130, attempt: 0 })
  const task = must((await rig.engine.tasksOf(request))[0])
  expect([task.state, task.attempt]).toEqual(["running", 1])
})

test("once a node has the certificate there is no other attempt, also when one was due", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  rig.node(2).behaviour = { attempt: () => "abort" }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  const task = async () => must((await rig.engine.tasksOf(request))[0])
  expect((await task()).state).toBe("ready")
  rig.node(0).finish(must(request.taskIds[0]))
  await rig.relay.settle()
  await rig.pass(1_000)
  await rig.relay.settle()
  expect((await task()).attempt).toBe(1)
  expect(rig.node(2).received.some((frame) => frame.kind === "certificate")).toBe(true)
  rig.node(1).finish(must(request.taskIds[0]))
  await rig.relay.settle()
  expect((await rig.tss(request)).status).toBe("Success")
})

test("the first ending of a node stands, and a repetition writes nothing", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const vault = await rig.vault()
  const group = await rig.group(vault)
  rig.node(2).behaviour = { attempt: () => "silent" }
  const request = await rig.keyGen(vault, group)
  await rig.relay.settle()
  const taskId = must(request.taskIds[0])
  const before = (await rig.engine.tasksOf(request))[0]
  const { latest } = must(rig.node(0).journal.get(taskId))
  await rig.engine.onFrame(rig.node(0).id, latest)
  await rig.engine.onFrame(rig.node(0).id, { ...latest, status: 170, outcome: undefined, code: "E-TSK-1", reason: "" })
  await rig.engine.onFrame(rig.node(2).id, must(rig.node(2).journal.get(taskId)).latest)
  expect((await rig.engine.tasksOf(request))[0]).toBe(must(before))
  // Nor is it judged again: a node that repeats itself without end does not keep WaaS busy.
  let looks = 0
  const counted = {
    ...latest,
    get outcome() {
      looks++
      return latest.outcome
    },
  }
  await rig.engine.onFrame(rig.node(0).id, counted)
  expect(looks).toBe(0)
})

test("a restarted node's lost session is a new attempt", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: (_t, attempt) => (attempt === 1 ? "silent" : "work") }
  const request = await rig.sign(made)
  await rig.relay.settle()
  rig.node(0).restart()
  await rig.online(rig.node(0))
  await rig.relay.settle()
  await rig.pass(100)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  expect((await rig.engine.tasksOf(request))[0]?.attempt).toBe(2)
})

test("a signature that comes after the cancellation is shown, and the request stays Canceled", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.engine.cancelSignRequest(request.signRequestId)
  rig.relay.lose()
  rig.node(0).finish(must(request.taskIds[0]))
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Canceled")
  expect((await rig.signatures(request)).length).toBe(1)
})

test("reports of strangers and on other documents are dropped and counted", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const taskId = must(request.taskIds[0])
  const report = must(rig.node(0).journal.get(taskId)).latest
  const before = rig.engine.dropped.reports
  await rig.engine.onFrame(rig.node(2).id, report)
  await rig.engine.onFrame(rig.node(1).id, { ...report, digest: "00".repeat(32) })
  await rig.engine.onFrame(rig.node(1).id, { ...report, taskId: "nobody" })
  expect(rig.engine.dropped.reports - before).toBe(3)
  expect((await rig.engine.tasksOf(request))[0]?.state).toBe("approving")
})

test("envelopes reach the participants of a running task and nobody else", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  const taskId = must(request.taskIds[0])
  const [a, b, c] = [rig.node(0).id, rig.node(1).id, rig.node(2).id]
  const say = async (from: string, parts: { taskId?: string; receiver?: string }) => {
    await rig.engine.onFrame(from, {
      kind: "envelope",
      taskId,
      receiver: undefined,
      envelope: new Uint8Array([1]),
      ...parts,
    })
    await rig.relay.settle()
    return rig.relay.envelopes.splice(0).map((of) => of.to)
  }
  expect(await say(a, {})).toEqual([])
  await rig.relay.settle()
  expect(await say(a, {})).toEqual([b])
  expect(await say(a, { receiver: b })).toEqual([b])
  expect(await say(a, { receiver: c })).toEqual([])
  expect(await say(a, { receiver: a })).toEqual([])
  expect(await say(c, {})).toEqual([])
  expect(await say(newNodeId(), {})).toEqual([])
  expect(await say(a, { taskId: "nobody" })).toEqual([])
  await rig.engine.cancelSignRequest(request.signRequestId)
  await rig.relay.settle()
  expect(await say(a, {})).toEqual([])
  expect(rig.engine.dropped.envelopes).toBe(7)
})

test("a node has relayed in its own name alone, and no more for an attempt than a protocol can have it say", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  rig.relay.envelopes.splice(0)
  const taskId = must(request.taskIds[0])
  const [a, b] = [rig.node(0).id, rig.node(1).id]
  const named = (nodeId: string) => envelopeFrom(must(parseNodeId(nodeId)))
  const relayed = async (from: string, envelope: Uint8Array<ArrayBuffer>, receiver?: string) => {
    await rig.engine.onFrame(from, { kind: "envelope", taskId, receiver, envelope })
    await rig.relay.settle()
    return rig.relay.envelopes.splice(0).length
  }
  expect(await relayed(a, named(b))).toBe(0)
  let passed = 0
  for (let n = 0; n < 1000; n++) passed += await relayed(a, named(a), b)
  expect(passed).toBe(MOST_ENVELOPES)
  expect(await relayed(a, named(a), must(parseNodeId(b)))).toBe(0)
  expect(await relayed(a, named(a))).toBe(1)
  expect(await relayed(b, named(b), a)).toBe(1)
})

test("no envelope of a cancelled task passes, though a node has not heard of the end", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.engine.cancelSignRequest(request.signRequestId)
  rig.relay.lose()
  const taskId = must(request.taskIds[0])
  await rig.engine.onFrame(rig.node(0).id, {
    kind: "envelope",
    taskId,
    receiver: undefined,
    envelope: new Uint8Array(1),
  })
  await rig.relay.settle()
  expect(rig.relay.envelopes).toEqual([])
})

test("envelopes still pass when the first signer has finished", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  const taskId = must(request.taskIds[0])
  await rig.engine.onFrame(rig.node(0).id, {
    kind: "envelope",
    taskId,
    receiver: undefined,
    envelope: new Uint8Array(1),
  })
  await rig.relay.settle()
  expect(rig.relay.envelopes.length).toBe(1)
})

test("of a completed task, a signer that is still at it is left alone, and one that lost its session is told to stop", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  rig.node(1).behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  await rig.online(rig.node(1))
  await rig.relay.settle()
  expect(rig.node(1).cancelled).toEqual([])
  rig.node(1).restart()
  await rig.online(rig.node(1))
  await rig.relay.settle()
  expect(rig.node(1).cancelled).toEqual([...request.taskIds])
  await rig.pass(1)
  expect(await rig.store.liveTasks()).toEqual([])
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("a cut of the link ends no attempt; that the node or its link forgot what it was told does", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const node = rig.node(0)
  rig.node(1).behaviour = { attempt: () => "silent" }
  // The start of the attempt is on its way to it for long.
  node.behaviour = {
    decide: () => {
      node.isHung = true
      return "approve"
    },
  }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const attempt = async () => (await rig.engine.tasksOf(request))[0]?.attempt
  await rig.online(node, "same")
  await rig.pass(10_000)
  expect(await attempt()).toBe(1)
  node.isHung = false
  await rig.online(node, "restarted")
  await rig.pass(10_000)
  expect(await attempt()).toBe(2)
})

test("a lost report is asked for again", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  await rig.relay.settle(2)
  rig.relay.lose()
  await rig.pass(30_000)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("a failing store acknowledges nothing, and the next try goes through", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const taskId = must(request.taskIds[0])
  rig.node(0).finish(taskId)
  rig.failCommits = true
  await expect(rig.relay.settle()).rejects.toThrow()
  expect(rig.node(0).stored).not.toContain(taskId)
  rig.failCommits = false
  await rig.online(rig.node(0))
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
  expect(rig.node(0).stored).toContain(taskId)
})

test("too much in work is refused", async () => {
  await using rig = await Rig.open({ openTasks: 2 })
  const made = await rig.madeVault()
  rig.node(0).online = false
  await rig.sign(made)
  await rig.sign(made)
  expect(await errorCodeOf(rig.sign(made))).toBe(2026)
})

test("signers: online before offline, designated before others, in order", async () => {
  await using rig = await Rig.open({ nodes: 4 })
  const { group } = await rig.madeVault(2)
  const ids = rig.nodes.map((node) => node.id)
  const pick = (...online: number[]) =>
    chooseSigners(group, {
      online: (id) => online.some((i) => ids[i] === id),
      versions: () => BEFORE_VERSIONS,
    }).map((id) => ids.indexOf(id))
  expect(pick(0, 1, 2, 3)).toEqual([0, 1])
  expect(pick(1, 2, 3)).toEqual([1, 2])
  expect(pick(3, 2)).toEqual([2, 3])
  expect(pick(3)).toEqual([3, 0])
  expect(pick()).toEqual([0, 1])
})

test("only nodes that a group names are known, also after a restart", async () => {
  await using rig = await Rig.open()
  expect(rig.engine.isKnownNode(rig.node(0).id)).toBe(false)
  await rig.group(await rig.vault())
  expect(rig.engine.isKnownNode(rig.node(0).id)).toBe(true)
  await rig.crash()
  expect(rig.engine.isKnownNode(rig.node(0).id)).toBe(true)
  expect(rig.engine.isKnownNode(newNodeId())).toBe(false)
})

test("a main group that never got its keys makes room for another; one that has them does not", async () => {
  await using rig = await Rig.open()
  const vault = await rig.vault()
  const first = await rig.group(vault)
  const second = await rig.group(vault)
  expect((await rig.mustGroup(first.groupId)).status).toBe("Unavailable")
  expect(await errorCodeOf(rig.keyGen(vault, first))).toBe(2029)
  await rig.keyGen(vault, second)
  expect(await errorCodeOf(rig.group(vault))).toBe(2029)
  await rig.relay.settle()
  const third = await rig.group(vault)
  expect(await errorCodeOf(rig.keyGen(vault, third))).toBe(2029)
})

test("a request that came twice at once is answered to both when it is durable, and not before", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const held = Promise.withResolvers<void>()
  rig.heldCommits = held.promise
  let answered = 0
  const turns = async () => {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  const ask = (fingerprint: string) =>
    rig.sign(made, { requestId: "same", fingerprint }).then(
      ({ signRequestId }) => {
        answered++
        return signRequestId
      },
      (error: unknown) => {
        answered++
        return error
      },
    )
  const asked = [ask("f")]
  await turns()
  asked.push(ask("f"), ask("another"))
  await turns()
  expect(answered).toBe(0)
  held.resolve()
  const [first, second, third] = await Promise.all(asked)
  expect(second).toBe(must(first))
  expect(third).toMatchObject({ errorCode: 30001 })
})
