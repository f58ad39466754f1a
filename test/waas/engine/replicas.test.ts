/** Several replicas on one store: a request belongs to one of them, whoever is asked; one that dies is replaced, and one that wakes up late does no harm. */
import { expect, test } from "bun:test"
import type { SignRequest } from "../../../src/waas/store/model.ts"
import { sshApprover } from "../../support/approvers.ts"
import { Replicas } from "../../support/replicas.ts"
import { errorCodeOf, must } from "../../support/waas.ts"

/** One number of an attempt belongs to one start, and numbers only rise. */
function expectOneStartEach(all: Replicas): void {
  const nonces = new Map<string, string>()
  for (const { task_id, attempt, terms, by } of all.starts) {
    const key = `${task_id} ${attempt}`
    const start = `${by} ${JSON.stringify(terms ?? null)}`
    // Whoever takes a task over says its last start again, in the same words.
    const known = nonces.get(key)?.split(" ")[1]
    expect(known ?? JSON.stringify(terms ?? null)).toBe(JSON.stringify(terms ?? null))
    nonces.set(key, start)
  }
}

async function expectCompleted(all: Replicas, request: SignRequest): Promise<void> {
  const ended = await all.signed(request)
  expect([ended.status, ended.reason]).toEqual(["Completed", ""])
  expect(await all.store.liveTasks()).toEqual([])
}

test("any replica answers for a request of any other, and hears of its end", async () => {
  await using all = await Replicas.open(3)
  const made = await all.madeVault()
  const request = await all.sign(made, all.replica(1))
  const ended = all.replica(2).engine.whenEnded(request.signRequestId, new AbortController().signal)
  await all.settle()
  expect(await ended).toBe(true)
  const [task] = await all.replica(2).engine.tasksOf(await all.signed(request))
  expect(task?.outcome?.type).toBe("signatures")
  await all.pass(250)
  await expectCompleted(all, request)
})

test("one request_id is one request, whichever replicas are asked at once", async () => {
  await using all = await Replicas.open(3)
  const made = await all.madeVault()
  const one = { requestId: "one" }
  const asked = await Promise.all(all.replicas.map((replica) => all.sign(made, replica, one)))
  expect(new Set(asked.map(({ signRequestId }) => signRequestId)).size).toBe(1)
  await all.settle()
  const again = await Promise.all(all.replicas.map((replica) => all.sign(made, replica, one)))
  expect(new Set([...asked, ...again].map(({ signRequestId }) => signRequestId)).size).toBe(1)
  expect(await errorCodeOf(all.sign(made, all.replica(2), { ...one, fingerprint: "other" }))).toBe(30001)
  expect((await all.store.signRequests({ vaultId: made.vault.vaultId }, PAGE)).total).toBe(1)
})

const PAGE = { limit: 50, after: undefined, before: undefined }

test("a replica that dies between frames is replaced, and its request ends once", async () => {
  // Between any two of them a restart is tried (restart.test.ts).
  for (let frames = 0; ; frames += 2) {
    await using all = await Replicas.open(2)
    const made = await all.madeVault()
    const request = await all.sign(made, all.replica(0))
    await all.settle(frames)
    const early = (await all.signed(request)).status === "Completed"
    all.kill(all.replica(0))
    await all.until(async () => (await all.store.liveTasks()).length === 0)
    await expectCompleted(all, request)
    expectOneStartEach(all)
    if (early) {
      expect(frames).toBeGreaterThan(6)
      return
    }
  }
})

test("a key generation goes on at another replica, and the vault has its keys once", async () => {
  for (const frames of [0, 2, 4, 7, 10, 14]) {
    await using all = await Replicas.open(2)
    const vault = await all.vault()
    const group = await all.group(vault)
    const request = await all.keyGen(vault, group)
    await all.settle(frames)
    all.kill(all.replica(0))
    await all.until(async () => (await all.store.tssRequest(request.tssRequestId))?.status === "Success")
    expect((await all.store.group(group.groupId))?.status).toBe("Valid")
    expect((await all.store.vault(vault.vaultId))?.rootKeys.length).toBe(1)
  }
})

test("one that stood still and was given up commits nothing, and starts nothing, once it goes on", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  const [paused, other] = [all.replica(0), all.replica(1)]
  for (const node of all.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await all.sign(made, paused)
  await all.settle()
  expect(all.starts.filter(({ task_id }) => task_id === request.signRequestId).map(({ by }) => by)).toEqual([
    paused.id,
    paused.id,
  ])
  paused.isPaused = true
  all.board.die(paused.id)
  for (const node of all.nodes) node.behaviour = {}
  await all.until(async () => (await all.store.liveTasks()).length === 0)
  await expectCompleted(all, request)
  const before = await all.store.task(request.signRequestId)
  // It has not heard that it is not its own any more, and does not answer from what it remembers.
  expect(await paused.engine.tasksOf(await all.signed(request))).toEqual([must(before)])
  paused.isPaused = false
  await all.pass(70_000)
  await all.settle()
  expect(await all.store.task(request.signRequestId)).toEqual(before)
  const later = all.starts.filter(({ task_id, attempt }) => task_id === request.signRequestId && attempt > 1)
  expect(new Set(later.map(({ by }) => by))).toEqual(new Set([other.id]))
  expectOneStartEach(all)
})

test("a request is cancelled at any replica, by the one that works on it", async () => {
  await using all = await Replicas.open(3)
  const made = await all.madeVault()
  all.node(1).behaviour = { decide: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const cancelled = await all.replica(2).engine.cancelSignRequest(request.signRequestId)
  expect([cancelled.status, cancelled.code]).toEqual(["Canceled", "E-WAA-021"])
  await all.settle()
  expect(all.node(0).cancelled).toContain(request.signRequestId)
  expect(all.board.errands.size).toBe(0)
  expect(await errorCodeOf(all.replica(1).engine.cancelSignRequest(request.signRequestId))).toBe(60005)
})

test("what was left for a replica that dies is done by whoever takes the request over", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  all.node(1).behaviour = { decide: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  all.kill(all.replica(0))
  // Nobody's by now: it waits for whoever works on it next.
  const cancelled = all.replica(1).engine.cancelSignRequest(request.signRequestId)
  await all.pass(250)
  expect((await cancelled).status).toBe("Canceled")
})

test("a word is lost, and both the end and the errand are found all the same", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  all.node(1).behaviour = { decide: () => "silent" }
  all.board.isMute = true
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const waiting = all.replica(1).engine.whenEnded(request.signRequestId, new AbortController().signal)
  await all.replica(1).shared.leaveErrand(request.signRequestId, { kind: "cancel" })
  all.board.isMute = false
  for (const replica of all.replicas) all.board.tell(replica.id, { kind: "rescan" })
  expect(await waiting).toBe(true)
  await all.until(async () => (await all.signed(request)).status === "Canceled")
})

test("after lost news whoever waits looks, and an end that came first is told as it is", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  for (const node of all.nodes) node.behaviour = { decide: () => "silent" }
  all.board.isMute = true
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const { engine } = all.replica(1)
  const waiting = engine.whenEnded(request.signRequestId, new AbortController().signal)
  // The errand is not heard of either, and the request ends by itself.
  const cancelled = errorCodeOf(engine.cancelSignRequest(request.signRequestId))
  for (const node of all.nodes) node.behaviour = {}
  await all.pass(31_000)
  await all.settle()
  expect((await all.signed(request)).status).toBe("Completed")
  expect(await cancelled).toBe(60005)
  for (const listener of must(all.board.listeners.get(all.replica(1).id))) listener({ kind: "rescan" })
  expect(await waiting).toBe(true)
})

test("what is given again is at work already, and keeps what nodes said meanwhile", async () => {
  await using all = await Replicas.open(1)
  const made = await all.madeVault()
  all.node(1).behaviour = { decide: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const { engine } = all.replica(0)
  const known = must(engine.look().task(request.signRequestId))
  expect(Object.keys(known.reports)).toEqual([all.node(0).id])
  all.board.givesAgain = true
  all.board.tell("", { kind: "orphans" })
  await all.pass(1)
  expect(engine.look().task(request.signRequestId)?.reports).toEqual(known.reports)
})

test("a task that turns out to be another's keeps no other one waiting", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  for (const node of all.nodes) node.behaviour = { decide: () => "silent" }
  const [lost, kept] = [await all.sign(made, all.replica(0)), await all.sign(made, all.replica(0))]
  await all.settle()
  all.board.owners.set(lost.signRequestId, all.replica(1).id)
  await all.pass(700_000)
  await all.pass(250)
  const { engine } = all.replica(0)
  expect(engine.look().task(lost.signRequestId)).toBeUndefined()
  expect((await all.signed(kept)).code).toBe("E-WAA-020")
  expect((await all.signed(lost)).status).toBe("Initializing")
})

test("the one that leads begins refreshes, and the next one after it", async () => {
  await using all = await Replicas.open(2, 3, { deadlineMs: 3_600_000, pauseMs: 86_400_000 })
  const { vault, group } = await all.madeVault()
  const refresh = group.shareGroups.map(({ shareGroupId }) => shareGroupId)
  const readiness = { kind: "readiness", code: "", reason: "", open: 0, most: 256, blocked: [], refresh } as const
  await all.replica(1).engine.onFrame(all.node(0).id, readiness)
  await all.pass(60_000)
  const filter = { vaultId: vault.vaultId, groupId: group.groupId }
  expect((await all.store.tssRequests(filter, PAGE)).items.map(({ type }) => type)).toEqual(["KeyGen"])
  all.kill(all.replica(0))
  await all.pass(60_000)
  expect((await all.store.tssRequests(filter, PAGE)).items.map(({ type }) => type)).toEqual(["KeyReshare", "KeyGen"])
})

test("of an open task of another replica nothing is written or said, and nobody is blamed", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  all.node(1).behaviour = { decide: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const before = await all.store.task(request.signRequestId)
  const report = must(all.node(0).journal.get(request.signRequestId)).latest
  const { engine } = all.replica(1)
  for (let i = 0; i < 5; i++) await engine.onFrame(all.node(0).id, { ...report, reason: `${i}` })
  await engine.onFrame(all.node(0).id, { ...report, status: 160, code: "E-RSK-001", reason: "no" })
  expect(all.queue).toEqual([])
  expect(engine.dropped).toEqual({ envelopes: 0, reports: 0 })
  expect(await all.store.task(request.signRequestId)).toEqual(before)
  expect((await all.signed(request)).status).toBe("Initializing")
})

test("an end that is durable is acknowledged by any replica; what would change it, only by its own", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  for (const node of all.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  all.node(0).finish(request.signRequestId)
  await all.settle()
  expect((await all.signed(request)).status).toBe("Completed")
  const { engine } = all.replica(1)
  // The other signer's end: the signature is there already.
  all.node(1).finish(request.signRequestId)
  const same = must(all.node(1).journal.get(request.signRequestId)).latest
  all.lose(all.replica(0))
  await engine.onFrame(all.node(1).id, same)
  await all.settle()
  expect(all.node(1).stored).toContain(request.signRequestId)

  // A signature that comes after its request was cancelled: it is for the one that works on it.
  const late = await all.sign(made, all.replica(0))
  await all.settle()
  await all.replica(0).engine.cancelSignRequest(late.signRequestId)
  all.lose(all.replica(0))
  all.node(0).finish(late.signRequestId)
  const signature = must(all.node(0).journal.get(late.signRequestId)).latest
  all.lose(all.replica(0))
  await engine.onFrame(all.node(0).id, signature)
  await all.settle()
  expect(all.node(0).stored).not.toContain(late.signRequestId)
  expect((await all.store.task(late.signRequestId))?.outcome).toBeUndefined()
  // Once nobody works on it any more, whoever is told writes it.
  await all.pass(700_000)
  expect((await all.store.liveTasks()).length).toBe(0)
  await engine.onFrame(all.node(0).id, signature)
  await all.settle()
  expect(all.node(0).stored).toContain(late.signRequestId)
  expect((await all.store.task(late.signRequestId))?.outcome?.type).toBe("signatures")
})

test("set-ups of one group are one at a time, whichever replicas are asked", async () => {
  await using all = await Replicas.open(2)
  const vault = await all.vault()
  const group = await all.group(vault)
  const asked = await Promise.all(all.replicas.map((replica) => errorCodeOf(all.keyGen(vault, group, replica))))
  expect(asked.sort()).toEqual([2029, "resolved"])
  expect(await errorCodeOf(all.replica(1).engine.deleteGroup(group.groupId))).toBe(2029)
  // A new name and the keys, at once, from two replicas: the vault has both.
  const rename = (name: string) => all.replica(1).engine.changeVault(vault.vaultId, (before) => ({ ...before, name }))
  for (let i = 0; all.queue.length > 0; i++) {
    await Promise.all([all.settle(1), rename(`${i}`)])
    expect((await all.store.vault(vault.vaultId))?.name).toBe(`${i}`)
  }
  expect((await all.store.vault(vault.vaultId))?.rootKeys.length).toBe(1)
})

test("a group from which a reshare is under way at another replica is not touched", async () => {
  await using all = await Replicas.open(2, 5)
  const vault = await all.vault()
  const source = await all.group(vault, all.replica(0), all.nodes.slice(0, 3))
  await all.keyGen(vault, source)
  await all.settle()
  const target = await all.replica(0).engine.createGroup({
    ...must(await all.store.group(source.groupId)),
    ...{ groupId: "target", type: "SigningGroup", status: "New", shareGroups: [] },
    holders: all.nodes.slice(2).map((node, i) => ({ name: `n${i}`, type: "API", nodeId: node.id, signer: i < 2 })),
  })
  for (const node of all.nodes) node.behaviour = { decide: () => "silent" }
  const from = { sourceGroupId: source.groupId, dealers: undefined, allowSharedNodes: true }
  const reshare = { type: "KeyGenFromKeyGroup", ...from } as const
  const deadlineMs = all.clock.nowMs + 3_600_000
  await all.replica(0).engine.createTssRequest({ vault, group: target, reshare, description: "", deadlineMs })
  const other = all.replica(1).engine
  expect(await errorCodeOf(other.deleteGroup("target"))).toBe(2029)
  const again = { vault, group: target, reshare, description: "", deadlineMs }
  expect(await errorCodeOf(other.createTssRequest(again))).toBe(2029)
  const second = await other.createGroup({ ...target, groupId: "second" })
  expect(await errorCodeOf(other.createTssRequest({ ...again, group: second }))).toBe(2029)
})

test("a node that a group made known at one replica is known at the others", async () => {
  await using all = await Replicas.open(2)
  expect(all.replica(1).engine.isKnownNode(all.node(0).id)).toBe(false)
  await all.group(await all.vault())
  await all.replica(1).engine.idle()
  expect(all.replicas.map(({ engine }) => engine.isKnownNode(all.node(0).id))).toEqual([true, true])
})

test("another start of a node that one replica hears is refused by the others", async () => {
  await using all = await Replicas.open(2)
  await all.madeVault()
  const { id } = all.node(0)
  const again = { incarnation: 0, boot: 2, bootId: "another", generation: 2 }
  expect(await all.replica(1).engine.admitFencingToken(id, again)).toBe("twin")
  await all.replica(0).engine.left(id, id)
  expect(await all.replica(1).engine.admitFencingToken(id, again)).toBe("newest")
  expect(await all.replica(0).engine.admitFencingToken(id, { ...again, boot: 1 })).toBe("behind")
})

test("a request that waits for a node which another replica hears goes to that one", async () => {
  await using all = await Replicas.open(3)
  const made = await all.madeVault()
  await all.cut(all.replica(0), all.node(1))
  await all.cut(all.replica(1), all.node(1))
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  expect((await all.signed(request)).status).toBe("Initializing")
  await all.until(async () => (await all.store.liveTasks()).length === 0)
  await expectCompleted(all, request)
  expect(all.starts.filter(({ task_id }) => task_id === request.signRequestId).map(({ by }) => by)).toEqual([
    all.replica(2).id,
    all.replica(2).id,
  ])
})

test("where nobody hears the node, a request stays where it is", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  all.node(1).online = false
  for (const replica of all.replicas) await all.cut(replica, all.node(1))
  const request = await all.sign(made, all.replica(0))
  for (let i = 0; i < 40; i++) await all.pass(250)
  await all.settle()
  expect(all.board.owners.get(request.signRequestId)).toBe(all.replica(0).id)
  all.node(1).online = true
  await all.link(all.replica(0), all.node(1))
  await all.until(async () => (await all.store.liveTasks()).length === 0)
  await expectCompleted(all, request)
})

test("a person's word goes to the replica that works on the task, and from there to the nodes", async () => {
  await using all = await Replicas.open(2)
  const made = await all.madeVault()
  for (const node of all.nodes) node.behaviour = { decide: () => "silent" }
  const request = await all.sign(made, all.replica(0))
  await all.settle()
  const { digest, taskId } = must(await all.store.task(request.signRequestId))
  const awaits = { kind: "awaits", taskId, digest, epoch: undefined, awaited: [] } as const
  for (const index of [0, 1]) await all.replica(0).engine.onFrame(all.node(index).id, awaits)
  expect(Object.keys(must(await all.store.task(taskId)).awaits ?? {})).toHaveLength(2)
  // Whoever is asked knows for whom people are waited.
  const awaiting = async (vaultId: string) => (await all.store.awaitingTasks(vaultId, 10)).map((task) => task.taskId)
  expect(await awaiting(made.vault.vaultId)).toEqual([taskId])
  expect(await awaiting("another")).toEqual([])

  const word = (nonce: string) =>
    sshApprover("alice").sign({
      ...{
        task: taskId,
        document: digest,
        intent: undefined,
        group: undefined,
        epoch: "cd".repeat(32),
        reading: ["x"],
      },
      ...{ decision: "approve", approver: "alice", notAfter: 1_900_000_000, nonce: nonce.padStart(32, "0") },
    })
  const { engine } = all.replica(1)
  const first = word("1")
  await engine.addApproval(request, first)
  await engine.addApproval(request, first)
  expect(must(await all.store.task(taskId)).approvals).toHaveLength(1)
  expect(all.board.errands.size).toBe(0)
  await all.settle()
  expect(all.node(0).received.filter(({ kind }) => kind === "approval")).toHaveLength(1)
  // The same checks, wherever it is handed over.
  for (let i = 2; i <= 8; i++) await engine.addApproval(request, word(`${i}`))
  expect(await errorCodeOf(engine.addApproval(request, word("9")))).toBe(2006)
  await engine.cancelSignRequest(request.signRequestId)
  expect(await errorCodeOf(engine.addApproval(request, word("a")))).toBe(60005)
})
