/** Tasks of version 3: all who may sign are named, each start says who does; and what is put off instead of refused. */
import { expect, test } from "bun:test"
import type { GroupPublic } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import type { StartTerms } from "../../src/wire/signed.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { approved, type World } from "./fakes.ts"
import { startWith } from "./payloads.ts"
import { approve, ask, full, group, keysign, parties, peer, self, setUp, signed, third, turn } from "./scenario.ts"

const among = (w: World, change: Partial<KeySignTask> = {}): KeySignTask =>
  keysign(w, { version: 3, used_node_ids: parties.map(nodeIdOf), ...change })

const terms = (...signers: readonly PartyId[]): StartTerms => ({
  suite: 2,
  nonce: "ab".repeat(16),
  reader: 1,
  signers: signers.map(nodeIdOf),
})

test("any quorum of those who may sign, another one in each attempt", async () => {
  const { w, tasks } = setUp()
  const task = among(w)
  await approve(w, tasks, task)
  startWith(tasks, task, 1, terms(self, peer))
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "" })
  startWith(tasks, task, 2, terms(third, self))
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-014" })
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 2, code: "" })
  expect(w.sessions.map(({ spec }) => spec.protocol === "sign" && spec.signers)).toEqual([
    [self, peer],
    [self, third],
  ])
  expect(w.rows.map(({ peers }) => peers)).toEqual([[peer], [third]])
  w.sessions.at(-1)?.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190, attempt: 2 })
})

test("a start that does not fit the task begins nothing, and the task stays open for one that does", async () => {
  const { w, tasks } = setUp()
  const task = among(w, { used_node_ids: [self, peer].map(nodeIdOf).concat(nodeIdOf(third)) })
  await approve(w, tasks, task)
  const { signers: _, ...unnamed } = terms(self, peer)
  const unfit: readonly (readonly [StartTerms | undefined, string])[] = [
    [undefined, "E-TSK-049"],
    [unnamed, "E-TSK-049"],
    [terms(peer, third), "E-TSK-008"],
    [terms(self, peer, third), "E-TSK-049"],
  ]
  for (const [index, [given, code]] of unfit.entries()) {
    startWith(tasks, task, index + 1, given)
    expect(await w.nextReport()).toMatchObject({ status: 140, attempt: index + 1, code })
  }
  expect(w.sessions).toEqual([])
  startWith(tasks, task, 9, terms(self, third))
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 9, code: "" })
})

test("a task with signers of its own takes none from a start", async () => {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  startWith(tasks, task, 1, terms(self, third))
  expect(await w.nextReport()).toMatchObject({ status: 140, code: "E-TSK-049" })
  expect(w.sessions).toEqual([])
})

test("a reshare that leaves the task behind ends it at the next start; one that takes another signer's share ends the attempt", async () => {
  const without = (one: PartyId) => group.members.filter(({ party }) => party !== one)
  const after: readonly (readonly [GroupPublic | undefined, object])[] = [
    [undefined, { status: 170, code: "E-TSK-006" }],
    [
      { ...group, threshold: 3 },
      { status: 170, code: "E-TSK-009" },
    ],
    [
      { ...group, members: without(third) },
      { status: 140, attempt: 1, code: "E-TSK-009" },
    ],
  ]
  for (const [epoch, report] of after) {
    const { w, tasks } = setUp()
    const task = among(w)
    await approve(w, tasks, task)
    w.groups.splice(0, 1, ...(epoch === undefined ? [] : [epoch]))
    startWith(tasks, task, 1, terms(self, third))
    expect(await w.nextReport()).toMatchObject(report)
    expect(w.sessions).toEqual([])
  }
})

test("signers who are no candidates are refused by name", async () => {
  const { w, tasks } = setUp()
  const task = among(w, { used_node_ids: [self, peer].map(nodeIdOf) })
  await approve(w, tasks, task)
  startWith(tasks, task, 1, terms(self, third))
  const report = await w.nextReport()
  expect(report.code).toBe("E-TSK-049")
  expect(report.reason).toContain(nodeIdOf(third))
})

test("rules are asked at the start about those that sign, not about all who may", async () => {
  const { w, tasks } = setUp()
  const seen: (readonly string[])[] = []
  const { evaluate } = w
  w.evaluate = (task, ...more) => {
    if (task.type === "KeySign") seen.push(task.used_node_ids)
    return evaluate(task, ...more)
  }
  const task = among(w)
  await approve(w, tasks, task)
  startWith(tasks, task, 1, terms(self, third))
  await w.nextReport()
  expect(seen.at(0)).toEqual(parties.map(nodeIdOf))
  expect(seen.at(-1)).toEqual([self, third].map(nodeIdOf))
})

test("a store that cannot write puts the task off at once, and says which store", async () => {
  const { w, tasks } = setUp()
  Object.assign(w.ports.journal, { claim: full })
  ask(tasks, keysign(w))
  await turn()
  const [later] = w.sent
  expect(later).toMatchObject({ kind: "later", code: "E-TSK-048" })
  expect(later?.kind === "later" && later.reason).toContain("E-STO-013")
})

test("a decision that cannot be written takes back a claim that is not on the disk either, and puts the task off", async () => {
  const { w, tasks } = setUp()
  const { approve: approveRecord } = w.ports.journal
  Object.assign(w.ports.journal, { approve: async () => full(), forsake: (taskId: string) => w.records.delete(taskId) })
  const task = keysign(w)
  const askAndAnswer = async () => {
    ask(tasks, task)
    await turn()
    for (const { answer } of w.asked.splice(0)) answer(approved)
    await turn()
  }
  await askAndAnswer()
  expect(w.sent.at(-1)).toMatchObject({ kind: "later", taskId: task.task_id, code: "E-TSK-048" })
  expect([tasks.open(), w.records.size, w.unrecorded.at(-1)]).toEqual([0, 0, "E-TSK-048"])
  // The disk has room again: the same task is asked for anew, and goes its way.
  Object.assign(w.ports.journal, { approve: approveRecord })
  await askAndAnswer()
  expect(w.records.get(task.task_id)?.state).toBe("approved")
})
