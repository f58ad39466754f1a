/** Several replicas of WaaS: whose task it is, and who is told of it again. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../src/errors.ts"
import type { FromNode } from "../../src/wire/frames.ts"
import { signDocument } from "../../src/wire/signed.ts"
import { encodeTask } from "../../src/wire/task.ts"
import { newIdentity } from "../wire/documents.ts"
import { approve, ask, cancel, keysign, setUp, start } from "./scenario.ts"

test("each task, start and cancel that WaaS signed is a command, before anything is said of it", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  ask(tasks, task)
  expect(w.commanded).toEqual([{ taskId: "task-1", sent: 0 }])
  const said = w.sent.length
  expect(said).toBeGreaterThan(0)
  start(tasks, task, 1)
  cancel(tasks, task)
  expect(w.commanded.map(({ taskId }) => taskId)).toEqual(["task-1", "task-1", "task-1"])
  expect(w.commanded[1]?.sent).toBe(said)
  // Of a task that it never claimed too: what is said of it is an answer to that replica.
  start(tasks, { ...task, task_id: "task-2" }, 1)
  expect(w.commanded.at(-1)?.taskId).toBe("task-2")
  // What another key signed commands nothing.
  tasks.onFrame({
    kind: "task",
    task: signDocument(newIdentity(), "waas/task", encodeTask({ ...task, task_id: "task-3" })),
  })
  expect(w.commanded.some(({ taskId }) => taskId === "task-3")).toBe(false)
  await tasks.stop()
})

test("a replica that comes up is told of the tasks that concern it, and of no other", async () => {
  const { w, tasks } = setUp()
  const [one, two] = ["task-1", "task-2"].map((task_id) => ({ ...keysign(w), task_id }))
  if (one === undefined || two === undefined) throw new Error("two tasks")
  await approve(w, tasks, one)
  await approve(w, tasks, two)
  const before = w.sent.length
  tasks.onOnline((taskId) => taskId === "task-2")
  expect(w.sent.slice(before).map((frame) => ("taskId" in frame ? frame.taskId : frame.kind))).toEqual(["task-2"])
  tasks.onOnline()
  expect(
    w.sent
      .slice(before + 1)
      .map((frame) => ("taskId" in frame ? frame.taskId : frame.kind))
      .sort(),
  ).toEqual(["task-1", "task-2"])
  await tasks.stop()
})

test("a report that the link does not take keeps no other one from being sent again", async () => {
  const { w, tasks } = setUp()
  const [one, two] = ["task-1", "task-2"].map((task_id) => ({ ...keysign(w), task_id }))
  if (one === undefined || two === undefined) throw new Error("two tasks")
  await approve(w, tasks, one)
  await approve(w, tasks, two)
  const { send } = w.ports
  const heard: string[] = []
  Object.assign(w.ports, {
    send(frame: FromNode) {
      if (frame.kind !== "report") return send(frame)
      if (frame.taskId === "task-1") throw new CosignerError("E-LNK-020", { what: "report", problem: "too long" })
      heard.push(frame.taskId)
    },
  })
  tasks.onOnline()
  expect(heard).toEqual(["task-2"])
})
