/** Tasks that are refused do not fill the disk: what the journal takes in of them is bounded, and tasks that are approved never notice. */
import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import { type Level, silentLog } from "../../src/log.ts"
import { Admission } from "../../src/tasks/admission.ts"
import type { TaskRecord } from "../../src/tasks/ports.ts"
import { RateLimitedLog } from "../../src/tasks/rateLimitedLog.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { logTo } from "../support/logTo.ts"
import { approved, rejected, type World, world } from "./fakes.ts"
import { approve, ask, cancel, full, group, keysign, self, signed, start, stranger, turn, waas } from "./scenario.ts"

const DAY_MS = 86_400_000

interface Flooded {
  readonly w: World
  readonly tasks: TaskRunner
  readonly said: string[]
}

/** A node that takes in eight refused tasks or so, and one more every two hours. */
function small(): Flooded {
  const w = world(self, { groups: [group] })
  const said: string[] = []
  Object.assign(w.ports, {
    limits: {
      ...w.ports.limits,
      journal: {
        refused: { burstBytes: 16_384, bytesPerDay: 24_576 },
        idle: { burstBytes: 65_536, bytesPerDay: 65_536 },
      },
    },
    log: logTo((level: Level, message: string) => void said.push(`${level} ${message}`)),
  })
  return { w, tasks: createTasks(waas.publicKey, w.ports), said }
}

let number = 0
const another = (w: World, change: Partial<KeySignTask> = {}): KeySignTask =>
  keysign(w, { task_id: `flood-${++number}`, ...change })

/** Tasks that the rules refuse, until one leaves no record. */
async function flooded(): Promise<Flooded> {
  const it = small()
  const { w, tasks } = it
  w.evaluate = () => ({ verdict: rejected, debits: [] })
  while (w.unrecorded.length === 0) {
    ask(tasks, another(w))
    await turn()
  }
  while (w.sent.length > 0) w.sent.pop()
  return it
}

const lastOf = (w: World) => w.sent.findLast((frame) => frame.kind === "report")

test("a flood of refused tasks: each is answered with its own reason, and the journal stops growing", async () => {
  const { w, tasks, said } = await flooded()
  const { size } = w.records
  const events = w.events.length
  expect(size).toBeGreaterThan(5)
  expect(size).toBeLessThan(16)
  for (let n = 0; n < 200; n++) {
    const task = another(w)
    ask(tasks, task)
    await turn()
    expect(lastOf(w)).toMatchObject({ taskId: task.task_id, status: 160, code: "E-RSK-001", approved: false })
  }
  // what this node's own records refuse is no different
  ask(tasks, another(w, { group_id: "ZZZZZZZZZZZZZZZZZZZZ" }))
  await turn()
  expect(lastOf(w)).toMatchObject({ status: 160, code: "E-TSK-006" })
  expect([w.records.size, w.events.length, tasks.open()]).toEqual([size, events, 0])
  expect(w.unrecorded.length).toBe(202)
  expect(said.filter((line) => line.startsWith("error"))).toEqual([expect.stringContaining("E-TSK-033")])
  // and the log does not grow with it either
  expect(said.length).toBeLessThan(2 * size + 8)
})

test("in the flood a task that is approved goes on as always; its callback servers are asked once", async () => {
  const { w, tasks } = await flooded()
  w.evaluate = () => ({ verdict: approved, debits: [{ counter: "signatures", amount: 1 }] })
  const task = another(w)
  ask(tasks, task)
  await turn()
  expect([w.asked.length, w.records.has(task.task_id), tasks.open()]).toEqual([1, false, 1])
  ask(tasks, task) // WaaS says it again while it is being decided
  cancel(tasks, { ...task, messages: [{ bip32_path: "m/1", msg_hash: "0xbad0", tweak: "" }] }) // and ends another document
  expect(w.sent).toEqual([])
  w.asked[0]?.answer(approved)
  await turn()
  expect(w.asked.length).toBe(1)
  expect(w.records.get(task.task_id)?.state).toBe("approved")
  expect(w.events.slice(-2).map(({ eventType }) => eventType)).toEqual(["110", "140"])
  expect(w.ports.journal.usage.count("signatures", 0)).toBe(1)
  start(tasks, task, 1)
  await turn()
  w.sessions.at(-1)?.end(signed)
  await turn()
  expect(lastOf(w)).toMatchObject({ taskId: task.task_id, status: 190 })
})

test("the rules are asked again as such a task is claimed: a limit is not spent twice by two that are decided together", async () => {
  const { w, tasks } = await flooded()
  w.evaluate = (_task, _group, usage) =>
    usage.count("signatures", 0) >= 1
      ? { verdict: rejected, debits: [] }
      : { verdict: approved, debits: [{ counter: "signatures", amount: 1 }] }
  const both = [another(w), another(w)]
  for (const task of both) ask(tasks, task)
  await turn()
  for (const { answer } of w.asked) answer(approved)
  await turn()
  expect(both.map(({ task_id }) => w.records.get(task_id)?.state).toSorted()).toEqual(["approved", "rejected"])
})

test("in the flood a callback server's refusal, a cancel and the deadline leave no record; another document under the id is refused", async () => {
  const { w, tasks } = await flooded()
  w.evaluate = () => ({ verdict: approved, debits: [] })
  const { size } = w.records
  const end = async (action: (task: KeySignTask) => void) => {
    const task = another(w)
    ask(tasks, task)
    await turn()
    action(task)
    await turn()
    expect(lastOf(w)).toMatchObject({ taskId: task.task_id, status: 160, approved: false })
    return lastOf(w)
  }
  expect(await end(() => w.asked.at(-1)?.answer(rejected))).toMatchObject({ code: "E-RSK-001" })
  expect(await end((task) => cancel(tasks, task))).toMatchObject({ code: "E-TSK-005" })
  expect(await end(() => w.advance(60_000))).toMatchObject({ code: "E-TSK-004" })
  const slept = () => {
    w.clock.sleep(60_000)
    w.asked.at(-1)?.answer(approved)
  }
  expect(await end(slept)).toMatchObject({ code: "E-TSK-004" })
  const old = another(w, { created_ms: w.ports.now() - 2, deadline_ms: w.ports.now() - 1 })
  ask(tasks, old)
  await turn()
  expect(lastOf(w)).toMatchObject({ taskId: old.task_id, status: 160, code: "E-TSK-004" })
  expect([w.records.size, tasks.open()]).toEqual([size, 0])

  const task = another(w)
  ask(tasks, task)
  ask(tasks, { ...task, messages: [{ bip32_path: "m/1", msg_hash: "0xbad0", tweak: "" }] })
  expect(lastOf(w)).toMatchObject({ status: 160, code: "E-TSK-001" })
  w.asked.at(-1)?.answer(approved)
  await turn()
  expect(new TextDecoder().decode(w.records.get(task.task_id)?.document)).toContain("0xdeadbeef")
})

test("tasks that are being decided count as open, and end with the node", async () => {
  const { w, tasks } = await flooded()
  w.evaluate = () => ({ verdict: approved, debits: [] })
  const { size } = w.records
  for (let n = 0; n < w.ports.limits.openTasks; n++) ask(tasks, another(w))
  ask(tasks, another(w))
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", code: "E-TSK-017" })
  await tasks.stop()
  ask(tasks, another(w))
  await turn()
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", code: "E-TSK-048" })
  expect([tasks.open(), w.records.size]).toEqual([0, size])
})

test("such a task that cannot be claimed, because the disk is full by then, is put off", async () => {
  const { w, tasks } = await flooded()
  w.evaluate = () => ({ verdict: approved, debits: [] })
  const task = another(w)
  ask(tasks, task)
  await turn()
  Object.assign(w.ports.journal, { claim: full })
  w.asked[0]?.answer(approved)
  await turn()
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", taskId: task.task_id, code: "E-TSK-048" })
  expect(tasks.open()).toBe(0)
})

test("once there is room again, a refusal is recorded again, also of a task that was refused without a record", async () => {
  const { w, tasks } = await flooded()
  const task = another(w, { deadline_ms: w.ports.now() + 2 * DAY_MS })
  ask(tasks, task)
  await turn()
  expect(w.records.has(task.task_id)).toBe(false)
  w.advance(DAY_MS)
  ask(tasks, task)
  await turn()
  expect(w.records.get(task.task_id)?.state).toBe("rejected")
})

test("tasks that were approved and came to nothing have a larger budget; spent, no new task is taken, and it is said", async () => {
  const { w, tasks, said } = small()
  const task = another(w)
  await approve(w, tasks, task)
  let count = 0
  for (; w.unrecorded.length === 0; count++) {
    const one = another(w)
    ask(tasks, one)
    await turn()
    w.asked.at(-1)?.answer(approved)
    await turn()
    cancel(tasks, one)
    await turn()
  }
  expect(count).toBeGreaterThan(30)
  expect(w.records.size).toBe(1 + count - 1)
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", code: "E-TSK-035" })
  expect(said.filter((line) => line.startsWith("error"))).toEqual([expect.stringContaining("E-TSK-035")])
  // What was taken goes on.
  start(tasks, task, 1)
  await turn()
  w.sessions.at(-1)?.end(signed)
  await turn()
  expect(lastOf(w)).toMatchObject({ taskId: task.task_id, status: 190 })
})

test("a deadline beyond a month is refused without a record: until it had passed, the journal could not forget the task", async () => {
  const { w, tasks } = small()
  ask(tasks, another(w, { deadline_ms: w.ports.now() + 31 * DAY_MS + 1 }))
  expect(await w.nextReport()).toMatchObject({ status: 160, code: "E-TSK-032" })
  expect([w.records.size, w.unrecorded]).toEqual([0, ["E-TSK-032"]])
  ask(tasks, another(w, { deadline_ms: w.ports.now() + 31 * DAY_MS }))
  expect(await w.nextReport()).toMatchObject({ status: 130 })
})

test("what others can make this node say at will, it says once a minute", () => {
  const { w, tasks, said } = small()
  for (let n = 0; n < 100; n++) {
    ask(tasks, another(w), stranger)
    start(tasks, another(w), 1)
    cancel(tasks, another(w))
    ask(tasks, another(w, { deadline_ms: w.ports.now() + 99 * DAY_MS }))
  }
  expect(said.length).toBe(3)
})

// ---- its parts ---------------------------------------------------------------------------------------------------------

const record = (documentBytes: number, change: Partial<TaskRecord> = {}): TaskRecord => ({
  taskId: "t",
  digest: "",
  type: "KeySign",
  document: new Uint8Array(documentBytes),
  state: "rejected",
  attempt: 0,
  claimedMs: 0,
  updatedMs: 0,
  deadlineMs: 0,
  verdict: undefined,
  code: "",
  reason: "",
  outcome: undefined,
  delivered: false,
  ...change,
})

const rates = (burstBytes: number, bytesPerDay: number) => ({ burstBytes, bytesPerDay })

test("the budget is in bytes, of the document and of what was said about it, and refills by the day", () => {
  const admission = new Admission({ refused: rates(100_000, 50_000), idle: rates(1, 0) }, silentLog, 0)
  expect(admission.admits(0)).toBe("claim")
  admission.ended(record(98_975)) // and 1024 for the row
  expect(admission.admits(0)).toBe("claim")
  admission.ended(record(0))
  expect(admission.admits(0)).toBe("decideFirst")
  // 1 023 bytes too many: half an hour
  expect(admission.admits(1_800_000)).toBe("claim")
  expect(admission.admits(DAY_MS)).toBe("claim")
  admission.ended(record(1_000_000))
  expect(admission.admits(DAY_MS)).toBe("decideFirst")
  // A clock that was set back refills nothing and takes nothing away; and it never holds more than the burst.
  expect(admission.admits(0)).toBe("decideFirst")
  expect(admission.admits(19.5 * DAY_MS)).toBe("claim")
  expect(admission.admits(1000 * DAY_MS)).toBe("claim")
  admission.ended(record(98_977))
  expect(admission.admits(1000 * DAY_MS)).toBe("decideFirst")

  const wordy = new Admission({ refused: rates(10_000, 0), idle: rates(1, 0) }, silentLog, 0)
  const rules = [{ rule: "r".repeat(3_000), outcome: "deny" as const, reason: "s".repeat(3_000) }]
  wordy.ended(record(0, { verdict: { ...rejected, rules }, reason: "t".repeat(3_000) }))
  expect(wordy.admits(0)).toBe("decideFirst")
})

test("of approved tasks those cost that came to nothing, and check-ups; not a signature, nor one that may exist", () => {
  const signatures = Array.from({ length: 4 }, () => ({ group_id: "", signed_msg: "", msg_hash: "", signature: "" }))
  const outcome = { type: "shareSignatures", signatures } as const
  const left = (change: Partial<TaskRecord>): number => {
    for (let bytes = 0; bytes <= 10_000; bytes += 500) {
      const admission = new Admission({ refused: rates(1, 0), idle: rates(bytes + 1, 0) }, silentLog, 0)
      admission.ended(record(1000, { verdict: approved, ...change }))
      if (admission.admits(0) === "claim") return bytes
    }
    return Number.POSITIVE_INFINITY
  }
  expect(left({ state: "completed" })).toBe(0)
  expect(left({ state: "failed", code: "E-TSK-031" })).toBe(0)
  expect(left({ state: "failed", code: "E-TSK-004" })).toBe(2500)
  expect(left({ state: "cancelled" })).toBe(2500)
  expect(left({ type: "KeyShareSign", state: "completed", outcome })).toBe(5500)
})

test("a spent budget is said once, with its code, and again only after half of it was there in between", () => {
  const said: string[] = []
  const log = logTo((_, message) => void said.push(message))
  const admission = new Admission({ refused: rates(10_000, 10_000), idle: rates(1, 0) }, log, 0)
  admission.ended(record(20_000))
  for (let n = 0; n < 5; n++) admission.admits(0)
  expect(said).toEqual([expect.stringContaining("E-TSK-033")])
  expect(admission.admits(1.2 * DAY_MS)).toBe("claim")
  admission.ended(record(2_000))
  expect(admission.admits(1.2 * DAY_MS)).toBe("decideFirst")
  expect(said.length).toBe(1)
  expect(admission.admits(2 * DAY_MS)).toBe("claim")
  admission.ended(record(20_000))
  admission.admits(2 * DAY_MS)
  expect(said.length).toBe(2)
})

test("rare lines: one a minute of each kind, and the next says how many were left out", () => {
  const said: unknown[] = []
  let nowMs = 0
  const rateLimitedLog = new RateLimitedLog(
    logTo((level, message, fields) => void said.push([level, message, fields])),
    () => nowMs,
  )
  const bytes = utf8("x")
  for (let n = 0; n < 3; n++) rateLimitedLog.say("warn", "refused", { code: "E-TSK-001", bytes })
  rateLimitedLog.say("warn", "refused", { code: "E-TSK-017" })
  nowMs = 60_000
  rateLimitedLog.say("warn", "refused", { code: "E-TSK-001", task: "t" })
  rateLimitedLog.say("error", "dropped")
  // set back by an hour
  nowMs = -3_600_000
  rateLimitedLog.say("error", "dropped")
  expect(said).toEqual([
    ["warn", "refused", { code: "E-TSK-001", bytes }],
    ["warn", "refused", { code: "E-TSK-017" }],
    ["warn", "refused", { code: "E-TSK-001", task: "t", alike: 2 }],
    ["error", "dropped", {}],
    ["error", "dropped", {}],
  ])
})
