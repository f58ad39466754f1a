/** A store that fails while a task is carried out puts the task off wherever it stands; it neither ends it nor counts it twice. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../src/errors.ts"
import type { GroupPort, TaskPort } from "../../src/tasks/ports.ts"
import { createTasks } from "../../src/tasks/runner.ts"
import { approved, type World, world } from "./fakes.ts"
import { approve, ask, cancel, keysign, running, self, setUp, signed, start, turn, waas } from "./scenario.ts"

const path = "secrets.db"
const FAULTS = [
  new CosignerError("E-STO-013", { path, action: "write to" }),
  new CosignerError("E-STO-014", { path, action: "write to", cause: "EROFS" }),
  new CosignerError("E-STO-015", { path, action: "write to", cause: "SQLITE_IOERR_WRITE" }),
  new CosignerError("E-STO-016", { path, action: "write to" }),
  new CosignerError("E-STO-029", { path }),
]
const BUG = new CosignerError("E-STO-026", { what: "task", id: "task-1" })

/** These steps fail with `error` until the result is called. */
function broken(w: World, error: Error, ...steps: readonly (keyof TaskPort)[]): () => void {
  const before = { ...w.ports.journal }
  const fails = async (): Promise<never> => {
    throw error
  }
  Object.assign(w.ports.journal, Object.fromEntries(steps.map((step) => [step, fails])))
  return () => void Object.assign(w.ports.journal, before)
}

function counted() {
  const { w, tasks } = setUp()
  w.evaluate = () => ({ verdict: approved, debits: [{ counter: "signatures", amount: 1 }] })
  return { w, tasks, task: keysign(w) }
}

const used = (w: World): number => w.ports.journal.usage.count("signatures", 0)
const ends = (w: World) => w.sent.filter((frame) => frame.kind === "report" && frame.status >= 160)
const PUT_OFF = { kind: "report", status: 140, code: "E-TSK-048" } as const

async function answered(w: World): Promise<void> {
  await turn()
  for (const { answer } of w.asked.splice(0)) answer(approved)
  await turn()
}

for (const fault of FAULTS) {
  test(`${fault.code} at the decision: later; the task is decided once, when WaaS asks again`, async () => {
    const { w, tasks, task } = counted()
    const repair = broken(w, fault, "approve", "finish")
    ask(tasks, task)
    await answered(w)
    const later = w.sent.at(-1)
    expect(later).toMatchObject({ kind: "later", taskId: task.task_id, code: "E-TSK-048" })
    expect(later?.kind === "later" && later.reason).toContain(fault.code)
    ask(tasks, task)
    await answered(w)
    expect(w.sent.filter(({ kind }) => kind === "later")).toHaveLength(2)
    expect([w.records.get(task.task_id)?.state, used(w), tasks.open()]).toEqual(["claimed", 0, 1])
    repair()
    ask(tasks, task)
    await answered(w)
    expect(w.sent.at(-1)).toMatchObject({ status: 130, approved: true })
    ask(tasks, task)
    await answered(w)
    expect([w.records.get(task.task_id)?.state, used(w), ends(w)]).toEqual(["approved", 1, []])
  })

  test(`${fault.code} as a session begins: the attempt ends, and the next one signs`, async () => {
    const { w, tasks, task } = counted()
    await approve(w, tasks, task)
    const repair = broken(w, fault, "startSession", "finish")
    start(tasks, task, 1)
    expect(await w.nextReport()).toMatchObject({ ...PUT_OFF, attempt: 1 })
    expect([w.sessions.length, w.records.get(task.task_id)?.state, used(w)]).toEqual([0, "approved", 1])
    repair()
    const session = await running(w, tasks, task, 2)
    session.end(signed)
    expect(await w.nextReport()).toMatchObject({ status: 190 })
    await turn()
    expect([used(w), tasks.open()]).toEqual([1, 0])
  })

  test(`${fault.code} as a share is about to leave: it does not, the attempt ends, and the next one signs`, async () => {
    const { w, tasks, task } = counted()
    await approve(w, tasks, task)
    const session = await running(w, tasks, task)
    const repair = broken(w, fault, "emitted", "finish")
    expect(await session.io.record({ kind: "emitted", digest: new Uint8Array(32) }).catch(String)).toContain(
      fault.message,
    )
    session.end({ kind: "crashed", reason: "" })
    expect(await w.nextReport()).toMatchObject({ ...PUT_OFF, attempt: 1 })
    expect([w.records.get(task.task_id)?.state, used(w)]).toEqual(["running", 1])
    repair()
    const next = await running(w, tasks, task, 2)
    next.end(signed)
    expect(await w.nextReport()).toMatchObject({ status: 190 })
    await turn()
    expect([used(w), tasks.open(), ends(w).length]).toEqual([1, 0, 1])
  })
}

test("the row of a session that could not be closed is closed before the next one begins, also behind a share that left", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  await session.io.record({ kind: "emitted", digest: new Uint8Array(32) })
  const repair = broken(w, FAULTS[2] ?? BUG, "endSession", "finish")
  session.end({ kind: "deadline" })
  expect(await w.nextReport()).toMatchObject({ ...PUT_OFF, attempt: 1 })
  start(tasks, task, 2)
  expect(await w.nextReport()).toMatchObject({ ...PUT_OFF, attempt: 2 })
  expect([w.sessions.length, w.rows.length, w.records.get(task.task_id)?.state]).toEqual([1, 1, "emitted"])
  repair()
  w.trace.splice(0)
  const next = await running(w, tasks, task, 3)
  expect(w.trace.slice(0, 2)).toEqual(["session deadline", "journal running"])
  next.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190 })
  await turn()
  expect(w.trace.filter((line) => line === "session deadline")).toHaveLength(1)
  expect([used(w), ends(w).length]).toEqual([1, 1])
})

test("an end that could not be written stays that end, and closes the session's row first", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const repair = broken(w, FAULTS[2] ?? BUG, "endSession", "finish")
  session.end({ kind: "deadline" })
  expect(await w.nextReport()).toMatchObject(PUT_OFF)
  cancel(tasks, task)
  await turn()
  w.advance(5_000)
  await turn()
  expect(ends(w)).toEqual([])
  repair()
  w.trace.splice(0)
  // The row can be closed by now, and the end cannot be written yet: the row is not closed twice.
  const repairEnd = broken(w, FAULTS[2] ?? BUG, "finish")
  w.advance(5_000)
  await turn()
  expect(w.trace).toEqual(["session deadline"])
  repairEnd()
  w.advance(5_000)
  expect(await w.nextReport()).toMatchObject({ status: 180, code: "E-TSK-005" })
  await turn()
  expect(w.trace).toEqual(["session deadline", "journal cancelled", "report 180"])
  expect([used(w), tasks.open()]).toEqual([0, 0])
})

test("a share that cannot be read begins no session, and is read for the next one", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  const { encodedSecret } = w.ports.groups
  const fails: GroupPort["encodedSecret"] = () => {
    throw FAULTS[2]
  }
  Object.assign(w.ports.groups, { encodedSecret: fails })
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ ...PUT_OFF, attempt: 1, approved: true })
  Object.assign(w.ports.groups, { encodedSecret })
  await running(w, tasks, task, 2)
})

test("a session id that was used before is no fault of the disk either: all signers are told of another attempt", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  broken(w, new CosignerError("E-STO-024", { sid: "00" }), "startSession")
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
})

test("a defect is no fault of the disk: it ends the task", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  broken(w, BUG, "endSession")
  session.end({ kind: "deadline" })
  expect(await w.nextReport()).toMatchObject({ status: 170, code: "E-TSK-020" })
})

test("a task that cannot be read at a start goes on once it can; one that is refused and not on the disk is put off", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  await tasks.stop()
  const { records, rows, groups } = w
  const next = world(self, { records, rows, groups })
  const { active } = next.ports.groups
  const fails: GroupPort["active"] = () => {
    throw FAULTS[2]
  }
  Object.assign(next.ports.groups, { active: fails })
  const again = createTasks(waas.publicKey, next.ports)
  again.resume()
  await turn()
  // A cancel does not make it look more often.
  cancel(again, task)
  await turn()
  expect([next.sent, again.open(), records.get(task.task_id)?.state]).toEqual([[], 1, "approved"])
  Object.assign(next.ports.groups, { active })
  next.advance(5_000)
  expect(await next.nextReport()).toMatchObject({ status: 180, code: "E-TSK-005" })
  await turn()
  expect(again.open()).toBe(0)

  const refused = keysign(w, { task_id: "task-2", group_id: "BbcdefghijklmnopqrsT" })
  const fresh = setUp()
  broken(fresh.w, FAULTS[0] ?? BUG, "finish")
  Object.assign(fresh.w.ports.journal, { forsake: (taskId: string) => fresh.w.records.delete(taskId) })
  ask(fresh.tasks, refused)
  await turn()
  expect(fresh.w.sent.at(-1)).toMatchObject({ kind: "later", taskId: "task-2", code: "E-TSK-048" })
  expect([fresh.tasks.open(), ends(fresh.w)]).toEqual([0, []])
})

test("a store that fails behind a recorded end changes nothing of it", async () => {
  const { w, tasks, task } = counted()
  await approve(w, tasks, task)
  const session = await running(w, tasks, task)
  const retire: GroupPort["retire"] = () => {
    throw FAULTS[0]
  }
  Object.assign(w.ports.groups, { retire })
  session.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190 })
  await turn()
  expect([tasks.open(), ends(w).length]).toEqual([0, 1])
})

test("a journal that cannot be read as the link comes up keeps nothing else from being said", async () => {
  const { w, tasks, task } = counted()
  broken(w, FAULTS[0] ?? BUG, "approve")
  ask(tasks, task)
  await answered(w)
  const unfinished: TaskPort["unfinished"] = () => {
    throw FAULTS[2]
  }
  Object.assign(w.ports.journal, { unfinished })
  tasks.onOnline()
  await answered(w)
  expect(w.sent.filter(({ kind }) => kind === "later")).toHaveLength(2)
})
