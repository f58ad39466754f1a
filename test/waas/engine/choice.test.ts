/** Any quorum of a group's members signs: those that are well, chosen anew at each attempt, and within each node's room. */
import { expect, test } from "bun:test"
import type { SignRequest } from "../../../src/waas/store/model.ts"
import { decodeStart } from "../../../src/wire/signed.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"
import type { SimulatedNode } from "../../support/simulatedNodes.ts"
import { must, Rig, type RigOptions } from "../../support/waas.ts"
import { readiness } from "../../wire/said.ts"

/** A 2-of-3 vault whose nodes are of this release; a request may be signed by any two of them. */
async function anyTwo(options: RigOptions = {}) {
  const rig = await Rig.open({ curves: ["ED25519"], pace: { attempts: 1000 }, ...options })
  for (const node of rig.nodes) {
    const token = { incarnation: 0, boot: 1, bootId: node.id, generation: 1, versions: { ...VERSIONS, link: 3 } }
    expect(await rig.engine.admitFencingToken(node.id, token)).toBe("newest")
  }
  const made = await rig.madeVault(2)
  const sign = (vault = made) => rig.sign(vault, { nodeIds: rig.nodes.map(({ id }) => id) })
  const run = async (ms = 30_000, step = 250): Promise<void> => {
    for (let passed = 0; passed < ms; passed += step) {
      await rig.pass(step)
      await rig.relay.settle(4_999)
    }
  }
  return { rig, made, sign, run }
}

const signersOf = async (rig: Rig, request: SignRequest) => must((await rig.engine.tasksOf(request))[0]).signers

const starts = (node: SimulatedNode) =>
  node.received.flatMap((frame) => {
    const start = frame.kind === "start" ? decodeStart(frame.start.document) : undefined
    return start === undefined || "problem" in start || start.terms?.signers === undefined ? [] : [start]
  })

test("two of three are asked and sign, the third is left alone; over many requests all get their share", async () => {
  const { rig, sign } = await anyTwo()
  await using _ = rig
  const taken = new Map<string, number>()
  for (let i = 0; i < 60; i++) {
    const request = await sign()
    await rig.relay.settle()
    expect((await rig.signed(request)).status).toBe("Completed")
    const signers = must(await signersOf(rig, request))
    expect(signers.length).toBe(2)
    const asked = rig.nodes.filter(({ journal }) => journal.has(must(request.taskIds[0]))).map(({ id }) => id)
    expect(asked).toEqual([...signers])
    for (const id of signers) taken.set(id, (taken.get(id) ?? 0) + 1)
  }
  for (const node of rig.nodes) expect(taken.get(node.id)).toBeGreaterThan(25)
  for (const node of rig.nodes) for (const { terms } of starts(node)) expect(terms?.signers).toContain(node.id)
})

const sick: readonly (readonly [string, (node: SimulatedNode, rig: Rig) => unknown])[] = [
  ["is away", (node) => Object.assign(node, { online: false })],
  ["hangs", (node) => Object.assign(node, { isHung: true })],
  ["says nothing", (node) => Object.assign(node.behaviour, { decide: () => "silent" })],
  ["approves and never begins", (node) => Object.assign(node.behaviour, { attempt: () => "silent" })],
  ["ends every attempt", (node) => Object.assign(node.behaviour, { attempt: () => "abort" })],
  ["gives up", (node) => Object.assign(node.behaviour, { attempt: () => "fail" })],
  ["puts every task off", (node) => Object.assign(node.behaviour, { decide: () => "later" })],
  ["says as nodes of before that it is full", (node) => Object.assign(node.behaviour, { decide: () => "full" })],
  ["says that it is not ready", (node, rig) => rig.engine.onFrame(node.id, { ...readiness, code: "E-STA-010" })],
]

test.each(sick)("every request completes while one node %s", async (what, befall) => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  await befall(rig.node(1), rig)
  const requests: SignRequest[] = []
  for (let i = 0; i < 12; i++) requests.push(await sign())
  await rig.relay.settle()
  await run()
  for (const request of requests) {
    expect((await rig.signed(request)).status).toBe("Completed")
    // A simulated signature takes one signer: only one that never approves is never among them.
    if (!/attempt|begins|gives/.test(what)) {
      expect(await signersOf(rig, request)).toEqual([rig.node(0).id, rig.node(2).id])
    }
  }
})

test("a node that hangs in the middle of an attempt is gone on without after two seconds, and the cause is kept", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  for (const node of rig.nodes) node.behaviour = { attempt: (_task, attempt) => (attempt === 1 ? "silent" : "work") }
  const request = await sign()
  await rig.relay.settle()
  const [first, second] = must(await signersOf(rig, request))
  const hung = must(rig.nodes.find(({ id }) => id === second))
  hung.isHung = true
  await run(1_750)
  expect(must((await rig.engine.tasksOf(request))[0])).toMatchObject({ state: "running", attempt: 1 })
  await run(2_000)
  expect((await rig.signed(request)).status).toBe("Completed")
  const task = must((await rig.engine.tasksOf(request))[0])
  expect(task.signers).toContain(must(first))
  expect(task.signers).not.toContain(hung.id)
  expect(task.causes).toEqual([`${hung.id} fell silent in attempt 1`])
  // It wakes, and what it missed is cancelled.
  hung.isHung = false
  for (const frame of hung.unread.splice(0)) hung.receive(frame)
  await rig.relay.settle()
  expect(hung.cancelled).toEqual([...request.taskIds])
})

test("a request that all nodes put off is asked for again, and completes", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  for (const node of rig.nodes) node.behaviour = { decide: () => "later" }
  const request = await sign()
  await rig.relay.settle()
  for (const node of rig.nodes) node.behaviour = {}
  await run(20_000)
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("what was put off while the clock of WaaS was ahead is asked for soon after it is right again", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  for (const node of rig.nodes) node.behaviour = { decide: () => "later" }
  rig.clock.advance(120_000)
  const request = await sign()
  await rig.relay.settle()
  for (const node of rig.nodes) node.behaviour = {}
  rig.clock.advance(-120_000)
  await run(20_000)
  expect((await rig.signed(request)).status).toBe("Completed")
})

test.each([
  ["within one life of WaaS", false],
  ["though WaaS has forgotten what they read", true],
])("nodes whose attempt ended sign with one that has only approved, %s", async (_what, dies) => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  // Only its approval says what a node has read, as of nodes of before.
  const { toEngine } = rig.relay
  rig.relay.toEngine = (id, frame) => {
    const isApproval = frame.kind === "report" && frame.status === 130 && frame.approved
    return toEngine(id, isApproval ? { ...frame, reason: "read 0xaa" } : frame)
  }
  for (const node of rig.nodes) node.behaviour = { attempt: (_task, attempt) => (attempt === 1 ? "silent" : "work") }
  const request = await sign()
  await rig.relay.settle()
  const [first, second] = must(await signersOf(rig, request)).map((id) =>
    must(rig.nodes.find((node) => node.id === id)),
  )
  const taskId = must(request.taskIds[0])
  for (const node of [must(first), must(second)]) {
    node.report(taskId, { code: "E-TSK-998", reason: "a peer was silent" })
  }
  must(second).online = false
  await rig.relay.settle()
  if (dies) await rig.crash()
  await run(10_000)
  expect((await rig.signed(request)).status).toBe("Completed")
  const signers = must(await signersOf(rig, request))
  expect(signers).toContain(must(first).id)
  expect(signers).not.toContain(must(second).id)
})

test("a restart is told as one, by the number of the attempt", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await sign()
  await rig.relay.settle()
  const [first] = must(await signersOf(rig, request))
  const restarted = must(rig.nodes.find(({ id }) => id === first))
  restarted.report(must(request.taskIds[0]), {
    status: 140,
    code: "E-TSK-014",
    reason: "attempt 1 ended without a result: the node was restarted",
  })
  await rig.relay.settle()
  expect((await rig.engine.tasksOf(request))[0]?.causes).toEqual([`${first} restarted in attempt 1`])
  await run(600_000, 5_000)
  const ended = await rig.signed(request)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-020"])
  // The latest causes are told; that many attempts were made says that none was the last.
  expect(ended.reason).toMatch(/had no ending within \d+ ms/)
  expect((await rig.engine.tasksOf(request))[0]?.attempt).toBeGreaterThan(6)
})

test("attempts go on until the deadline, ever more seldom, never above what nodes take", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  for (const node of rig.nodes) node.behaviour = { attempt: () => "abort" }
  const request = await sign()
  await rig.relay.settle()
  await run(599_000, 500)
  const task = must((await rig.engine.tasksOf(request))[0])
  // 0.1 s, doubled up to 30 s: some nine short pauses, then two a minute.
  expect(task.attempt).toBeGreaterThan(20)
  expect(task.attempt).toBeLessThan(32)
  const numbers = starts(rig.node(0)).map(({ attempt }) => attempt)
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
  const nonces = rig.nodes.flatMap((node) => starts(node).map(({ attempt, terms }) => `${attempt} ${terms?.nonce}`))
  expect(new Set(nonces).size).toBe(task.attempt)
  for (const node of rig.nodes) node.behaviour = {}
  await run(1_000, 500)
  expect((await rig.signed(request)).status).toBe("Failed")
})

test("one node with nobody to take its place is named as what is waited for", async () => {
  const { rig, sign } = await anyTwo()
  await using _ = rig
  rig.node(0).online = false
  rig.node(1).behaviour = { decide: () => "later" }
  const request = await sign()
  await rig.relay.settle()
  const tasks = await rig.engine.tasksOf(request)
  const waiting = rig.engine.waitingFor(tasks)
  expect(waiting).toContain(`${rig.node(0).id} (offline)`)
  expect(waiting).toContain(`${rig.node(1).id} (later: E-TSK-048)`)
})

test("a node that puts a task off after its claim is asked again, and signs", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  rig.node(0).online = false
  rig.node(1).behaviour = { decide: () => "undecided" }
  const request = await sign()
  await rig.relay.settle()
  expect(rig.engine.waitingFor(await rig.engine.tasksOf(request))).toContain(`${rig.node(1).id} (later: E-TSK-045)`)
  rig.node(1).behaviour = {}
  await run(5_000)
  expect((await rig.signed(request)).status).toBe("Completed")
})

test("a rule or a callback server that refuses declines; another reason of one node fails over, of all fails", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  rig.node(0).behaviour = { decide: () => "unable" }
  const over = await sign()
  await rig.relay.settle()
  expect((await rig.signed(over)).status).toBe("Completed")
  for (const node of rig.nodes) node.behaviour = { decide: () => "unable" }
  const failed = await sign()
  await rig.relay.settle()
  await run(1_000)
  const ended = await rig.signed(failed)
  expect([ended.status, ended.code]).toEqual(["Failed", "E-WAA-027"])
  for (const node of rig.nodes) node.behaviour = { decide: () => "reject" }
  const declined = await sign()
  await rig.relay.settle()
  expect((await rig.signed(declined)).status).toBe("Declined")
})

test("a WaaS that was restored from an older copy counts on from what nodes know", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  const request = await sign()
  const taskId = must(request.taskIds[0])
  for (const node of rig.nodes) node.behaviour = { attempt: (_task, attempt) => (attempt <= 5 ? "silent" : "work") }
  await rig.relay.settle()
  for (const id of must(await signersOf(rig, request))) {
    const node = must(rig.nodes.find((one) => one.id === id))
    const why = { status: 140, attempt: 5, code: "E-TSK-019", reason: "attempt 1 is not above attempt 5" } as const
    must(node.journal.get(taskId)).latest = { ...must(node.journal.get(taskId)).latest, ...why }
    node.report(taskId, why)
  }
  await rig.relay.settle()
  await run(5_000)
  expect((await rig.signed(request)).status).toBe("Completed")
  expect((await rig.engine.tasksOf(request))[0]?.attempt).toBe(6)
})

test("no node is asked for more than its window, vaults take turns, and every request completes", async () => {
  const { rig, sign, run, made } = await anyTwo({ windows: { asked: 4, running: 2 } })
  await using _ = rig
  const other = await rig.madeVault(2)
  let most = 0
  for (const node of rig.nodes) {
    node.behaviour = {
      decide: () => {
        const open = [...node.journal.values()].filter(({ latest }) => latest.status < 160).length
        most = Math.max(most, open + 1)
        return "approve"
      },
    }
  }
  const long: SignRequest[] = []
  for (let i = 0; i < 40; i++) long.push(await sign(made))
  const short = await sign(other)
  // The one request of the second vault does not wait for forty of the first.
  let delivered = 0
  while ((await rig.signed(short)).status !== "Completed" && delivered < 400) {
    await rig.relay.settle(20)
    delivered += 20
  }
  const done = await Promise.all(long.map(async (request) => (await rig.signed(request)).status))
  expect(done.filter((status) => status === "Completed").length).toBeLessThan(20)
  await rig.relay.settle(4_999)
  await run(2_000)
  for (const request of [...long, short]) expect((await rig.signed(request)).status).toBe("Completed")
  expect(most).toBeLessThanOrEqual(4)
  expect(most).toBeGreaterThan(1)
})

test("a queue survives a restart of WaaS", async () => {
  const { rig, sign, run } = await anyTwo({ windows: { asked: 2, running: 2 } })
  await using _ = rig
  const requests: SignRequest[] = []
  for (let i = 0; i < 20; i++) requests.push(await sign())
  await rig.relay.settle(30)
  await rig.crash()
  await rig.relay.settle(4_999)
  await run(40_000, 1_000)
  for (const request of requests) expect((await rig.signed(request)).status).toBe("Completed")
})

test("a batch that the store does not take is as if it had not been asked for, and the next one goes through", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  rig.failCommits = true
  await expect(sign()).rejects.toThrow("disk full")
  rig.failCommits = false
  const request = await sign()
  rig.failCommits = true
  await rig.relay.settle().catch(() => {})
  rig.failCommits = false
  await rig.relay.settle().catch(() => {})
  await run(40_000, 1_000)
  expect((await rig.signed(request)).status).toBe("Completed")
  expect(
    (await rig.store.signRequests({ vaultId: request.vaultId }, { limit: 9, after: undefined, before: undefined }))
      .total,
  ).toBe(1)
})

test("commits are few: one request costs four, forty at once far fewer each", async () => {
  const { rig, sign, run } = await anyTwo()
  await using _ = rig
  let commits = 0
  const { commit } = rig.store
  Object.assign(rig.store, {
    commit: (writes: Parameters<typeof commit>[0]) => {
      commits++
      return commit(writes)
    },
  })
  await sign()
  await rig.relay.settle()
  await run(500)
  expect(commits).toBeLessThanOrEqual(4)
  commits = 0
  const all = await Promise.all(Array.from({ length: 40 }, () => sign()))
  expect(commits).toBeLessThanOrEqual(10)
  await rig.relay.settle(4_999)
  await run(1_000)
  for (const request of all) expect((await rig.signed(request)).status).toBe("Completed")
}, 30_000)

test("many that wait for the room of two nodes do not keep those of two others from beginning", async () => {
  const windows = { asked: 128, running: 1 }
  await using rig = await Rig.open({ curves: ["ED25519"], nodes: 4, windows })
  const made = await rig.madeVault(2)
  rig.node(0).behaviour = { attempt: () => "silent" }
  rig.node(1).behaviour = { attempt: () => "silent" }
  const ask = (first: number) => rig.sign(made, { nodeIds: [rig.node(first).id, rig.node(first + 1).id] })
  for (let i = 0; i < 70; i++) await ask(0)
  await rig.relay.settle()
  const others = [await ask(2), await ask(2), await ask(2)]
  await rig.relay.settle()
  for (const other of others) expect((await rig.signed(other)).status).toBe("Completed")
})
