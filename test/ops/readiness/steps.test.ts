/** The trace of a task: every step from claim to delivery under its id, with the rules that were asked. */
import { expect, test } from "bun:test"
import { toHex } from "../../../src/bytes.ts"
import { logTo } from "../../../src/log.ts"
import { tracedJournal } from "../../../src/ops/readiness/steps.ts"
import { APPROVE, claimOf, Folder, REJECT, sessionOf } from "../../store/fixtures.ts"

test("each step of a task is told, in order, under its id", () => {
  using folder = new Folder()
  using store = folder.create()
  const said: unknown[] = []
  const log = logTo((level, message, fields) => void said.push([level, message, fields]))
  const journal = tracedJournal(store.tasks, log)
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
  decide(task, APPROVE)
  journal.startSession(row, 7, () => ({ verdict: APPROVE, debits: [] }))
  journal.emitted(task, new Uint8Array(32), 8)
  journal.endSession(row.sid, "done", 9, [])
  journal.finish(task, { state: "completed", outcome: { type: "signatures", signatures: [] } }, 10, [])
  journal.delivered(task)
  journal.claim(claimOf("refused"))
  decide("refused", REJECT)

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

test("what does not stand is not told as a step", () => {
  using folder = new Folder()
  using store = folder.create()
  const said: string[] = []
  const journal = tracedJournal(
    store.tasks,
    logTo((_, message) => void said.push(message)),
  )
  expect(() => journal.emitted("unknown", new Uint8Array(32), 1)).toThrow()
  expect(() => journal.endSession(new Uint8Array(32), "done", 1, [])).toThrow()
  expect(said).toEqual([])
})
