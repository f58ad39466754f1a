import { expect, test } from "bun:test"
import { forget, KEEP_DAYS, KEEP_UNDELIVERED_DAYS } from "../../src/jobs/journal.ts"
import { silentLog } from "../../src/log.ts"
import { claimOf, Folder, still } from "../store/fixtures.ts"

const DAY_MS = 86_400_000

test("tasks that ended long ago are forgotten, all of them, and later ones stay", async () => {
  using folder = new Folder()
  using store = folder.create()
  const end = (taskId: string, atMs: number, isDelivered = true, isApproved = true) => {
    store.tasks.claim({ ...claimOf(taskId, { deadlineMs: atMs }), nowMs: atMs })
    if (isApproved) store.tasks.approve(taskId, atMs, still, () => [])
    store.tasks.finish(taskId, { state: "failed", code: "E-TSK-004", reason: "" }, atMs, [])
    if (isDelivered) store.tasks.delivered(taskId)
  }
  for (let n = 0; n < 501; n++) end(`old-${n}`, n)
  end("undelivered", 1, false)
  end("young", 10 * DAY_MS)
  end("refused", 94 * DAY_MS, false, false)
  end("just refused", 95 * DAY_MS, false, false)
  const { outbox } = store
  outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  const event = (eventId: string, day: number) => ({ eventId, eventType: "e", createdMs: day * DAY_MS, body: "" })
  store.tasks.claim({ ...claimOf("open"), events: [event("old", 34), event("young", 35)] })
  for (let n = 0; n < 2; n++) outbox.failed("s", outbox.next("s")?.seq ?? 0)
  const touch = (day: number) => store.tasks.claim({ ...claimOf(`day ${day}`), nowMs: day * DAY_MS })
  const later = (days: number) => ({ tasks: store.tasks, outbox, now: () => days * DAY_MS, log: silentLog })
  const clock = new AbortController().signal
  // The clock is years ahead: as far as the journal knows it is day 95, and nothing but refused tasks is that old.
  const all = store.tasks.list({ limit: 1000 }).length
  expect(await forget(later(4000), clock)).toBe(true)
  expect(store.tasks.list({ limit: 1000 }).length).toBe(all)
  touch(KEEP_DAYS + 35)
  // And a clock that was set back is believed too.
  expect(await forget(later(50), clock)).toBe(true)
  expect(store.tasks.list({ limit: 1000 }).length).toBe(all + 1)
  expect(await forget(later(KEEP_DAYS + 35), clock)).toBe(true)
  const left = () => store.tasks.list({ limit: 9 }).map(({ taskId }) => taskId)
  expect(left()).toEqual(["day 125", "open", "just refused", "young", "undelivered"])
  expect(outbox.backlog()).toEqual([{ server: "s", pending: 0, failed: 1 }])
  touch(KEEP_UNDELIVERED_DAYS + 35)
  expect(await forget(later(KEEP_UNDELIVERED_DAYS + 35), clock)).toBe(true)
  expect(left()).toEqual(["day 400", "day 125", "open"])
}, 120_000)

test("a store that cannot write is told, and the node goes on", async () => {
  const said: string[] = []
  const log = { ...silentLog, error: (message: string) => void said.push(message) }
  const outbox = { prune: () => 0 }
  const tasks = {
    newestMs: 0,
    prune: () => {
      throw new Error("the disk is full")
    },
  }
  expect(await forget({ tasks, outbox, now: Date.now, log }, new AbortController().signal)).toBe(false)
  expect(said.length).toBe(1)
})
