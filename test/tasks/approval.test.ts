/** How long an approval is worth something: not past the task's deadline, whatever the timers do, and not against today's rules. */
import { expect, test } from "bun:test"
import type { Usage } from "../../src/policy/decision.ts"
import { approved, rejected, type World } from "./fakes.ts"
import { approve, ask, keysign, running, setUp, signed, start, turn } from "./scenario.ts"

const LIFE_MS = 60_000

test("an approval that comes after the deadline approves nothing, though no timer has fired yet", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  ask(tasks, task)
  await w.nextReport()
  w.clock.sleep(LIFE_MS)
  w.asked[0]?.answer(approved)
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
  expect(w.trace).not.toContain("journal approved")
})

test("a refusal that was written down as the deadline passed is what is told", async () => {
  const { w, tasks } = setUp()
  const { approve: decide } = w.ports.journal
  const late: typeof decide = (...of) => {
    const record = decide(...of)
    w.clock.sleep(LIFE_MS)
    return record
  }
  Object.assign(w.ports.journal, { approve: late })
  ask(tasks, keysign(w))
  await w.nextReport()
  w.asked[0]?.answer(rejected)
  expect(await w.nextReport()).toMatchObject({ status: 160, code: rejected.code })
})

test("a start after the deadline begins nothing, though no timer has fired yet", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  w.clock.sleep(LIFE_MS)
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
  expect(w.sessions.length).toBe(0)
})

test("callback servers are asked once: each attempt until the deadline stands on what they approved", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  for (const attempt of [1, 2, 3]) {
    start(tasks, task, attempt)
    await turn()
    expect([w.sessions.length, w.asked.length]).toEqual([attempt, 1])
  }
  ask(tasks, task)
  await turn()
  expect(w.asked.length).toBe(1)
})

test("a session whose row is not written before the deadline is not begun", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const { startSession } = w.ports
  const worker = Promise.withResolvers<void>()
  // a worker that takes its time to answer with the session's id
  const late: typeof startSession = (spec, io) =>
    startSession(spec, { ...io, begin: async (sid) => worker.promise.then(() => io.begin(sid)) })
  Object.assign(w.ports, { startSession: late })
  start(tasks, task, 1)
  await turn()
  w.clock.sleep(LIFE_MS)
  worker.resolve()
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
  expect([w.rows, w.trace.includes("send envelope")]).toEqual([[], false])
})

test("no share leaves after the deadline", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  w.clock.sleep(LIFE_MS)
  const emit = session.io.record({ kind: "emitted", digest: new Uint8Array(32) })
  expect(await emit.catch((error: { code: string }) => error.code)).toBe("E-TSK-004")
  expect(w.records.get(task.task_id)?.state).toBe("running")
})

test("an attempt whose own deadline has passed as it begins is cancelled at once", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const { startSession } = w.ports
  // the clock jumps while the session is begun
  const jump: typeof startSession = (spec, io) => {
    const session = startSession(spec, io)
    w.clock.sleep(LIFE_MS)
    return session
  }
  Object.assign(w.ports, { startSession: jump })
  start(tasks, task, 1)
  await turn()
  expect(w.sessions.map(({ cancelledFor }) => cancelledFor)).toEqual(["deadline"])
})

/** Approves while the counter allows two in ten seconds, and counts each task as one signature. */
function twoInTenSeconds(w: World): void {
  w.evaluate = (_task, _group, usage: Usage, nowMs) =>
    usage.count("signatures", nowMs - 10_000) + 1 > 2
      ? { verdict: rejected, debits: [] }
      : { verdict: approved, debits: [{ counter: "signatures", amount: 1 }] }
}

test("approvals that were hoarded over many windows do not all sign in one", async () => {
  const { w, tasks } = setUp()
  twoInTenSeconds(w)
  const hoard = Array.from({ length: 6 }, (_, i) => keysign(w, { task_id: `task-${i}` }))
  for (const [i, task] of hoard.entries()) {
    if (i % 2 === 0) w.advance(10_001)
    await approve(w, tasks, task)
  }
  const codes: string[] = []
  for (const task of hoard) {
    start(tasks, task, 1)
    codes.push((await w.nextReport()).code)
  }
  // The last two are of this very window; the others would be too many in it.
  expect(codes).toEqual(["E-TSK-030", "E-TSK-030", "E-TSK-030", "E-TSK-030", "", ""])
  expect(w.sessions.length).toBe(2)
  expect(w.rows.length).toBe(2)

  // Nothing is lost: in a window of their own they sign.
  w.advance(10_001)
  const first = hoard[0]
  if (first === undefined) throw new Error("there are six")
  const session = await running(w, tasks, first, 2)
  session.end(signed)
})

test("what a session signs counts from the session's start, not from the approval", async () => {
  const { w, tasks } = setUp()
  twoInTenSeconds(w)
  const [early, other] = [keysign(w), keysign(w, { task_id: "task-2" })]
  await approve(w, tasks, early)
  w.advance(9_000)
  await running(w, tasks, early)
  expect(w.ports.journal.usage.count("signatures", w.ports.now())).toBe(1)
  w.advance(2_000)
  await approve(w, tasks, other)
  ask(tasks, keysign(w, { task_id: "task-3" }))
  await w.nextReport()
  expect(await w.nextReport()).toMatchObject({ taskId: "task-3", status: 160 })
})

test("rules that were tightened after the approval hold at the start: nothing is begun, and nothing leaves", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  w.evaluate = () => ({ verdict: rejected, debits: [] })
  start(tasks, task, 1)
  const report = await w.nextReport()
  expect(report).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-030" })
  expect(report.reason).toContain(rejected.code)
  expect([w.rows, w.trace.includes("send envelope")]).toEqual([[], false])
  expect(w.records.get(task.task_id)?.state).toBe("approved")
})
