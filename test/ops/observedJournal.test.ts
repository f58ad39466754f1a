/** The observed journal: every step of a task in the trace, each decision and each end told once. */
import { expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { silentLog } from "../../src/log.ts"
import { observedJournal } from "../../src/ops/observedJournal.ts"
import type { TaskRecord } from "../../src/tasks/ports.ts"
import { APPROVE, claimOf, Folder, partyNo, REJECT, sessionOf } from "../store/fixtures.ts"
import { logTo } from "../support/logTo.ts"
import { approved, rejected, world } from "../tasks/fakes.ts"

const silent = { changed: () => {}, decided: () => {}, ended: () => {} }

test("each step of a task is told, in order, under its id", async () => {
  using folder = new Folder()
  using store = folder.create()
  const said: unknown[] = []
  const log = logTo((level, message, fields) => void said.push([level, message, fields]))
  const journal = observedJournal(store.journal, silent, log)
  const decide = (task: string, verdict: typeof APPROVE | typeof REJECT) =>
    journal.approve(
      task,
      6,
      () => ({ verdict, debits: [] }),
      () => [],
    )
  const task = "signed"
  const row = sessionOf(task, 1)
  journal.claim(claimOf(task))
  journal.claim(claimOf(task))
  await decide(task, APPROVE)
  await journal.startSession(row, 7, () => ({ verdict: APPROVE, debits: [] }))
  await journal.emitted(task, new Uint8Array(32), 8)
  await journal.finish(task, { state: "completed", outcome: { type: "signatures", signatures: [] } }, 10, [], row.sid)
  await journal.delivered(task)
  journal.claim(claimOf("refused"))
  await decide("refused", REJECT)

  const session = toHex(row.sid)
  const { digest } = claimOf(task)
  const step = (text: string, name: string, more: object) => ["trace", "task step", { task: text, step: name, ...more }]
  expect(said).toEqual([
    step(task, "claimed", { type: "KeySign", digest, claim: "new" }),
    step(task, "claimed", { type: "KeySign", digest, claim: "known" }),
    step(task, "decided", { state: "approved" }),
    step(task, "begun", { attempt: 1, session, group: "g" }),
    step(task, "emitted", {}),
    ["trace", "session closed", { session, how: "done", unproven: 0 }],
    step(task, "finished", { state: "completed", events: 0 }),
    step(task, "delivered", {}),
    step("refused", "claimed", { type: "KeySign", digest: claimOf("refused").digest, claim: "new" }),
    ["trace", "rule evaluated", { task: "refused", ...REJECT.rules[0] }],
    step("refused", "decided", { state: "rejected", code: "E-RSK-001" }),
  ])
})

test("what does not stand is not told as a step", async () => {
  using folder = new Folder()
  using store = folder.create()
  const said: string[] = []
  const journal = observedJournal(
    store.journal,
    silent,
    logTo((_, message) => void said.push(message)),
  )
  await expect(journal.emitted("unknown", new Uint8Array(32), 1)).rejects.toThrow()
  await expect(journal.endSession(new Uint8Array(32), "done", 1, [])).rejects.toThrow()
  expect(said).toEqual([])
})

test("decisions and ends are told once, and the journal does what it did", async () => {
  const seen: string[] = []
  const { ports } = world(partyNo(1))
  const journal = observedJournal(
    ports.journal,
    {
      changed: (taskId, isNew) => {
        if (isNew) seen.push(`${taskId} new`)
      },
      decided: ({ action }) => void seen.push(action),
      ended: ({ taskId, state }: TaskRecord) => void seen.push(`${taskId} ${state}`),
    },
    silentLog,
  )
  const claim = (taskId: string) =>
    journal.claim({
      taskId,
      digest: taskId,
      type: "KeySign",
      document: new Uint8Array(1),
      deadlineMs: 9,
      nowMs: 1,
      events: [],
    })
  const decide = (taskId: string, verdict: typeof approved) =>
    journal.approve(
      taskId,
      2,
      () => ({ verdict, debits: [] }),
      () => [],
    )
  expect(claim("a").kind).toBe("new")
  expect(claim("a").kind).toBe("known")
  claim("b")
  await decide("a", approved)
  await decide("a", rejected)
  await decide("b", rejected)
  await decide("b", rejected)
  await journal.finish("a", { state: "failed", code: "E-TSK-004", reason: "late" }, 3, [], undefined)
  expect(seen).toEqual(["a new", "b new", "approve", "reject", "b rejected", "a failed"])
  expect(journal.get("a")?.state).toBe("failed")
  expect(journal.list({ limit: 9 })).toHaveLength(2)
})
