/** A clock that is wrong approves nothing and begins nothing; what it kept from beginning begins once it is right. */
import { expect, test } from "bun:test"
import { clockOff } from "../../src/link/clockOff.ts"
import { decideFirst } from "../../src/tasks/admissionDecision.ts"
import { approved } from "./fakes.ts"
import { ask, beginsOnceReleased, keysign, setUp, turn } from "./scenario.ts"

const OFF = { offsetMs: 30_000, limitMs: 5_000 }

test("the limit is readiness's, and the error of measurement is on top", () => {
  const at = (clockOffsetMs: number, rttMs = 0) => clockOff({ clockOffsetMs, rttMs }, 5_000)
  expect(clockOff(undefined, 5_000)).toBeUndefined()
  expect([at(5_000), at(-5_000), at(5_050, 100)]).toEqual([undefined, undefined, undefined])
  expect([at(5_001), at(-5_001), at(5_051, 100)]).toEqual([
    { offsetMs: 5_001, limitMs: 5_000 },
    { offsetMs: -5_001, limitMs: 5_000 },
    { offsetMs: 5_051, limitMs: 5_000 },
  ])
})

test("30 s off: a new task is put off, nothing is kept of it, and it is taken up once the clock is right", async () => {
  const { w, tasks } = setUp()
  w.clockOff = OFF
  ask(tasks, keysign(w))
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", code: "E-TSK-045" })
  expect([w.asked.length, w.sessions.length, w.records.size]).toEqual([0, 0, 0])
  w.clockOff = undefined
  ask(tasks, keysign(w))
  expect(await w.nextReport()).toMatchObject({ status: 130, approved: false })
})

/** A task of which the callback servers say yes once the clock has gone wrong. */
async function decidedWhileOff() {
  const { w, tasks } = setUp()
  const task = keysign(w)
  ask(tasks, task)
  await w.nextReport()
  w.clockOff = OFF
  w.asked.at(-1)?.answer(approved)
  await turn()
  return { w, tasks, task }
}

test("a clock that goes wrong while the callback servers are asked puts the decision off, and ends nothing", async () => {
  const { w, tasks, task } = await decidedWhileOff()
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", taskId: task.task_id, code: "E-TSK-045" })
  expect([w.records.get(task.task_id)?.state, tasks.open()]).toEqual(["claimed", 1])
  // WaaS asks again, too early and then in time.
  ask(tasks, task)
  await turn()
  expect(w.sent.filter(({ kind }) => kind === "later")).toHaveLength(2)
  expect(w.asked).toHaveLength(1)
  w.clockOff = undefined
  ask(tasks, task)
  await turn()
  w.asked.at(-1)?.answer(approved)
  await turn()
  expect(w.sent.at(-1)).toMatchObject({ kind: "report", status: 130, approved: true })
  expect(w.records.get(task.task_id)?.state).toBe("approved")
})

test("a decision that was put off ends with the task's deadline", async () => {
  const { w, tasks, task } = await decidedWhileOff()
  w.clock.advance(60_000)
  await turn()
  expect(w.records.get(task.task_id)).toMatchObject({ state: "failed", code: "E-TSK-004" })
  expect(tasks.open()).toBe(0)
})

test("a task that is decided before its claim is refused with the same code", async () => {
  const { w } = setUp()
  w.clockOff = OFF
  expect(await decideFirst(keysign(w), w.ports, new AbortController().signal)).toMatchObject({ code: "E-TSK-045" })
  expect(w.asked).toHaveLength(0)
})

test("an approved task does not begin while the clock is off, stays open, and begins once it is right", () =>
  beginsOnceReleased(
    (w) => {
      w.clockOff = OFF
    },
    (w) => {
      w.clockOff = undefined
    },
    "E-TSK-045",
  ))
