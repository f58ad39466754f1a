/** Words of people in the journal: consumed with the verdict in one transaction, once, for as long as the task's record lives. */
import { expect, test } from "bun:test"
import type { SpentWord } from "../../src/policy/decision.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { APPROVE, bytesOf, claimOf, codeOf, Folder, KDF, password, REJECT } from "./fixtures.ts"

const word = (nonce: string, approver = "alice"): SpentWord => ({
  approver,
  decision: "approve",
  nonce,
  signed: bytesOf(7, 90),
})

test("a word is consumed with the verdict, outlives a restart and a backup, and counts for no other task", () => {
  using folder = new Folder()
  using restored = new Folder()
  {
    using store = folder.create()
    store.tasks.claim(claimOf("t1"))
    store.tasks.approve(
      "t1",
      6,
      () => ({ verdict: APPROVE, debits: [], words: [word("n1"), word("n2", "bob")] }),
      () => [],
    )
    expect(store.tasks.words("t1")).toEqual([word("n1"), word("n2", "bob")])
  }
  using store = folder.open()
  expect(store.tasks.words("t1")).toHaveLength(2)
  store.tasks.claim(claimOf("t2"))
  const seen: boolean[] = []
  store.tasks.approve(
    "t2",
    7,
    (_, isSpent) => {
      seen.push(...[word("n1"), word("n2", "bob"), word("n2"), word("n3")].map(isSpent))
      return { verdict: REJECT, debits: [], words: [word("n3", "carol")] }
    },
    () => [],
  )
  // What bob signed used up bob's nonce, and nobody else's.
  expect(seen).toEqual([true, true, false, false])
  expect(store.tasks.words("t2")).toEqual([word("n3", "carol")])
  // Whoever decides without looking changes nothing at all.
  store.tasks.claim(claimOf("t3"))
  const again = () =>
    store.tasks.approve(
      "t3",
      8,
      () => ({ verdict: APPROVE, debits: [], words: [word("n1")] }),
      () => [],
    )
  expect(codeOf(again)).toBe("E-APR-003")
  expect(store.tasks.get("t3")?.state).toBe("claimed")
  expect(store.tasks.words("t3")).toEqual([])
  store.verify()

  using snapshot = store.snapshot(`${folder.path}/copy`)
  const records: StoredRecord[] = []
  // Each is wiped with the next.
  for (const record of snapshot.records(undefined)) {
    if (record !== undefined) records.push({ ...record, body: Uint8Array.from(record.body) })
  }
  importStore(restored.db, password(), records, { kdf: KDF, nowMs: 9 })
  using other = restored.open()
  expect(other.tasks.words("t1")).toEqual([word("n1"), word("n2", "bob")])
})

test("words go with the record of their task", () => {
  using folder = new Folder()
  using store = folder.create()
  store.tasks.claim(claimOf("t1"))
  store.tasks.approve(
    "t1",
    6,
    () => ({ verdict: REJECT, debits: [], words: [word("n1")] }),
    () => [],
  )
  expect(store.tasks.prune({ deliveredMs: 100, undeliveredMs: 100, refusedMs: 100 })).toBe(1)
  expect(store.tasks.words("t1")).toEqual([])
  store.tasks.claim(claimOf("t2"))
  store.tasks.approve(
    "t2",
    7,
    (_, isSpent) => ({ verdict: isSpent(word("n1")) ? REJECT : APPROVE, debits: [] }),
    () => [],
  )
  expect(store.tasks.get("t2")?.state).toBe("approved")
  store.verify()
})

test("that a task waits is in memory, and the event of it on the disk", async () => {
  using folder = new Folder()
  using store = folder.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  store.tasks.claim(claimOf("t1"))
  const event = { eventId: "e1", eventType: "e", createdMs: 1, body: "{}" }
  store.journal.waits("t1", "2 of treasury", [event])
  expect(store.journal.waitsFor("t1")).toBe("2 of treasury")
  store.flush()
  expect(store.outbox.backlog()).toEqual([{ server: "s", pending: 1, failed: 0 }])
  store.journal.waits("t1", "", [])
  expect(store.journal.waitsFor("t1")).toBe("")
})
