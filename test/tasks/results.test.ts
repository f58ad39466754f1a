/** A signature that may exist: it is never reported as if nothing had been signed, and what it cost stays debited. */
import { expect, test } from "bun:test"
import type { Verdict } from "../../src/policy/verdict.ts"
import { createTasks } from "../../src/tasks/runner.ts"
import { approved, type World, world } from "./fakes.ts"
import { approve, cancel, full, group, keysign, running, self, setUp, signed, start, turn, waas } from "./scenario.ts"

const EMITTED = { kind: "emitted", digest: new Uint8Array(32) } as const

/** Rules that count every signature. */
function counted(w: World): void {
  w.evaluate = () => ({ verdict: approved, debits: [{ counter: "signatures", amount: 1 }] })
}
const used = (w: World): number => w.ports.journal.usage.count("signatures", 0)
const saidFailed = (w: World): boolean => w.sent.some((frame) => frame.kind === "report" && frame.status === 170)

async function emitted() {
  const { w, tasks } = setUp()
  counted(w)
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  await session.io.record(EMITTED)
  return { w, tasks, task, session }
}

test("a store that fails as the outcome is written: the result is kept until it is, and nobody hears of a failure", async () => {
  const { w, tasks, task, session } = await emitted()
  const { finish, endSession } = w.ports.journal
  Object.assign(w.ports.journal, { finish: full, endSession: full })
  session.end(signed)
  await turn()
  cancel(tasks, task)
  start(tasks, task, 2)
  for (let n = 0; n < 3; n++) {
    w.advance(5_000)
    await turn()
  }
  // past its deadline too: the signature exists
  w.advance(60_000)
  await turn()
  expect([w.records.get(task.task_id)?.state, tasks.open(), used(w)]).toEqual(["emitted", 1, 1])
  expect(saidFailed(w)).toBe(false)

  // The row of the session cannot be closed yet: the result waits for that as well, or a start would count it as crashed.
  Object.assign(w.ports.journal, { finish })
  w.advance(5_000)
  await turn()
  expect(w.records.get(task.task_id)?.state).toBe("emitted")
  Object.assign(w.ports.journal, { endSession })
  w.advance(5_000)
  await turn()
  expect(w.records.get(task.task_id)).toMatchObject({ state: "completed", outcome: { type: "signatures" } })
  expect(w.sent.at(-1)).toMatchObject({ kind: "report", status: 190, outcome: { type: "signatures" } })
  expect(w.trace.slice(-3)).toEqual(["session done", "journal completed", "report 190"])
  expect([tasks.open(), used(w), w.sessions.length, saidFailed(w)]).toEqual([0, 1, 1, false])
})

test("a node that goes down before it could write the outcome: the next run says that a signature may exist", async () => {
  const { w, tasks, task, session } = await emitted()
  Object.assign(w.ports.journal, { finish: full })
  session.end(signed)
  await turn()
  await tasks.stop()
  expect(saidFailed(w)).toBe(false)

  const { records, rows, groups } = w
  const next = world(self, { records, rows, groups })
  const again = createTasks(waas.publicKey, next.ports)
  again.resume()
  expect(await next.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-031" })
  expect(records.get(task.task_id)?.state).toBe("emitted")
  next.advance(60_000)
  const last = await next.nextReport()
  expect(last).toMatchObject({ status: 170, code: "E-TSK-031" })
  expect(last.reason).toContain("E-TSK-004")
})

const FAULTY: Verdict = { action: "reject", code: "E-RSK-003", reason: "", rules: [] }

test("whatever ends a task after a share has left, the end says so, to WaaS and to events, and the limit stays debited", async () => {
  const ends: readonly (readonly [string, 170 | 180, (awaited: Awaited<ReturnType<typeof emitted>>) => void])[] = [
    ["E-TSK-004", 170, ({ w }) => w.advance(60_000)],
    ["E-TSK-005", 180, ({ tasks, task }) => cancel(tasks, task)],
    [
      "E-TSK-006",
      170,
      ({ w, tasks, task, session }) => {
        w.groups.splice(0)
        session.end({ kind: "deadline" })
        start(tasks, task, 2)
      },
    ],
    [
      "E-TSK-020",
      170,
      ({ w, session }) => {
        Object.assign(w.ports.journal, { endSession: () => Promise.reject(new TypeError("a defect")) })
        session.end({ kind: "deadline" })
      },
    ],
  ]
  for (const [code, status, end] of ends) {
    const of = await emitted()
    const { w, task } = of
    end(of)
    await turn()
    const last = w.sent.findLast((frame) => frame.kind === "report")
    expect(last).toMatchObject({ kind: "report", status, code: "E-TSK-031", reason: expect.stringContaining(code) })
    expect(w.records.get(task.task_id)?.code).toBe("E-TSK-031")
    expect([used(w), w.events.at(-1)?.eventType]).toEqual([1, String(status)])
  }
})

test("before a share has left, the same endings are plain ones, and the limit is given back", async () => {
  const { w, tasks } = setUp()
  counted(w)
  const task = keysign(w)
  await approve(w, tasks, task)
  await running(w, tasks, task)
  w.advance(60_000)
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-004" })
  expect(used(w)).toBe(0)
})

test("a result that cannot become an outcome ends the task all the same", async () => {
  const { w, tasks, task, session } = await emitted()
  session.end({ kind: "done", result: { kind: "signatures", signatures: [] } })
  await turn()
  w.advance(5_000)
  await turn()
  expect(w.records.get(task.task_id)).toMatchObject({ state: "failed", code: "E-TSK-031" })
  expect(tasks.open()).toBe(0)
})

test("an emitted task of an older version that no longer decodes is not reported as plainly failed either", async () => {
  const { w, tasks, task } = await emitted()
  await tasks.stop()
  const record = w.records.get(task.task_id)
  if (record === undefined) throw new Error("it was claimed")
  const records = new Map([[task.task_id, { ...record, document: new Uint8Array(2) }]])
  const next = world(self, { records, groups: [group] })
  createTasks(waas.publicKey, next.ports).resume()
  expect(records.get(task.task_id)).toMatchObject({ state: "failed", code: "E-TSK-031" })
})

test("the rules refuse in between: an attempt after a share has left does not end the task either", async () => {
  const { w, tasks, task, session } = await emitted()
  session.end({ kind: "deadline" })
  await w.nextReport()
  w.evaluate = () => ({ verdict: FAULTY, debits: [] })
  start(tasks, task, 2)
  expect(await w.nextReport()).toMatchObject({ status: 140, code: "E-TSK-030" })
  expect([w.records.get(task.task_id)?.state, used(w)]).toEqual(["emitted", 1])
})
