/** What is seen of tasks: each decision and each end once, whatever is repeated. */
import { expect, test } from "bun:test"
import { observedJournal } from "../../../src/ops/readiness/journal.ts"
import type { TaskRecord } from "../../../src/tasks/ports.ts"
import { partyNo } from "../../store/fixtures.ts"
import { approved, rejected, world } from "../../tasks/fakes.ts"

test("decisions and ends are told once, and the journal does what it did", () => {
  const seen: string[] = []
  const { ports } = world(partyNo(1))
  const journal = observedJournal(ports.journal, {
    decided: ({ action }) => void seen.push(action),
    ended: ({ taskId, state }: TaskRecord) => void seen.push(`${taskId} ${state}`),
  })
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
  decide("a", approved)
  decide("a", rejected)
  decide("b", rejected)
  decide("b", rejected)
  journal.finish("a", { state: "failed", code: "E-TSK-004", reason: "late" }, 3, [])
  expect(seen).toEqual(["approve", "reject", "b rejected", "a failed"])
  expect(journal.get("a")?.state).toBe("failed")
  expect(journal.list({ limit: 9 })).toHaveLength(2)
})
