/** A known node that talks without end: it costs WaaS neither a commit each time, nor memory, nor its own endings. */
import { expect, test } from "bun:test"
import { silentLog } from "../../../src/log.ts"
import { nodeReport } from "../../../src/waas/engine/frames.ts"
import { ReportQuota } from "../../../src/waas/engine/heard.ts"
import type { Report } from "../../../src/wire/frames.ts"
import { logTo } from "../../support/logTo.ts"
import { Rig } from "../../support/waas.ts"

const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error("it is there")
  return value
}

/** A signing request whose three nodes have approved, one of which is the talker; commits are counted from now on. */
async function talking() {
  const rig = await Rig.open()
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { attempt: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  const taskId = must(request.taskIds[0])
  const node = must(rig.nodes.find(({ journal }) => journal.has(taskId)))
  const { latest } = must(node.journal.get(taskId))
  let commits = 0
  const { commit } = rig.store
  Object.assign(rig.store, {
    commit: (writes: Parameters<typeof commit>[0]) => {
      commits++
      return commit(writes)
    },
  })
  const say = (change: Partial<Report>) => rig.engine.onFrame(node.id, { ...latest, ...change })
  return { rig, request, taskId, node, latest, say, commits: () => commits }
}

test("distinct reports without end: a few dozen are heard, then one in ten seconds, none costs a commit, and the ending is heard", async () => {
  const { rig, request, taskId, node, latest, say, commits } = await talking()
  const dropped = rig.engine.dropped.reports
  for (let n = 0; n < 1000; n++) await say({ status: 140, reason: `${n}` })
  // It had said three honest things before: claimed, approved, begun.
  expect(commits()).toBe(0)
  expect(rig.engine.dropped.reports - dropped).toBe(939)
  // What was said before costs nothing.
  await say({ status: 140, reason: "60" })
  expect([commits(), rig.engine.dropped.reports - dropped]).toEqual([0, 939])
  rig.clock.advance(25_000)
  for (let n = 0; n < 10; n++) await say({ status: 140, reason: `later ${n}` })
  const before = must((await rig.engine.tasksOf(request))[0])
  expect(before.reports[node.id]?.reason).toBe("later 1")
  // Another node of the same task has a word of its own.
  const other = must(rig.nodes.find(({ id, journal }) => id !== node.id && journal.has(taskId)))
  await rig.engine.onFrame(other.id, { ...latest, status: 140, reason: "me too" })
  expect((await rig.engine.tasksOf(request))[0]?.reports[other.id]?.reason).toBe("me too")
  expect(commits()).toBe(0)
  await say({ status: 170, code: "E-TSK-014", reason: "enough" })
  expect((await rig.engine.tasksOf(request))[0]?.reports[node.id]?.status).toBe(170)
  await rig[Symbol.asyncDispose]()
})

test("of a task that is over, nothing is written down but how it ended at its nodes, with the task itself", async () => {
  const { rig, request, taskId, say, node, commits } = await talking()
  await rig.pass(600_000)
  await rig.pass(600_000)
  await rig.relay.settle()
  const before = commits()
  const told = node.cancelled.filter((id) => id === taskId).length
  for (let n = 0; n < 5; n++) await say({ status: 140, reason: `${n}` })
  expect(commits()).toBe(before)
  await rig.relay.settle()
  // What it says is none that it was known to have said: it is told of the end all the same, or it would go on until the deadline.
  expect(node.cancelled.filter((id) => id === taskId).length).toBe(told + 5)
  await say({ status: 170, code: "E-TSK-004", reason: "late" })
  expect(commits()).toBe(before)
  await rig.relay.settle()
  expect(request.taskIds.every((id) => node.stored.includes(id))).toBe(true)
  await rig[Symbol.asyncDispose]()
})

test("reports that come faster than they are dealt with do not pile up", async () => {
  const { rig, say, node } = await talking()
  const dropped = rig.engine.dropped.reports
  let looks = 0
  const { task } = rig.store
  Object.assign(rig.store, {
    task: (id: string) => {
      looks++
      return task(id)
    },
  })
  const all = Array.from({ length: 5000 }, (_, n) => say({ taskId: "nobody", reason: `${n}` }))
  // Those of another node have their own turn.
  const other = must(rig.nodes.find(({ id }) => id !== node.id))
  const heard = rig.engine.onFrame(other.id, { ...must([...other.journal.values()][0]).latest })
  await Promise.all([...all, heard])
  expect([rig.engine.dropped.reports - dropped, looks]).toEqual([5000, 1024 + 1])
  await say({ status: 170, code: "E-TSK-014", reason: "there is room again" })
  await rig[Symbol.asyncDispose]()
})

test("at most 1024 of one node wait, and each that was dealt with makes room, also one that failed", async () => {
  const heard = new ReportQuota(() => 0, silentLog)
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiting = Array.from({ length: 1024 }, () => heard.inTurn("a", () => promise))
  expect(await heard.inTurn("a", async () => {})).toBe(false)
  expect(await heard.inTurn("b", async () => {})).toBe(true)
  resolve()
  await Promise.all(waiting)
  for (let n = 0; n < 1100; n++) {
    const failed = heard.inTurn("a", () => Promise.reject(new Error("disk full")))
    expect(await failed.catch(() => "failed")).toBe("failed")
  }
  expect(await heard.inTurn("a", async () => {})).toBe(true)
})

test("a bucket is of one node and one task, is forgotten with the task, and refills by the clock alone", () => {
  let nowMs = 0
  const heard = new ReportQuota(() => nowMs, silentLog)
  const drain = (task: string, node: string): number => {
    let count = 0
    while (heard.take(task, node)) count++
    return count
  }
  expect([drain("t", "a"), drain("t", "a"), drain("t", "b"), drain("u", "a")]).toEqual([64, 0, 64, 64])
  heard.forget("t")
  expect([drain("t", "a"), drain("u", "a")]).toEqual([64, 0])
  nowMs = 30_000
  expect(drain("u", "a")).toBe(3)
  nowMs = 0
  expect(drain("u", "a")).toBe(0)
  nowMs = 20_000
  expect(drain("u", "a")).toBe(2)
  nowMs = 10_000_000
  expect(drain("u", "a")).toBe(64)
})

test("what a node makes WaaS say is said once a minute, for each node", () => {
  const said: unknown[] = []
  const heard = new ReportQuota(
    () => 0,
    logTo((_level, _message, fields) => void said.push(fields["node"])),
  )
  for (let n = 0; n < 50; n++) for (const node of ["a", "b"]) heard.complain(node, "report dropped", { n })
  expect(said).toEqual(["a", "b"])
})

test("what a node's words may take of a record is bounded", () => {
  const report = { kind: "report", taskId: "t", digest: "", type: "KeySign", status: 170, attempt: 1 } as const
  const long = { ...report, approved: true, code: "E".repeat(200), reason: "r".repeat(5_000), outcome: undefined }
  const { code, reason } = nodeReport(long, undefined, 0)
  expect([code.length, reason.length]).toEqual([64, 1_000])
})
