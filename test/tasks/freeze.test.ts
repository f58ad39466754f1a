/** What is frozen approves nothing, begins nothing and lets no message leave; what was approved before goes on once it is lifted. */
import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { Ending, HostIo } from "../../src/mpc/session.ts"
import { decideFirst } from "../../src/tasks/admissionDecision.ts"
import { type Freeze, groupsOf, hasEnded } from "../../src/tasks/freeze.ts"
import { createTasks } from "../../src/tasks/runner.ts"
import { approved, envelopeTo, world } from "./fakes.ts"
import {
  approve,
  ask,
  beginsOnceReleased,
  group,
  keysign,
  running,
  self,
  setUp,
  start,
  turn,
  waas,
} from "./scenario.ts"

const WHOLE: Freeze = { groupId: "", sinceMs: 1, end: undefined, reason: "keys may be stolen", by: "host" }

test("a new task is put off, and nothing of it is kept; nor does WaaS learn why the node is frozen", () => {
  const { w, tasks } = setUp()
  w.frozen = WHOLE
  ask(tasks, keysign(w))
  const [later] = w.sent
  expect(later).toMatchObject({ kind: "later", taskId: "task-1", code: "E-FRZ-001" })
  expect(JSON.stringify(later)).not.toContain("stolen")
  expect([w.records.size, w.asked.length]).toEqual([0, 0])
  w.frozen = undefined
  ask(tasks, keysign(w))
  expect(w.records.size).toBe(1)
})

test("what is being decided when a freeze begins is not approved", async () => {
  const { w, tasks } = setUp()
  ask(tasks, keysign(w))
  await w.nextReport()
  w.frozen = WHOLE
  w.asked.at(-1)?.answer(approved)
  expect(await w.nextReport()).toMatchObject({ status: 160, code: "E-FRZ-001", approved: false })
})

test("nor where it is decided before its claim", async () => {
  const { w } = setUp()
  w.frozen = WHOLE
  expect(await decideFirst(keysign(w), w.ports, new AbortController().signal)).toMatchObject({ code: "E-FRZ-001" })
})

test("an approved task does not begin while it is frozen, stays open, and begins once that is lifted", () =>
  beginsOnceReleased(
    (w) => {
      w.frozen = WHOLE
    },
    (w) => {
      w.frozen = undefined
    },
    "E-FRZ-001",
  ))

test("a running attempt ends, its share does not leave, and the task stays open", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const before = w.sent.length
  w.frozen = WHOLE
  // what the worker still says, on its way when the freeze came
  expect(session.io.record({ kind: "emitted", digest: sha256(utf8("share")) })).rejects.toMatchObject({
    code: "E-FRZ-001",
  })
  session.io.send(envelopeTo(undefined))
  expect(w.sent.length).toBe(before)
  tasks.frozen()
  expect(session.cancelledFor).toBe("cancelled")
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-FRZ-001" })
  expect(w.records.get(task.task_id)?.state).toBe("running")
})

test("a share that was about to leave when the freeze came does not, though that it leaves is on the disk", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  await session.io.record({ kind: "emitted", digest: sha256(utf8("share")) })
  const before = w.sent.length
  w.frozen = WHOLE
  session.io.send(envelopeTo(undefined))
  expect(w.sent.length).toBe(before)
})

test("an attempt that a worker has not begun yet when the freeze comes makes no row", async () => {
  const opened: HostIo[] = []
  const w = world(self, { groups: [group] }, (_spec, io) => {
    opened.push(io)
    return { deliver: () => {}, cancel: () => {}, ending: Promise.withResolvers<Ending>().promise }
  })
  const tasks = createTasks(waas.publicKey, w.ports)
  const task = keysign(w)
  await approve(w, tasks, task)
  start(tasks, task, 1)
  await turn()
  w.frozen = { ...WHOLE, groupId: group.groupId }
  expect(opened[0]?.begin(sha256(utf8("sid")))).rejects.toMatchObject({ code: "E-TSK-014" })
  await turn()
  expect([opened.length, w.rows.length]).toEqual([1, 0])
})

test("a wait ends when both clocks have passed its end", () => {
  const end = { atMs: 100, servedMs: 50 }
  expect([hasEnded(end, 99, 50), hasEnded(end, 100, 49), hasEnded(end, 100, 50)]).toEqual([false, false, true])
})

test("every group that a task uses or makes is looked at", () => {
  const { w } = setUp()
  expect(groupsOf(keysign(w))).toEqual([group.groupId])
})

test("a log in doubt holds all that a freeze of the node does, and says why", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const before = w.sent.length
  w.doubt = { from: "a peer" }
  expect(session.io.record({ kind: "emitted", digest: sha256(utf8("share")) })).rejects.toMatchObject({
    code: "E-AUD-008",
  })
  session.io.send(envelopeTo(undefined))
  expect(w.sent.length).toBe(before)
  tasks.frozen()
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-AUD-008" })
  start(tasks, task, 2)
  expect(await w.nextReport()).toMatchObject({ attempt: 2, code: "E-AUD-008" })
  expect(await decideFirst(keysign(w), w.ports, new AbortController().signal)).toMatchObject({ code: "E-AUD-008" })
  ask(tasks, keysign(w, { task_id: "task-2" }))
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", taskId: "task-2", code: "E-AUD-008" })
})
