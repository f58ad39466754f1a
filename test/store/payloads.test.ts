/** A large payload's bytes are in the journal until its task has ended, and not a moment longer; a task that goes on keeps them. */
import { expect, test } from "bun:test"
import type { Verdict } from "../../src/policy/verdict.ts"
import type { Store } from "../../src/store/store.ts"
import { decodeRecordedTask, encodeTask, MAX_KEPT_BYTES, taskDigest } from "../../src/wire/task.ts"
import { readingNode, transfer, withPayloads } from "../tasks/payloads.ts"
import { bytesOf, Folder, partyNo } from "./fixtures.ts"

const { w } = readingNode()
/** Larger than what may stay. */
const data = Buffer.alloc(MAX_KEPT_BYTES, 7).toString("base64")
const payloads = [transfer().payload, { format: "evm/message", data }]
const APPROVED: Verdict = { action: "approve", code: "", reason: "", rules: [] }
const REJECTED: Verdict = { action: "reject", code: "E-INT-005", reason: "differs", rules: [] }

function claim(store: Store, taskId: string): string {
  const task = withPayloads(w, { task_id: taskId, payloads })
  const document = encodeTask(task)
  const digest = taskDigest(document)
  const deadlineMs = task.deadline_ms
  store.tasks.claim({ taskId, digest, type: task.type, document, deadlineMs, nowMs: 5, events: [] })
  return digest
}
const approve = (store: Store, taskId: string, verdict: Verdict) =>
  store.tasks.approve(
    taskId,
    6,
    () => ({ verdict, debits: [] }),
    () => [],
  )
const documentOf = (store: Store, taskId: string): string => new TextDecoder().decode(store.tasks.get(taskId)?.document)

test("kept while a task may still sign, gone with every ending; the digest stays, so that the same task is known again", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    for (const id of ["open", "done", "failed", "cancelled", "rejected"]) claim(store, id)
    for (const id of ["open", "done", "failed", "cancelled"]) approve(store, id, APPROVED)
    const row = { groupId: "g", epochId: bytesOf(1), peers: [partyNo(1)], ecdsa: true, attempt: 1 }
    const decide = () => ({ verdict: APPROVED, debits: [] })
    for (const [n, taskId] of ["open", "done"].entries()) {
      store.tasks.startSession({ ...row, taskId, sid: bytesOf(50 + n) }, 7, decide)
      expect(documentOf(store, taskId)).toContain(data)
    }
    const outcome = { type: "signatures", signatures: [] } as const
    store.tasks.finish("done", { state: "completed", outcome }, 8, [])
    store.tasks.finish("failed", { state: "failed", code: "E-TSK-020", reason: "r" }, 8, [])
    store.tasks.finish("cancelled", { state: "cancelled", code: "E-TSK-005", reason: "r" }, 8, [])
    approve(store, "rejected", REJECTED)
    // An ending that is told again is the same ending.
    expect(() => store.tasks.finish("done", { state: "completed", outcome }, 9, [])).not.toThrow()
  }
  using store = folder.open()
  expect(documentOf(store, "open")).toContain(data)
  for (const id of ["done", "failed", "cancelled", "rejected"]) {
    expect(documentOf(store, id)).not.toContain(data)
    expect(decodeRecordedTask(store.tasks.get(id)?.document ?? new Uint8Array(0))).toMatchObject({
      task_id: id,
      version: 2,
    })
    const digest = claim(store, id)
    expect(store.tasks.get(id)?.digest).toBe(digest)
  }
})
