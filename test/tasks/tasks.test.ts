/** A task from its first frame to its outcome, in memory: what is decided, what is durable before what, how it ends. */

import { expect, test } from "bun:test"
import { type Bytes, copy, toHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { CosignerError } from "../../src/errors.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { type Blame, ban, equivocation, fault, sessionAbort } from "../../src/mpc/blame.ts"
import { encodeHeader, identityOf, makeEnvelope } from "../../src/mpc/envelope.ts"
import { equivocatorOf } from "../../src/mpc/statement.ts"
import { keyGenSids, sessionTaskId } from "../../src/tasks/keygen.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { MOST_ENVELOPES, SenderQuota } from "../../src/tasks/senderQuota.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { signDocument } from "../../src/wire/signed.ts"
import { encodeTask, type KeyGenTask, type KeyReshareTask, type KeySignTask, type Task } from "../../src/wire/task.ts"
import { approved, envelopeFrom, type FakeSession, party, rejected, type World, world } from "./fakes.ts"
import {
  approve,
  ask,
  cancel,
  digestOf,
  full,
  group,
  keysign,
  parties,
  peer,
  running,
  self,
  setUp,
  signed,
  start,
  stranger,
  third,
  turn,
  waas,
} from "./scenario.ts"

test("a KeySign goes from claim to outcome, each record durable before what depends on it", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  expect(session.spec).toMatchObject({ protocol: "sign", algorithm: "eddsa", signers: [self, peer], attempt: 1 })
  await session.io.record({ kind: "emitted", digest: new Uint8Array(32) })
  session.end(signed)
  const report = await w.nextReport()
  expect(report).toMatchObject({ status: 190, digest: digestOf(task), outcome: { type: "signatures" } })
  expect(w.trace).toEqual([
    "journal claimed",
    "report 130",
    "journal approved",
    "report 130",
    "journal running",
    "report 140",
    "send envelope",
    "journal emitted",
    "session done",
    "journal completed",
    "report 190",
  ])
  expect(w.events.map((event) => event.eventType)).toEqual(["110", "140", "190"])
  expect(w.sent.find((frame) => frame.kind === "envelope")).toMatchObject({ receiver: undefined, taskId: "task-1" })
  await tasks.stop()
  expect(tasks.open()).toBe(0)
  // asked again, the journal answers
  ask(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 190, outcome: { type: "signatures" } })
  expect(w.sessions.length).toBe(1)
})

test("a document that the pinned key did not sign, or signed as something else, is dropped", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  ask(tasks, task, stranger)
  const asStart = signDocument(waas, "waas/start", encodeTask(task))
  tasks.onFrame({ kind: "task", task: asStart })
  const bytes = signDocument(waas, "waas/task", encodeTask(task))
  const flipped = copy(bytes.document)
  flipped[20] = (flipped[20] ?? 0) ^ 1
  tasks.onFrame({ kind: "task", task: { ...bytes, document: flipped } })
  expect(w.records.size).toBe(0)
  expect(w.sent).toEqual([])

  await approve(w, tasks, task)
  start(tasks, task, 1, stranger)
  expect(w.sessions.length).toBe(0)
})

test("one task id, two documents: the second is refused and the first goes on", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const other = keysign(w, { messages: [{ bip32_path: "m/1", msg_hash: "0xbad0", tweak: "" }] })
  ask(tasks, other)
  expect(await w.nextReport()).toMatchObject({ status: 160, code: "E-TSK-001", digest: digestOf(other) })
  start(tasks, other, 1)
  expect(w.sessions.length).toBe(0)
  await running(w, tasks, task)
})

test("an embedded rule says no: no callback server is asked, and the refusal is final", async () => {
  const { w, tasks } = setUp()
  w.evaluate = () => ({ verdict: rejected, debits: [] })
  const task = keysign(w)
  ask(tasks, task)
  await w.nextReport()
  expect(await w.nextReport()).toMatchObject({ status: 160, code: "E-RSK-001" })
  expect(w.asked.length).toBe(0)
  expect(w.events.map((event) => event.eventType)).toEqual(["110", "160"])
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ status: 160 })
  expect(w.sessions.length).toBe(0)
})

test("a callback server says no", async () => {
  const { w, tasks } = setUp()
  ask(tasks, keysign(w))
  await w.nextReport()
  w.asked[0]?.answer(rejected)
  expect(await w.nextReport()).toMatchObject({ status: 160, code: "E-RSK-001" })
})

test("a limit of one is spent once, though two tasks passed the first look together", async () => {
  const { w, tasks } = setUp()
  w.evaluate = (_task, _group, usage) =>
    usage.count("signatures", 0) >= 1
      ? { verdict: rejected, debits: [] }
      : { verdict: approved, debits: [{ counter: "signatures", amount: 1 }] }
  ask(tasks, keysign(w))
  ask(tasks, keysign(w, { task_id: "task-2" }))
  await w.nextReport()
  await w.nextReport()
  expect(w.asked.length).toBe(2)
  for (const { answer } of w.asked) answer(approved)
  const answers = [await w.nextReport(), await w.nextReport()]
  expect(answers.map((report) => report.status).sort()).toEqual([130, 160])
})

test("the deadline ends a task that waits for callbacks, for its start, or in mid-session", async () => {
  for (const stage of ["asking", "approved", "running"] as const) {
    const { w, tasks } = setUp()
    const task = keysign(w)
    if (stage === "asking") {
      ask(tasks, task)
      await w.nextReport()
    } else await approve(w, tasks, task)
    const session = stage === "running" ? await running(w, tasks, task) : undefined
    w.advance(60_000)
    expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
    expect(session?.cancelledFor).toBe(stage === "running" ? "deadline" : undefined)
    expect(w.asked[0]?.signal.aborted).toBe(true)
    await tasks.stop()
    expect(tasks.open()).toBe(0)
  }
})

test("an attempt has a deadline of its own, after which the task waits for the next", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const first = await running(w, tasks, task)
  w.advance(10_000)
  expect(first.cancelledFor).toBe("deadline")
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
  const second = await running(w, tasks, task, 2)
  second.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190, attempt: 2 })
})

test("a task that has ended leaves no alarm behind, however it ended", async () => {
  for (const ending of [signed, { kind: "blamed", blame: fault(peer, "cheat") } as const]) {
    const { w, tasks } = setUp()
    const task = keysign(w)
    await approve(w, tasks, task)
    const session = await running(w, tasks, task)
    expect(w.clock.pending).toBe(2)
    session.end(ending)
    await w.nextReport()
    await turn()
    expect(w.clock.pending).toBe(0)
  }
})

test("a task whose deadline has passed is asked of nobody", async () => {
  const { w, tasks } = setUp()
  ask(tasks, keysign(w, { created_ms: w.ports.now() - 2, deadline_ms: w.ports.now() - 1 }))
  await w.nextReport()
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
  expect(w.asked.length).toBe(0)
})

test("a cancel ends a task in every stage, but not one that is done", async () => {
  for (const stage of ["asking", "approved", "running"] as const) {
    const { w, tasks } = setUp()
    const task = keysign(w)
    if (stage === "asking") {
      ask(tasks, task)
      await w.nextReport()
    } else await approve(w, tasks, task)
    if (stage === "running") await running(w, tasks, task)
    cancel(tasks, task)
    expect(await w.nextReport()).toMatchObject({ status: 180, code: "E-TSK-005" })
  }
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  session.end(signed)
  await w.nextReport()
  cancel(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 190 })
})

test("nobody to blame: the task stays open for the next attempt, and older attempts are refused", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const first = await running(w, tasks, task)
  first.end({ kind: "blamed", blame: sessionAbort("view mismatch") })
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ code: "E-TSK-019" })
  expect(w.sessions.length).toBe(1)
  await running(w, tasks, task, 2)
})

test("a session that was flooded ends its attempt with a code of its own; the task goes on", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const first = await running(w, tasks, task)
  first.end({ kind: "flooded" })
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-034" })
  await running(w, tasks, task, 2)
})

test("a repeated start does not disturb the attempt that runs; a higher one replaces it", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const first = await running(w, tasks, task)
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1 })
  expect(first.cancelledFor).toBeUndefined()
  start(tasks, task, 3)
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
  expect(first.cancelledFor).toBe("cancelled")
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 3, code: "" })
})

test("a named culprit ends the task at once", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  session.end({ kind: "blamed", blame: fault(peer, "z share invalid") })
  const report = await w.nextReport()
  expect(report).toMatchObject({ status: 170, code: "E-TSK-015" })
  expect(report.reason).toContain(nodeIdOf(peer))
  expect(report.reason).not.toContain("z share") // what exactly failed stays in the local log (threshold.md 2.5 rule 5)
})

test("a ban is durable when blamed() returns", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  await session.io.blamed(ban(peer, "consistency check"), sha256(utf8("sid")))
  expect(w.bans).toMatchObject([{ groupId: group.groupId, peer, reason: "consistency check" }])
})

/** A session of a task of its own that ends with this blame. */
async function blamed(w: World, tasks: TaskRunner, id: string, blame: Blame): Promise<void> {
  const task = keysign(w, { task_id: id })
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  await session.io.blamed(blame, sha256(utf8(id)))
  session.end({ kind: "blamed", blame })
  await w.nextReport()
}

test("the third strike refuses every task that names the party, before any message, until it is pardoned", async () => {
  const { w, tasks } = setUp()
  const open = keysign(w, { task_id: "open" })
  await blamed(w, tasks, "1", fault(peer, "bad proof"))
  await blamed(w, tasks, "2", fault(peer, "bad opening"))
  await approve(w, tasks, open)
  await blamed(w, tasks, "3", fault(peer, "bad length"))
  expect(w.strikes).toMatchObject([
    { peer, kind: "FAULT", reason: "bad proof", taskId: "1", sid: sha256(utf8("1")), atMs: w.ports.now() },
    { taskId: "2" },
    { taskId: "3" },
  ])

  // an attempt of a task that was approved before
  const sessions = w.sessions.length
  start(tasks, open, 1)
  expect(await w.nextReport()).toMatchObject({ taskId: "open", status: 170, code: "E-TSK-023" })
  const both = [nodeIdOf(self), nodeIdOf(peer)]
  for (const task of [
    keysign(w),
    keygen(w),
    reshare(w, both, both),
    reshare(w, [nodeIdOf(self), nodeIdOf(third)], both),
  ]) {
    ask(tasks, { ...task, task_id: `refused-${w.records.size}` })
    await w.nextReport()
    const report = await w.nextReport()
    expect(report).toMatchObject({ status: 170, code: "E-TSK-023" })
    expect(report.reason).toContain(nodeIdOf(peer))
    expect(report.reason).not.toContain(nodeIdOf(third))
  }
  expect([w.sessions.length, w.bans]).toEqual([sessions, []])

  // others go on, and a reshare that leaves it out is the way to be rid of it
  const others = [nodeIdOf(self), nodeIdOf(third)]
  await approve(w, tasks, reshare(w, others, others))
  await running(w, tasks, reshare(w, others, others))
  const task = keysign(w, { task_id: "others", used_node_ids: others })
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  session.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190 })

  w.strikes.length = 0
  const again = keysign(w, { task_id: "pardoned" })
  await approve(w, tasks, again)
  await running(w, tasks, again)
})

test("only what names somebody else is a strike: no ban, no session's end, not this node itself", async () => {
  const { w, tasks } = setUp()
  await blamed(w, tasks, "1", sessionAbort("view mismatch"))
  await tasks.stop()
  const second = setUp()
  await blamed(second.w, second.tasks, "2", ban(peer, "consistency check"))
  await blamed(second.w, second.tasks, "3", fault(self, "a copy of this node"))
  expect([w.strikes, second.w.strikes]).toEqual([[], []])
})

test("a strike is durable when blamed() returns, and one that cannot be written is an error before any abort", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const before = w.trace.length
  await session.io.blamed(fault(peer, "bad proof"), sha256(utf8("sid")))
  expect(w.trace.slice(before)).toEqual(["strike"])
  Object.assign(w.ports.strikes, { add: full })
  const outcome = session.io.blamed(fault(peer, "bad proof"), sha256(utf8("sid")))
  expect(await outcome.catch((error: CosignerError) => error.code)).toBe("E-STO-013")
})

test("two versions of a message are kept with the strike as what both signatures prove", async () => {
  const { w, tasks } = setUp()
  const cheat = identityOf(sha256(utf8("cheat")))
  const blank = new Uint8Array(32)
  const header = {
    protocol: 2,
    round: 1,
    kind: 0,
    bodyLength: 3,
    sid: blank,
    receiver: undefined,
    view: blank,
  } as const
  const originals = ["one", "two", "six"].map((body) =>
    makeEnvelope(cheat, encodeHeader({ ...header, sender: cheat.party }), utf8(body)),
  )
  await blamed(w, tasks, "1", equivocation(cheat.party, "two versions", originals))
  const [strike] = w.strikes
  expect(strike).toMatchObject({ peer: cheat.party, kind: "EQUIV" })
  expect(strike?.evidence).toHaveLength(2)
  const [one, two] = strike?.evidence ?? []
  expect(equivocatorOf(one ?? blank, two ?? blank)).toBe(cheat.party)
})

test("envelopes reach the running session of their task and nothing else", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  const envelope = envelopeFrom(peer)
  tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
  await approve(w, tasks, task)
  tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
  const session = await running(w, tasks, task)
  tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
  tasks.onFrame({ kind: "envelope", taskId: "task-9", envelope })
  expect(session.delivered.length).toBe(1)
})

test("what is kept for an attempt that is about to begin is bounded, in number and in bytes, and no sender takes another's place", async () => {
  for (const [length, senders, each, kept] of [
    [205, [peer, third], 8, 8],
    [205, Array.from({ length: 40 }, (_, n) => party(100 + n)), 8, 0],
    [1024 * 1024, [peer, third], 2, 1],
  ] as const) {
    const { w, tasks } = setUp()
    const task = keysign(w)
    await approve(w, tasks, task)
    start(tasks, task, 1)
    for (let n = 0; n < each; n++) {
      for (const sender of senders) {
        const envelope = envelopeFrom(sender, length)
        tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
      }
    }
    await w.nextReport()
    // The other signer's alone reach the session.
    expect(w.sessions[0]?.delivered.length).toBe(kept)
  }
})

test("a peer that floods a session costs it no more than a session can need; strangers and what is no envelope cost nothing", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const arrive = (envelope: Uint8Array<ArrayBuffer>) =>
    tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
  for (let n = 0; n < 10_000; n++) {
    arrive(envelopeFrom(peer))
    arrive(envelopeFrom(third))
    arrive(envelopeFrom(self))
    arrive(new Uint8Array(1000))
    arrive(new Uint8Array(0))
  }
  expect(session.delivered.length).toBe(MOST_ENVELOPES)
})

test("a flood of one member leaves what another may say, in the same session and in others", () => {
  const quota = new SenderQuota()
  for (let n = 0; n < 1000; n++) quota.take("cheat", 100)
  expect(quota.take("cheat", 1)).toBe("over")
  expect(quota.take("honest", 1_500_000)).toBe("pass")
  expect(new SenderQuota().take("cheat", 1)).toBe("pass")
  const large = new SenderQuota()
  expect([1, 2, 3].map(() => large.take("cheat", 2 * 1024 * 1024))).toEqual(["pass", "last", "over"])
})

test("what faster peers sent for an attempt that is about to begin reaches its session", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  const envelope = envelopeFrom(peer)
  const arrive = () => tasks.onFrame({ kind: "envelope", taskId: task.task_id, envelope })
  await approve(w, tasks, task)
  // The start and the first envelopes in one packet: the node has not got to the start yet.
  start(tasks, task, 1)
  arrive()
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1 })
  const [first] = w.sessions
  expect(first?.delivered).toHaveLength(1)
  // Another attempt while this one is still on its way out.
  start(tasks, task, 2)
  arrive()
  arrive()
  expect(await w.nextReport()).toMatchObject({ code: "E-TSK-014", attempt: 1 })
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 2 })
  expect(w.sessions[1]?.delivered).toHaveLength(2)
})

test("more than the allowed number of open tasks are put off, without a trace and without a refusal", async () => {
  const { w, tasks } = setUp()
  const { openTasks } = w.ports.limits
  for (let n = 0; n < openTasks; n++) ask(tasks, keysign(w, { task_id: `open-${n}` }))
  ask(tasks, keysign(w, { task_id: "one-too-many" }))
  for (let n = 0; n < openTasks; n++) await w.nextReport()
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", taskId: "one-too-many", code: "E-TSK-017" })
  expect(w.records.has("one-too-many")).toBe(false)
})

const refused: readonly (readonly [string, string, (w: World) => Task])[] = [
  [
    "a key from more than a day ahead",
    "E-TSK-022",
    (w) => keygen(w, { created_ms: w.ports.now() + 86_400_001, deadline_ms: w.ports.now() + 2 * 86_400_000 }),
  ],
  ["an unknown group", "E-TSK-006", (w) => keysign(w, { group_id: "ZZZZZZZZZZZZZZZZZZZZ" })],
  [
    "another root key",
    "E-TSK-007",
    (w) => keysign(w, { root_pub_key: rootExtendedPublicKey({ ...group, chainCode: new Uint8Array(32) }) }),
  ],
  ["a task without this node", "E-TSK-008", (w) => keysign(w, { used_node_ids: [nodeIdOf(peer), nodeIdOf(third)] })],
  ["a stranger", "E-TSK-009", (w) => keysign(w, { used_node_ids: [nodeIdOf(self), nodeIdOf(party(9))] })],
  ["too many signers", "E-TSK-009", (w) => keysign(w, { used_node_ids: parties.map(nodeIdOf) })],
  [
    "ECDSA on Ed25519",
    "E-TSK-010",
    (w) =>
      keysign(w, {
        signature_type: 1,
        messages: [{ bip32_path: "m/0", msg_hash: `0x${"11".repeat(32)}`, tweak: "" }],
      }),
  ],
  ["a group that exists", "E-TSK-016", (w) => keygen(w, { group_id: group.groupId })],
  ["a KeyGen without this node", "E-TSK-008", (w) => keygen(w, { node_ids: [nodeIdOf(peer), nodeIdOf(third)] })],
]

for (const [what, code, make] of refused) {
  test(`refused: ${what}`, async () => {
    const { w, tasks } = setUp()
    ask(tasks, make(w))
    await w.nextReport()
    expect(await w.nextReport()).toMatchObject({ status: 170, code })
    expect(w.asked.length).toBe(0)
    expect(w.sessions.length).toBe(0)
  })
}

const k1: GroupPublic = {
  ...group,
  curve: "secp256k1",
  groupId: "BbcdefghijklmnopqrsT",
  commitments: [K1.encodePoint(K1.multiplyBase(3n)), K1.encodePoint(K1.multiplyBase(4n))],
}
const ecdsa = (w: World): KeySignTask =>
  keysign(w, {
    group_id: k1.groupId,
    root_pub_key: rootExtendedPublicKey(k1),
    signature_type: 1,
    messages: [{ bip32_path: "m/44/60", msg_hash: `0x${"11".repeat(32)}`, tweak: "" }],
  })
const banOf = (epochId: Bytes) => ({
  groupId: k1.groupId,
  epochId,
  peer,
  reason: "test",
  sid: new Uint8Array(32),
  bannedMs: 0,
})

test("a path that is another algorithm's is refused", async () => {
  const w = world(self, { groups: [k1] })
  const tasks = createTasks(waas.publicKey, w.ports)
  const [message] = ecdsa(w).messages
  ask(tasks, { ...ecdsa(w), messages: [{ ...message!, bip32_path: "m/86/0/0" }] })
  await w.nextReport()
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-012" })
})

test("ECDSA with a banned peer is refused before any message; a ban in mid-session stops every release", async () => {
  const w = world(self, { groups: [k1] })
  const tasks = createTasks(waas.publicKey, w.ports)
  await approve(w, tasks, ecdsa(w))
  const session = await running(w, tasks, ecdsa(w))
  expect(await session.io.mayRelease()).toBe(true)
  const second = { ...ecdsa(w), task_id: "task-2" }
  await approve(w, tasks, second)
  const other = await running(w, tasks, second)
  // the ban comes from the first session; the second is stopped by it
  await session.io.blamed(ban(peer, "consistency check"), banOf(k1.epochId).sid)
  expect(await other.io.mayRelease()).toBe(false)
  expect(other.cancelledFor).toBe("cancelled")

  const third = { ...ecdsa(w), task_id: "task-3" }
  ask(tasks, third)
  const reports = [await w.nextReport(), await w.nextReport(), await w.nextReport(), await w.nextReport()]
  expect(reports.some((report) => report.taskId === "task-3" && report.code === "E-TSK-013")).toBe(true)
})

/** Two ECDSA sessions with the same peer, of two tasks of one node. */
async function twoSessions(): Promise<{ w: World; tasks: TaskRunner; first: FakeSession; second: FakeSession }> {
  const w = world(self, { groups: [k1] })
  const tasks = createTasks(waas.publicKey, w.ports)
  const begun: FakeSession[] = []
  for (const task_id of ["task-1", "task-2"]) {
    const task = { ...ecdsa(w), task_id }
    await approve(w, tasks, task)
    begun.push(await running(w, tasks, task))
  }
  return { w, tasks, first: begun[0]!, second: begun[1]! }
}

/** Whether the promise settles without anything else happening. */
const settles = (promise: Promise<unknown>): Promise<boolean> =>
  Promise.race([promise.then(() => true), turn().then(() => false)])

test("checks of one peer run one at a time; a session that dies while it waits for its turn does not keep it", async () => {
  const { w, tasks, first, second } = await twoSessions()
  const checking = { kind: "checking", peer } as const
  await first.io.record(checking)
  expect(await settles(second.io.record(checking))).toBe(false)
  second.end({ kind: "crashed", reason: "its worker died" })
  await w.nextReport()
  await first.io.record({ kind: "checked", peer })
  const third = { ...ecdsa(w), task_id: "task-3" }
  await approve(w, tasks, third)
  const session = await running(w, tasks, third)
  expect(await settles(session.io.record(checking))).toBe(true)
})

test("a session that breaks down leaves the check unproven that was open, and no other", async () => {
  const { w, first, second } = await twoSessions()
  await first.io.record({ kind: "checking", peer })
  await first.io.record({ kind: "checked", peer })
  first.end({ kind: "crashed", reason: "the disk is full" })
  await w.nextReport()
  expect(w.trace).toContain("session crashed")
  await second.io.record({ kind: "checking", peer })
  second.end({ kind: "crashed", reason: "its worker died" })
  await w.nextReport()
  expect(w.trace).toContain(`session crashed, unproven: ${peer}`)
})

test("a worker that dies while its session's row is on its way to the disk: the row is closed all the same", async () => {
  const { w, tasks } = setUp()
  const { journal } = w.ports
  const { startSession } = journal
  const disk = Promise.withResolvers<void>()
  journal.startSession = async (...args) => {
    await disk.promise
    await startSession(...args)
  }
  const task = keysign(w)
  await approve(w, tasks, task)
  start(tasks, task, 1)
  await turn()
  w.sessions[0]!.end({ kind: "crashed", reason: "its worker died" })
  await turn()
  disk.resolve()
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "" })
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
  expect(w.trace).toContain("session crashed")
})

test("while a ban cannot be written, its peer gets no other check: a full disk grants no guesses", async () => {
  for (const store of ["bans", "journal"] as const) {
    const { w, tasks, first, second } = await twoSessions()
    await first.io.record({ kind: "checking", peer })
    const waiting = second.io.record({ kind: "checking", peer })
    Object.assign(w.ports[store], store === "bans" ? { add: full } : { endSession: full })
    if (store === "bans") {
      const blame = ban(peer, "consistency check")
      await first.io.blamed(blame, new Uint8Array(32)).catch(() => first.end({ kind: "crashed", reason: "no record" }))
    } else first.end({ kind: "crashed", reason: "its worker died" })
    expect(await waiting.catch((error: CosignerError) => error.code)).toBe("E-TSK-013")
    const third = { ...ecdsa(w), task_id: "task-3" }
    ask(tasks, third)
    await turn()
    w.asked.at(-1)?.answer(approved)
    await turn()
    start(tasks, third, 1)
    await turn()
    const session = w.sessions.at(-1)!
    expect(session.spec.taskId).toBe(sessionTaskId(third))
    const check = session.io.record({ kind: "checking", peer })
    expect(await check.catch((error: CosignerError) => error.code)).toBe("E-TSK-013")
  }
})

test("a peer that another session's crash disabled meanwhile gets no check of the sessions that waited for their turn", async () => {
  const { w, first, second } = await twoSessions()
  await first.io.record({ kind: "checking", peer })
  const waiting = second.io.record({ kind: "checking", peer })
  // The ninth unproven check disables without a ban, and so cancels nothing.
  Object.assign(w.ports.bans, { unusable: () => [peer] })
  first.end({ kind: "crashed", reason: "its worker died" })
  expect(await waiting.catch((error: CosignerError) => error.code)).toBe("E-TSK-013")
  await w.nextReport()
  second.end({ kind: "crashed", reason: "no check" })
  await w.nextReport()
  // What was not evaluated is not unproven.
  expect(w.trace.filter((line) => line.startsWith("session crashed"))).toEqual([
    `session crashed, unproven: ${peer}`,
    "session crashed",
  ])
})

test("once a ban is written, nothing of the epoch's sessions is released but their abort", async () => {
  const { w, first, second } = await twoSessions()
  const identity = identityOf(sha256(utf8("somebody")))
  const envelope = (round: number): Bytes => {
    const blank = new Uint8Array(32)
    const header = { protocol: 2, round, kind: 0, bodyLength: 0, sid: blank, receiver: undefined, view: blank } as const
    return makeEnvelope(identity, encodeHeader({ ...header, sender: identity.party }), new Uint8Array(0))
  }
  await first.io.blamed(ban(peer, "consistency check"), new Uint8Array(32))
  const before = w.trace.length
  // its worker had been told that it may release, and had sent this off, before the ban was written
  second.io.send(envelope(2))
  expect(w.trace.slice(before)).toEqual([])
  second.io.send(envelope(0))
  expect(w.trace.slice(before)).toEqual(["send envelope"])
})

test("a store that cannot write delays the end of a task and ends nothing else", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const { finish, claim } = w.ports.journal
  Object.assign(w.ports.journal, { finish: full, claim: full })
  const other = { ...task, task_id: "task-2" }
  expect(() => ask(tasks, other)).not.toThrow()
  session.end(signed)
  await turn()
  w.advance(5_000)
  await turn()
  expect(tasks.open()).toBe(1)
  Object.assign(w.ports.journal, { finish, claim })
  w.advance(5_000)
  expect(await w.nextReport()).toMatchObject({ status: 190 })
  await turn()
  expect(w.records.get(task.task_id)).toMatchObject({ state: "completed", code: "" })
  expect(tasks.open()).toBe(0)
  ask(tasks, other)
  expect(w.records.get("task-2")?.state).toBe("claimed")
})

test("a node that stops puts off what comes and begins none of it", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const stopped = tasks.stop()
  const before = w.trace.length
  ask(tasks, { ...task, task_id: "task-2" })
  start(tasks, task, 1)
  await stopped
  expect(w.trace.slice(before)).toEqual(["send later"])
  expect(tasks.open()).toBe(0)
})

function keygen(w: World, change: Partial<KeyGenTask> = {}): KeyGenTask {
  return {
    version: 1,
    task_id: "gen-1",
    biz_task_id: "biz-2",
    created_ms: w.ports.now(),
    deadline_ms: w.ports.now() + 60_000,
    extra_info: {},
    type: "KeyGen",
    group_id: "NewGroupNewGroupNewG",
    curve: "ed25519",
    threshold: 2,
    node_ids: parties.map(nodeIdOf),
    ...change,
  }
}

function reshare(w: World, dealers: readonly string[], members: readonly string[]): KeyReshareTask {
  return {
    version: 1,
    task_id: "reshare-1",
    biz_task_id: "biz-3",
    created_ms: w.ports.now(),
    deadline_ms: w.ports.now() + 60_000,
    extra_info: {},
    type: "KeyReshare",
    mode: "replace",
    old_group_id: group.groupId,
    new_group_id: group.groupId,
    root_pub_key: rootExtendedPublicKey(group),
    curve: "ed25519",
    old_threshold: 2,
    used_node_ids: dealers,
    new_threshold: 2,
    new_node_ids: members,
  }
}

test("a KeyGen stores PREPARED when the session says so and ACTIVE with the certificate", async () => {
  const { w, tasks } = setUp()
  const task = keygen(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const made: GroupPublic = { ...group, groupId: task.group_id, status: "PREPARED" }
  await session.io.record({ kind: "prepared", group: made, secret: w.ports.groups.open("", new Uint8Array(0)) })
  const certificate: Bytes[] = [utf8("ack")]
  session.end({
    kind: "done",
    result: { kind: "epoch", groupId: task.group_id, epochId: made.epochId, certificate },
  })
  const report = await w.nextReport()
  expect(report).toMatchObject({ status: 190, outcome: { type: "group", certificate: [toHex(utf8("ack"))] } })
  expect(w.trace.indexOf("group prepared")).toBeLessThan(w.trace.indexOf("group active"))
  expect(w.trace.indexOf("group active")).toBeLessThan(w.trace.indexOf("journal completed"))
})

test("no end hides an epoch that was certified meanwhile: a cancel that comes behind it ends the task with it", async () => {
  const { w, tasks } = setUp()
  const task = keygen(w)
  await approve(w, tasks, task)
  await running(w, tasks, task)
  const [sid] = keyGenSids(task, 1)
  w.groups.push({ ...group, groupId: task.group_id, sid: sid ?? group.sid, certificate: [utf8("ack")] })
  cancel(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 190, outcome: { certificate: [toHex(utf8("ack"))] } })
})

test("after a restart: unfinished tasks go on where the journal left them, in every state", async () => {
  for (const stage of ["claimed", "approved", "running", "emitted"] as const) {
    const before = setUp()
    const task = keysign(before.w)
    if (stage === "claimed") {
      ask(before.tasks, task)
      await before.w.nextReport()
    } else await approve(before.w, before.tasks, task)
    if (stage === "running" || stage === "emitted") {
      const session = await running(before.w, before.tasks, task)
      if (stage === "emitted") await session.io.record({ kind: "emitted", digest: new Uint8Array(32) })
    }
    await before.tasks.stop()
    expect(before.w.records.get(task.task_id)?.state).toBe(stage)

    const { records, rows, groups } = before.w
    const w = world(self, { records, rows, groups })
    const tasks = createTasks(waas.publicKey, w.ports)
    tasks.resume()
    if (stage === "claimed") {
      expect(w.asked.length).toBe(1) // asked anew: the earlier answer, if any, was never recorded
      w.asked[0]?.answer(approved)
    }
    const report = await w.nextReport()
    if (stage === "claimed" || stage === "approved") expect(report).toMatchObject({ status: 130, approved: true })
    else if (stage === "running") expect(report).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
    else expect(report).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-031" })
    const session = await running(w, tasks, task, 2)
    session.end(signed)
    expect(await w.nextReport()).toMatchObject({ status: 190 })
  }
})

test("a journalled task that no longer decodes ends as failed and holds up no other", async () => {
  const before = setUp()
  const task = keysign(before.w)
  await approve(before.w, before.tasks, task)
  await before.tasks.stop()
  const { records, groups } = before.w
  const record = records.get(task.task_id)!
  records.set("old", { ...record, taskId: "old", document: utf8("{}") })
  const w = world(self, { records, groups })
  const tasks = createTasks(waas.publicKey, w.ports)
  tasks.resume()
  expect(records.get("old")).toMatchObject({ state: "failed", code: "E-TSK-003" })
  expect(await w.nextReport()).toMatchObject({ taskId: task.task_id, status: 130, approved: true })
})

test("a task id that comes again in a later document, after the journal forgot the first, makes other session ids", async () => {
  const taskIds: string[] = []
  for (const lifeMs of [60_000, 60_001]) {
    const { w, tasks } = setUp() // a journal that remembers nothing
    const task = keysign(w, { deadline_ms: w.ports.now() + lifeMs })
    await approve(w, tasks, task)
    taskIds.push((await running(w, tasks, task)).spec.taskId)
  }
  expect(taskIds[0]).not.toBe(taskIds[1])
})

test("a final report is repeated when the link comes up, until WaaS has stored it", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  session.end(signed)
  await w.nextReport()
  tasks.onOnline()
  expect(await w.nextReport()).toMatchObject({ status: 190 })
  tasks.onFrame({ kind: "outcomeStored", taskId: task.task_id })
  const before = w.sent.length
  tasks.onOnline()
  expect(w.sent.length).toBe(before)
})
